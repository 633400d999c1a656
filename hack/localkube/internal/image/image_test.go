package image

import (
	"archive/tar"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
		Reference:  "example/agentd:1",
		Aliases:    []string{"example/agentd:dev"},
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

	refs := References(out)
	slices.Sort(refs)
	if len(refs) != 2 || !strings.HasSuffix(refs[0], s.Reference) || !strings.HasSuffix(refs[1], s.Aliases[0]) {
		t.Errorf("References() = %q, want those of the spec", refs)
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

func TestSameFilesSameDigest(t *testing.T) {
	s := spec(t)
	var digests [2]v1.Hash
	for i := range digests {
		img, err := Build(s)
		if err != nil {
			t.Fatal(err)
		}
		if digests[i], err = img.Digest(); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds of the same files: %s and %s", digests[0], digests[1])
	}
}

func TestPush(t *testing.T) {
	s := spec(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	s.Reference = strings.TrimPrefix(server.URL, "http://") + "/mesos/agentd:1"
	if err := Push(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	ref, _ := name.NewTag(s.Reference)
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if modes := listing(t, img); modes["usr/bin/agentd"] != 0o755 {
		t.Errorf("pulled image holds %v", modes)
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
