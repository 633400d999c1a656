package appc

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
)

// manifest of an image "example.com/<name>"; more is put in between.
func manifest(name, more string) string {
	return `{"acKind": "ImageManifest", "acVersion": "0.6.1", "name": "example.com/` + name + `",
		"labels": [{"name": "version", "value": "1.0"}, {"name": "arch", "value": "amd64"}, {"name": "os", "value": "linux"}]` + more + `}`
}

// image is an archive, and its ID.
func image(t testing.TB, name, more string) (aci []byte, id string) {
	t.Helper()
	archive := images.Archive(t, images.File{Name: "manifest", Contents: manifest(name, more)}, images.File{Name: "rootfs/"},
		images.File{Name: "rootfs/" + name, Contents: name})
	sum := sha512.Sum512(archive)
	return archive, idPrefix + hex.EncodeToString(sum[:])
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newStore(t testing.TB, prefix string) *Store {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Dir, cfg.Prefix, cfg.Log = filepath.Join(t.TempDir(), "store"), prefix, logr.Discard()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	return s
}

func named(name string, labels ...string) *mesos.Image {
	name = "example.com/" + name
	out := &mesos.Image{Type: mesos.Image_APPC.Enum(), Appc: &mesos.Image_Appc{Name: &name, Labels: &mesos.Labels{}}, Cached: new(true)}
	for i := 0; i < len(labels); i += 2 {
		out.Appc.Labels.Labels = append(out.Appc.Labels.Labels, &mesos.Label{Key: &labels[i], Value: &labels[i+1]})
	}
	return out
}

var labels = []string{"version", "1.0", "arch", "amd64", "os", "linux"}

const file = "-1.0-linux-amd64.aci"

func has(t testing.TB, i store.Image, files ...string) {
	t.Helper()
	if len(i.Layers) != len(files) {
		t.Fatalf("layers %v, want %d", i.Layers, len(files))
	}
	for n, f := range files {
		if _, err := os.Stat(filepath.Join(i.Layers[n], f)); err != nil {
			t.Errorf("layer %d: %v", n, err)
		}
	}
}

func TestFetch(t *testing.T) {
	aci, id := image(t, "tool", `, "app": {"exec": ["/bin/tool", "-x"], "user": "0", "group": "0",
		"environment": [{"name": "A", "value": "b"}], "workingDirectory": "/work"}`)
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path != "/images/example.com/tool"+file {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(zipped(t, aci))
	}))
	defer server.Close()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "example.com"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "example.com", "tool"+file), aci, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, prefix := range map[string]string{"http": server.URL + "/images/", "file": dir + "/"} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, prefix)
			got, err := s.Get(t.Context(), named("tool", labels...), layer.Plain)
			if err != nil {
				t.Fatal(err)
			}
			has(t, got, "tool")
			want := store.Defaults{Type: mesos.Image_APPC, Entrypoint: []string{"/bin/tool", "-x"}, Env: []string{"A=b"}, WorkingDir: "/work"}
			if diff := cmp.Diff(want, got.Defaults); diff != "" {
				t.Error(diff)
			}
			if got.Layers[0] != s.rootfs(id) {
				t.Errorf("kept as %s", got.Layers[0])
			}
			before := asked
			if _, err := s.Get(t.Context(), named("tool", labels...), layer.Plain); err != nil || asked != before {
				t.Errorf("an image that is there was fetched: %v", err)
			}
			byID := named("tool", labels...)
			byID.Appc.Id = &id
			if _, err := s.Get(t.Context(), byID, layer.Plain); err != nil {
				t.Error(err)
			}
			byID.Appc.Id, byID.Cached = new(idPrefix+strings.Repeat("0", 128)), new(false)
			if _, err := s.Get(t.Context(), byID, layer.Plain); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("another image under an ID: %v", err)
			}
			for what, image := range map[string]*mesos.Image{"nothing": named("nothing", labels...), "another version": named("tool", "version", "2", "os", "linux", "arch", "amd64")} {
				if _, err := s.Get(t.Context(), image, layer.Plain); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			}
			for what, image := range map[string]*mesos.Image{"no labels": named("x"), "upwards": named("../../x", labels...)} {
				if _, err := s.Get(t.Context(), image, layer.Plain); err == nil {
					t.Errorf("%s: was found", what)
				}
			}
			if left, _ := os.ReadDir(s.stagingDir()); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// put puts an image into a store as an operator does.
