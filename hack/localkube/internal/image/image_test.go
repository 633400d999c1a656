package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func spec(t *testing.T) Spec {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "agentd")
	if err := os.WriteFile(bin, []byte("\x7fELF"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Spec{
		Reference:  "example/agentd:dev",
		Entrypoint: []string{"/agentd", "--flag"},
		User:       NonRoot,
		Env:        []string{"A=b"},
		Labels:     map[string]string{"org.opencontainers.image.title": "agentd"},
		Files:      []File{{Path: "/usr/bin/agentd", Source: bin}},
	}
}

func TestWrite(t *testing.T) {
	s := spec(t)
	out := filepath.Join(t.TempDir(), "a.tar")
	if err := Write(out, s); err != nil {
		t.Fatal(err)
	}
	ref, _ := name.NewTag(s.Reference)
	img, err := tarball.ImageFromPath(out, &ref) // by its name: the archive must know it
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Errorf("the image read back: %v", err)
	}
	cf, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: s.Entrypoint, User: "65532:65532", Labels: s.Labels, WorkingDir: "/",
		Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=b"},
	}
	if d := cmp.Diff(want, cf.Config); d != "" {
		t.Errorf("config (-want +got):\n%s", d)
	}
	if cf.OS != "linux" || cf.Architecture == "" {
		t.Errorf("platform %s/%s", cf.OS, cf.Architecture)
	}

	if refs := References(out); len(refs) != 1 || !strings.HasSuffix(refs[0], s.Reference) {
		t.Errorf("References() = %q, want the one of the spec", refs)
	}
	modes := listing(t, img)
	for path, mode := range map[string]int64{"tmp": 0o1777, "usr/bin": 0o755, "usr/bin/agentd": 0o755, "etc/passwd": 0o644} {
		if modes[path] != mode {
			t.Errorf("%s has mode %o, want %o", path, modes[path], mode)
		}
	}
}

// listing returns the modes of all entries of the image's root file system.
func listing(t *testing.T, img v1.Image) map[string]int64 {
	t.Helper()
	modes := map[string]int64{}
	rc := mutate.Extract(img)
	defer rc.Close()
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return modes
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[filepath.Clean(h.Name)] = h.Mode
	}
}

func TestSameFilesSameBytes(t *testing.T) {
	s, dir := spec(t), t.TempDir()
	var archives [2][]byte
	for i := range archives {
		out := filepath.Join(dir, "a.tar")
		if err := Write(out, s); err != nil {
			t.Fatal(err)
		}
		archives[i], _ = os.ReadFile(out)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of the same files differ")
	}
}

func TestBadSpecs(t *testing.T) {
	tests := map[string]func(*Spec){
		"no reference":    func(s *Spec) { s.Reference = "" },
		"upper case name": func(s *Spec) { s.Reference = "Example/Agent:dev" },
		"relative path":   func(s *Spec) { s.Files[0].Path = "agentd" },
		"path with dots":  func(s *Spec) { s.Files[0].Path = "/../agentd" },
		"missing source":  func(s *Spec) { s.Files[0].Source += ".none" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			change(&s)
			out := filepath.Join(t.TempDir(), "a.tar")
			if err := Write(out, s); err == nil {
				t.Error("Write() = nil, want an error")
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("an archive was left")
			}
		})
	}
}
