package toolchain

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
)

var hello = Tool{Name: "hello", Dir: "m", Package: ".", From: "example.com/lib", Programs: []string{"hello", "hi"},
	LDFlags: func(v string) string { return " -X main.version=" + v }}

// module writes a module without real dependencies that pins a version.
func module(t *testing.T) (Builder, string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	repo := t.TempDir()
	dir := filepath.Join(repo, "m")
	write(t, filepath.Join(dir, "go.mod"), "module example.com/hello\n\ngo 1.26.0\n\nrequire example.com/lib v1.2.3\n\nreplace example.com/lib => ./lib\n")
	write(t, filepath.Join(dir, "lib/go.mod"), "module example.com/lib\n\ngo 1.26.0\n")
	write(t, filepath.Join(dir, "lib/lib.go"), "package lib\n\nconst Word = \"hello\"\n")
	write(t, filepath.Join(dir, "main.go"), `package main

import "example.com/lib"

var version string

func main() { println(lib.Word, version) }
`)
	c := config.Config{RepoDir: repo, CacheDir: filepath.Join(repo, "cache")}
	return Builder{c, progress.New(io.Discard)}, dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBuild(t *testing.T) {
	b, src := module(t)
	dir, err := b.Build(t.Context(), hello)
	if err != nil {
		t.Fatal(err)
	}
	if base := filepath.Base(dir); !strings.HasPrefix(base, "hello-v1.2.3-") {
		t.Errorf("built into %s, want the tool and its version in the name", base)
	}
	for _, name := range hello.Programs {
		out, err := exec.Command(filepath.Join(dir, name)).CombinedOutput()
		if err != nil || string(out) != "hello v1.2.3\n" {
			t.Errorf("%s printed %q, %v", name, out, err)
		}
	}

	same, err := b.Build(t.Context(), hello)
	if err != nil || same != dir {
		t.Errorf("second Build() = %s, %v; want %s again", same, err, dir)
	}
	write(t, filepath.Join(src, "main.go"), "package main\n\nfunc main() {}\n")
	if other, err := b.Build(t.Context(), hello); err != nil || other == dir {
		t.Errorf("Build() after a change = %s, %v; want another folder", other, err)
	}
}

func TestAFailedBuildLeavesNothing(t *testing.T) {
	b, src := module(t)
	write(t, filepath.Join(src, "main.go"), "package main\n\nfunc main() { undefined() }\n")
	_, err := b.Build(t.Context(), hello)
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("Build() = %v, want the compiler's words", err)
	}
	if entries, _ := os.ReadDir(b.Config.CacheDir); len(entries) > 0 {
		t.Errorf("left in the cache: %v", entries)
	}
}

func TestVersionMustBePinned(t *testing.T) {
	b, src := module(t)
	write(t, filepath.Join(src, "go.mod"), "module example.com/hello\n\ngo 1.26.0\n")
	if _, err := b.Version(hello); err == nil || !strings.Contains(err.Error(), "example.com/lib") {
		t.Errorf("Version() = %v, want an error that names the missing module", err)
	}
}

func TestKubernetesLDFlags(t *testing.T) {
	got := kubernetesLDFlags("v1.36.3")
	for _, want := range []string{"gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"} {
		if !strings.Contains(got+" ", want+" ") {
			t.Errorf("%q lacks %s", got, want)
		}
	}
}