func put(t testing.TB, s *Store, name, more string) string {
	t.Helper()
	aci, id := image(t, name, more)
	if err := os.Mkdir(s.image(id), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := layer.Unpack(t.Context(), bytes.NewReader(aci), s.image(id), layer.Plain, layer.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDependencies(t *testing.T) {
	s := newStore(t, "/nowhere/")
	like := `"labels": [{"name": "version", "value": "1.0"}, {"name": "arch", "value": "amd64"}, {"name": "os", "value": "linux"}]`
	base := put(t, s, "base", "")
	put(t, s, "middle", `, "dependencies": [{"imageName": "example.com/base", `+like+`}]`)
	put(t, s, "other", `, "app": {"exec": ["/other"]}`)
	put(t, s, "top", `, "app": {"exec": ["/top"]}, "dependencies": [{"imageName": "example.com/middle", `+like+`},
		{"imageName": "example.com/other", `+like+`}]`)
	put(t, s, "byid", `, "dependencies": [{"imageName": "example.com/base", "imageID": "`+base+`"}]`)
	put(t, s, "lost", `, "dependencies": [{"imageName": "example.com/nothing", `+like+`}]`)
	put(t, s, "circle", `, "dependencies": [{"imageName": "example.com/circle", `+like+`}]`)
	for _, odd := range []string{"odd", idPrefix + "1", idPrefix + strings.Repeat("0", 128)} {
		if err := os.Mkdir(s.image(odd), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), named("top", labels...), layer.Plain)
	if err != nil {
		t.Fatal(err)
	}
	has(t, got, "base", "middle", "other", "top")
	if diff := cmp.Diff([]string{"/top"}, got.Defaults.Entrypoint); diff != "" {
		t.Error(diff)
	}
	if got, err = s.Get(t.Context(), named("byid", labels...), layer.Plain); err != nil {
		t.Fatal(err)
	}
	has(t, got, "base", "byid")
	for _, name := range []string{"lost", "circle"} {
		if _, err := s.Get(t.Context(), named(name, labels...), layer.Plain); err == nil {
			t.Errorf("%s was got", name)
		}
	}
	if err := s.Prune(nil, nil); err != nil {
		t.Fatal(err)
	}
	has(t, got, "base", "byid")
}

func TestParseManifest(t *testing.T) {
	if _, err := ParseManifest([]byte(manifest("x", ""))); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", `{"acKind": "PodManifest", "acVersion": "1", "name": "x"}`, `{"acKind": "ImageManifest", "name": "x"}`,
		`{"acKind": "ImageManifest", "acVersion": "1"}`, manifest("x", `, "dependencies": [{}]`), manifest("x", `, "app": []`)} {
		if _, err := ParseManifest([]byte(bad)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestCheckID(t *testing.T) {
	if err := CheckID(idPrefix + strings.Repeat("0f", 64)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "sha256-00", idPrefix, idPrefix + strings.Repeat("0", 127), idPrefix + strings.Repeat("/", 128)} {
		if err := CheckID(bad); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, files := range map[string][]images.File{
		"no manifest":        {{Name: "rootfs/"}},
		"no rootfs":          {{Name: "manifest", Contents: manifest("x", "")}},
		"a link as rootfs":   {{Name: "manifest", Contents: manifest("x", "")}, {Name: "rootfs", Target: "/"}},
		"a link as manifest": {{Name: "manifest", Target: "/etc/passwd"}, {Name: "rootfs/"}},
	} {
		if _, err := unpack(t.Context(), bytes.NewReader(images.Archive(t, files...)), t.TempDir()); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(manifest("x", `, "dependencies": [{"imageName": "y"}], "app": {"exec": ["a"]}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			return
		}
		if m.Name == "" {
			t.Error("a manifest without a name")
		}
		m.defaults()
		for _, d := range m.Dependencies {
			_, _, _ = wantedAs(d).locate("https://")
		}
	})
}
