// Package toolchain builds the programs that localkube runs, from Go modules, with
// nothing but the go command. It owns the cache folder: one folder a build, named by
// the tool, its version and a hash of all that goes into it, so that what is there
// is what a build would give and a second call takes no time.
package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
)

// buildFlags make static, reproducible binaries without symbol tables, and let
// builds of different modules share compiled packages.
var buildFlags = []string{"-trimpath", "-buildvcs=false"}

// Builder builds tools into the cache.
type Builder struct {
	Config config.Config
	Log    *progress.Log
}

// Build makes sure that the tool is built and returns the folder of its programs.
func (b Builder) Build(ctx context.Context, t Tool) (string, error) {
	version, err := b.Version(t)
	if err != nil {
		return "", err
	}
	flags := "-s -w"
	if t.LDFlags != nil {
		flags += t.LDFlags(version)
	}
	key, err := b.key(ctx, t, flags)
	if err != nil {
		return "", fmt.Errorf("building %s: %w", t.Name, err)
	}
	dir := filepath.Join(b.Config.CacheDir, strings.Join([]string{t.Name, version, key}, "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	what := fmt.Sprintf("building %s %s", t.Name, version)
	return dir, b.Log.Step(ctx, what, func(ctx context.Context, say func(string)) error {
		return b.build(ctx, t, flags, dir, say)
	})
}

// build works in a folder beside dir and renames it, so that dir is complete or absent.
func (b Builder) build(ctx context.Context, t Tool, ldflags, dir string, say func(string)) error {
	if err := os.MkdirAll(b.Config.CacheDir, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(b.Config.CacheDir, ".building-"+t.Name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	module := filepath.Join(b.Config.RepoDir, t.Dir)
	if err := Compile(ctx, module, filepath.Join(tmp, t.Programs[0]), ldflags, say, t.Package); err != nil {
		return err
	}
	for _, name := range t.Programs[1:] {
		if err := os.Symlink(t.Programs[0], filepath.Join(tmp, name)); err != nil {
			return err
		}
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// Version is the tool's version as its go.mod pins it; "dev" for a tool of our own.
func (b Builder) Version(t Tool) (string, error) {
	if t.From == "" {
		return "dev", nil
	}
	path := filepath.Join(b.Config.RepoDir, t.Dir, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the version of %s: %w", t.Name, err)
	}
	f, err := modfile.Parse(path, data, nil)
	if err != nil {
		return "", fmt.Errorf("reading the version of %s: %w", t.Name, err)
	}
	for _, r := range f.Require {
		if r.Mod.Path == t.From {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("reading the version of %s: %s does not require %s", t.Name, path, t.From)
}

// key hashes what a build depends on: the module's own files (go.sum stands for all
// others), the flags, and the compiler.
func (b Builder) key(ctx context.Context, t Tool, ldflags string) (string, error) {
	goVersion, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for its version: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %q %s\n", goVersion, t.Package, buildFlags, ldflags)
	var files []string
	for _, pattern := range []string{"go.mod", "go.sum", "*.go"} {
		m, err := filepath.Glob(filepath.Join(b.Config.RepoDir, t.Dir, pattern))
		if err != nil {
			return "", err
		}
		files = append(files, m...)
	}
	slices.Sort(files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(f), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// Compile builds static binaries of packages of a module and tells through say how
// far it is. out is the binary, or for several packages an existing folder.
func Compile(ctx context.Context, module, out, ldflags string, say func(string), packages ...string) error {
	say("resolving modules")
	var deps bytes.Buffer
	list := append([]string{"go", "list", "-deps"}, packages...)
	if err := run(ctx, module, &deps, downloads(say), list...); err != nil {
		return err
	}
	total, done := bytes.Count(deps.Bytes(), []byte("\n")), 0
	say("linking, or compiling the first packages")
	args := slices.Concat([]string{"go", "build", "-v"}, buildFlags, []string{"-ldflags", ldflags, "-o", out}, packages)
	return run(ctx, module, io.Discard, func(line string) {
		// With -v, go build prints the name of each package that it compiles.
		if !strings.Contains(line, " ") {
			done++
			say(fmt.Sprintf("compiled %d packages, %d at most", done, total))
		}
	}, args...)
}

func downloads(say func(string)) func(string) {
	n := 0
	return func(line string) {
		if strings.HasPrefix(line, "go: downloading ") {
			n++
			say(fmt.Sprintf("downloaded %d modules", n))
		}
	}
}

// run runs a go command in a module, hands each line of its stderr to line, and
// adds the last ones to the error.
func run(ctx context.Context, dir string, stdout io.Writer, line func(string), argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=", "GOOS=linux")
	cmd.Stdout = stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	for s := bufio.NewScanner(stderr); s.Scan(); {
		line(s.Text())
		last = append(last[max(0, len(last)-9):], s.Text())
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv[:2], " "), err, strings.Join(last, "\n"))
	}
	return nil
}
