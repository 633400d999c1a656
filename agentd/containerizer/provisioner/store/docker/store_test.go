package docker

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store/stall"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/testkit/images"
)

func newStore(t testing.TB, change func(*Config)) *Store {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Dir, cfg.Log = filepath.Join(t.TempDir(), "store"), logr.Discard()
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove.Wait)
	return s
}

func named(name string) *mesos.Image {
	return &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: &name}, Cached: new(true)}
}

func file(name, contents string) images.File { return images.File{Name: name, Contents: contents} }

// simple is an image of two layers.
func simple(t testing.TB) v1.Image {
	t.Helper()
	return images.Of(t, v1.Config{Entrypoint: []string{"/bin/run"}, Cmd: []string{"a"}, Env: []string{"A=b"}, WorkingDir: "/work", User: "me"},
		images.Layer(t, file("base", "1")), images.Layer(t, file("top", "2")))
}

// has looks for files in the layers of an image, the base first.
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

func get(t testing.TB, s *Store, image *mesos.Image) store.Image {
	t.Helper()
	got, err := s.Get(t.Context(), image, layer.Plain)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPull(t *testing.T) {
	registry := images.NewRegistry(t)
	image := simple(t)
	ref := registry.Push(t, "team/tool:v1", image)
	pulls := 0
	s := newStore(t, func(c *Config) { c.Pulled = func(time.Duration) { pulls++ } })
	got := get(t, s, named(ref))
	has(t, got, "base", "top")
	want := store.Defaults{
		Type: mesos.Image_DOCKER, Entrypoint: []string{"/bin/run"}, Cmd: []string{"a"}, Env: []string{"A=b"}, WorkingDir: "/work", User: "me",
	}
	if diff := cmp.Diff(want, got.Defaults); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(s.cfg.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store can be entered by others: %v, %v", info.Mode(), err)
	}
	get(t, s, named(ref))
	if pulls != 1 || registry.Asked("GET /v2/team/tool/manifests/v1") > 1 {
		t.Errorf("%d pulls of an image that is there", pulls)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	before := registry.Asked("/blobs/")
	has(t, get(t, s, named(registry.Host+"/team/tool@"+digest.String())), "base", "top")
	if n := registry.Asked("/blobs/") - before; n > 1 {
		t.Errorf("%d blobs fetched for layers that are there", n)
	}
}

// TestPullForced gets an image again whose name means another one by now.
func TestPullForced(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Layer(t, file("old", ""))))
	s := newStore(t, nil)
	has(t, get(t, s, named(ref)), "old")
	registry.Push(t, "tool", images.Of(t, v1.Config{}, images.Layer(t, file("new", ""))))
	has(t, get(t, s, named(ref)), "old")
	fresh := named(ref)
	fresh.Cached = new(false)
	has(t, get(t, s, fresh), "new")
	has(t, get(t, s, named(ref)), "new")
}

func TestPullByPlatform(t *testing.T) {
	registry := images.NewRegistry(t)
	other := images.Of(t, v1.Config{}, images.Layer(t, file("other", "")))
	file1, _ := other.ConfigFile()
	file1 = file1.DeepCopy()
	file1.Architecture = "s390x"
	other, err := mutate.ConfigFile(other, file1)
	if err != nil {
		t.Fatal(err)
	}
	mine := images.Of(t, v1.Config{}, images.Layer(t, file("mine", "")))
	platform := func(i v1.Image) mutate.IndexAddendum {
		c, _ := i.ConfigFile()
		return mutate.IndexAddendum{Add: i, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: c.OS, Architecture: c.Architecture}}}
	}
	for name, media := range map[string]types.MediaType{"docker": types.DockerManifestList, "oci": types.OCIImageIndex} {
		t.Run(name, func(t *testing.T) {
			index := mutate.IndexMediaType(mutate.AppendManifests(empty.Index, platform(other), platform(mine)), media)
			has(t, get(t, newStore(t, nil), named(registry.Push(t, "many-"+name, index))), "mine")
			alone := mutate.IndexMediaType(mutate.AppendManifests(empty.Index, platform(other)), media)
			if _, err := newStore(t, nil).Get(t.Context(), named(registry.Push(t, "alone-"+name, alone)), layer.Plain); err == nil {
				t.Error("an image for another machine was taken")
			}
		})
	}
}

func TestPullOfOCIManifest(t *testing.T) {
	registry := images.NewRegistry(t)
	image := mutate.ConfigMediaType(mutate.MediaType(simple(t), types.OCIManifestSchema1), types.OCIConfigJSON)
	has(t, get(t, newStore(t, nil), named(registry.Push(t, "oci", image))), "base", "top")
}

func TestPullWithCredentials(t *testing.T) {
	tests := map[string]images.Option{"basic": images.Basic("me", "secret"), "token": images.Token("me", "secret")}
	for name, option := range tests {
		t.Run(name, func(t *testing.T) {
			registry := images.NewTLSRegistry(t, option)
			// This machine's address without TLS is the rule, but for port 443.
			ref := strings.Replace(registry.Push(t, "private/tool", simple(t)), "127.0.0.1", "127.0.0.2", 1)
			transport := &redirected{registry.Client().Transport, registry.Host}
			config := []byte(strings.ReplaceAll(registry.Config(), "127.0.0.1", "127.0.0.2"))
			credentials, err := ParseCredentials(config)
			if err != nil {
				t.Fatal(err)
			}
			without := newStore(t, func(c *Config) { c.Transport = transport })
			if _, err := without.Get(t.Context(), named(ref), layer.Plain); err == nil {
				t.Error("pulled without credentials")
			}
			has(t, get(t, newStore(t, func(c *Config) { c.Transport, c.Credentials = transport, credentials }), named(ref)), "base", "top")

			own := named(ref)
			own.Docker.Config = &mesos.Secret{Type: mesos.Secret_VALUE.Enum(), Value: &mesos.Secret_Value{Data: config}}
			has(t, get(t, without, own), "base", "top")

			own.Docker.Config = &mesos.Secret{Type: mesos.Secret_REFERENCE.Enum(), Reference: &mesos.Secret_Reference{Name: new("pull")}}
			own.Cached = new(false)
			if _, err := without.Get(t.Context(), own, layer.Plain); err == nil || !strings.Contains(err.Error(), "by value") {
				t.Errorf("secret by reference: %v", err)
			}
			resolving := newStore(t, func(c *Config) {
				c.Transport = transport
				c.Resolve = func(_ context.Context, s *mesos.Secret) ([]byte, error) {
					if s.GetReference().GetName() != "pull" {
						t.Errorf("asked for %v", s)
					}
					return config, nil
				}
			})
			has(t, get(t, resolving, own), "base", "top")
		})
	}
}

// redirected sends all requests to one host, whatever they call it.
type redirected struct {
	base http.RoundTripper
	host string
}

func (r *redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Host, req.URL.Host = req.URL.Host, r.host
	return r.base.RoundTrip(req)
}

// TestPullWithTLS holds the rule by which registries are asked without TLS.
func TestPullWithTLS(t *testing.T) {
	plain, secure := images.NewRegistry(t), images.NewTLSRegistry(t)
	port := strings.TrimPrefix(plain.Host, "127.0.0.1")
	plain.Push(t, "tool", simple(t))
	secure.Push(t, "tool", simple(t))
	before := plain.Asked("")
	s := newStore(t, func(c *Config) { c.Transport = &redirected{http.DefaultTransport, plain.Host} })
	for _, host := range []string{"10.1.2.3" + port, "registry.example.com" + port, "registry.example.com"} {
		if _, err := s.Get(t.Context(), named(host+"/tool"), layer.Plain); err == nil {
			t.Errorf("%s was asked without TLS", host)
		}
	}
	if plain.Asked("") != before {
		t.Error("a registry was asked without TLS")
	}
	get(t, s, named("registry.example.com:80/tool"))
	get(t, newStore(t, func(c *Config) {
		c.Registry, c.Transport = "http://10.1.2.3:5000", &redirected{http.DefaultTransport, plain.Host}
	}), named("tool"))
	get(t, newStore(t, func(c *Config) { c.Registry, c.Transport = secure.URL, secure.Client().Transport }), named("tool"))
}

func TestPullOfWhatIsNotThere(t *testing.T) {
	registry := images.NewRegistry(t)
	registry.Push(t, "tool", simple(t))
	scratch := registry.Push(t, "scratch", images.Of(t, v1.Config{Cmd: []string{"x"}}))
	for ref, want := range map[string]error{
		registry.Host + "/nothing": store.ErrNotFound, registry.Host + "/tool:nothing": store.ErrNotFound,
		registry.Host + "/tool@" + aDigest: store.ErrNotFound, registry.Host + "/UPPER": store.ErrInvalid, "a@b@c": store.ErrInvalid,
		scratch: store.ErrInvalid,
	} {
		s := newStore(t, nil)
		if _, err := s.Get(t.Context(), named(ref), layer.Plain); !errors.Is(err, want) {
			t.Errorf("%s: %v", ref, err)
		}
		if left, err := os.ReadDir(s.stagingDir()); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", ref, left, err)
		}
	}
}

// TestPullChecksLayers has a registry send something else than the configuration says.
func TestPullChecksLayers(t *testing.T) {
	registry := images.NewRegistry(t)
	image := images.Of(t, v1.Config{}, images.Layer(t, file("a", "")))
	config, _ := image.ConfigFile()
	config = config.DeepCopy()
	config.RootFS.DiffIDs[0] = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
	image, err := mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newStore(t, nil).Get(t.Context(), named(registry.Push(t, "wrong", image)), layer.Plain); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a layer that is another: %v", err)
	}
	nothing := images.Of(t, v1.Config{}, static.NewLayer([]byte("no archive"), types.DockerUncompressedLayer))
	if _, err := newStore(t, nil).Get(t.Context(), named(registry.Push(t, "nothing", nothing)), layer.Plain); err == nil {
		t.Error("a layer that is no archive was taken")
	}
}

func TestPullThatStalls(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", simple(t))
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	registry.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-end
			return true
		}
		return false
	}
	s := newStore(t, func(c *Config) { c.StallTimeout = 50 * time.Millisecond })
	if _, err := s.Get(t.Context(), named(ref), layer.Plain); !errors.Is(err, stall.ErrStalled) {
		t.Errorf("got %v", err)
	}
}

// TestPullIsShared has many want one image at once; it is got once, and goes on when
// the first who wanted it gives up.
func TestPullIsShared(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", simple(t))
	asked, gone := make(chan struct{}), make(chan struct{})
	var once sync.Once
	registry.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/manifests/") {
			once.Do(func() { close(asked) })
			<-gone
		}
		return false
	}
	s := newStore(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := s.Get(ctx, named(ref), layer.Plain); first <- err }()
	<-asked
	var others sync.WaitGroup
	for range 5 {
		others.Go(func() {
			if _, err := s.Get(t.Context(), named(ref), layer.Plain); err != nil {
				t.Error(err)
			}
		})
	}
	for waiting := 0; waiting < 6; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		for _, p := range s.pulls {
			waiting = p.waiting
		}
		s.mu.Unlock()
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first got %v", err)
	}
	close(gone)
	others.Wait()
	if n := registry.Asked("GET /v2/tool/manifests/latest"); n != 1 {
		t.Errorf("the manifest was got %d times", n)
	}
}

// TestPullThatNobodyWaitsFor ends.
func TestPullThatNobodyWaitsFor(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", simple(t))
	asked, ended := make(chan struct{}), make(chan struct{})
	var once sync.Once
	registry.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		once.Do(func() {
			close(asked)
			<-r.Context().Done()
			close(ended)
		})
		return false
	}
	s := newStore(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := s.Get(ctx, named(ref), layer.Plain); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
	has(t, get(t, s, named(ref)), "base", "top") // and the next begins anew
}

func TestArchives(t *testing.T) {
	dir := t.TempDir()
	write := func(file, tag string) {
		t.Helper()
		ref, err := name.NewTag(tag)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := tarball.WriteToFile(path, ref, simple(t)); err != nil {
			t.Fatal(err)
		}
	}
	write("tool.tar", "tool")
	write("team/tool:v1.tar", "team/tool:v1")
	write("quay.io/team/tool.tar", "quay.io/team/tool")
	write("other.tar", "another")
	for _, url := range []string{dir, "file://" + dir} {
		s := newStore(t, func(c *Config) { c.Registry = url })
		for _, ref := range []string{"tool", "team/tool:v1", "quay.io/team/tool"} {
			has(t, get(t, s, named(ref)), "base", "top")
		}
		for _, ref := range []string{"nothing", "tool:v2", "other", "../../tool"} {
			if _, err := s.Get(t.Context(), named(ref), layer.Plain); err == nil {
				t.Errorf("%s was found", ref)
			}
		}
	}
}

// TestLegacyArchive reads what Docker wrote before 1.10.
func TestLegacyArchive(t *testing.T) {
	dir := t.TempDir()
	base, top := string(images.Archive(t, file("base", "1"))), string(images.Archive(t, file("top", "2")))
	archive := images.Archive(t,
		file("repositories", `{"tool": {"latest": "222", "lost": "333"}}`),
		file("111/json", `{"id": "111"}`), file("111/VERSION", "1.0"), file("111/layer.tar", base),
		file("222/json", `{"id": "222", "parent": "111", "config": {"Cmd": ["sh"], "WorkingDir": "/work"}}`), file("222/layer.tar", top))
	for _, f := range []string{"tool.tar", "tool:lost.tar", "tool:none.tar"} {
		if err := os.WriteFile(filepath.Join(dir, f), archive, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore(t, func(c *Config) { c.Registry = dir })
	got := get(t, s, named("tool"))
	has(t, got, "base", "top")
	if diff := cmp.Diff(store.Defaults{Type: mesos.Image_DOCKER, Cmd: []string{"sh"}, WorkingDir: "/work"}, got.Defaults); diff != "" {
		t.Error(diff)
	}
	for _, ref := range []string{"tool:lost", "tool:none"} {
		if _, err := s.Get(t.Context(), named(ref), layer.Plain); err == nil {
			t.Errorf("%s was found", ref)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, registry := range []string{"hdfs://namenode:8020/images", "", "registry.example.com", "ftp://x"} {
		c := DefaultConfig()
		c.Registry = registry
		if err := c.Validate(); err == nil {
			t.Errorf("%q was accepted", registry)
		}
	}
}

func TestRecover(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", simple(t))
	s := newStore(t, nil)
	has(t, get(t, s, named(ref)), "base", "top")
	registry.Close()
	if err := os.Mkdir(filepath.Join(s.stagingDir(), "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	again := newStore(t, func(c *Config) { c.Dir = s.cfg.Dir })
	has(t, get(t, again, named(ref)), "base", "top")
	if left, _ := os.ReadDir(again.stagingDir()); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	// A layer that is gone, or not there in the form that is wanted, is pulled again.
	if err := os.RemoveAll(again.layersDir()); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Get(t.Context(), named(ref), layer.Plain); err == nil {
		t.Error("an image without its layers is there")
	}
	for name, contents := range map[string]string{
		"truncated": `{"tool"`, "empty": "", "foreign": "\x0a\x05tool", "hostile": `{"` + ref + `": {"layers": ["../../etc"], "config": "x"}}`,
	} {
		if err := os.WriteFile(s.images.file, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		broken := newStore(t, func(c *Config) { c.Dir = s.cfg.Dir })
		if _, err := broken.Get(t.Context(), named(ref), layer.Plain); err == nil {
			t.Errorf("%s: there is still an image", name)
		}
	}
}

func TestPrune(t *testing.T) {
	registry := images.NewRegistry(t)
	shared := images.Layer(t, file("shared", ""))
	image := func(n string) (ref string) {
		return registry.Push(t, n, images.Of(t, v1.Config{Cmd: []string{n}}, shared, images.Layer(t, file(n, ""))))
	}
	keep, used, gone := image("keep"), image("used"), image("gone")
	s := newStore(t, nil)
	inUse := map[string]bool{}
	kept := get(t, s, named(keep))
	running := get(t, s, named(used))
	for _, path := range append(running.Layers, running.Files...) {
		inUse[path] = true
	}
	lost := get(t, s, named(gone))
	if err := s.Prune([]*mesos.Image{named(keep), named("never-pulled")}, inUse); err != nil {
		t.Fatal(err)
	}
	s.remove.Wait()
	has(t, kept, "shared", "keep")
	has(t, running, "shared", "used")
	if _, err := os.Stat(lost.Layers[1]); !os.IsNotExist(err) {
		t.Errorf("a layer that nobody needs: %v", err)
	}
	for dir, want := range map[string]int{s.layersDir(): 3, s.configsDir(): 2, s.gcDir(): 0} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != want {
			t.Errorf("%s has %d entries, want %d, error %v", dir, len(entries), want, err)
		}
	}
	registry.Close()
	get(t, s, named(keep))
	if _, err := s.Get(t.Context(), named(used), layer.Plain); err == nil {
		t.Error("an image that was pruned is there, though only its layers had to stay")
	}
	if err := s.Prune([]*mesos.Image{named("a@b@c")}, nil); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an exclusion that is no name: %v", err)
	}
}

// TestPullOfBrokenManifest has a registry answer what is no manifest, or one of a kind that is
// not understood.
func TestPullOfBrokenManifest(t *testing.T) {
	registry := images.NewRegistry(t)
	ref := registry.Push(t, "tool", simple(t))
	for name, answer := range map[string]struct{ kind, body string }{
		"no JSON":   {string(types.DockerManifestSchema2), "{"},
		"empty":     {string(types.DockerManifestSchema2), "{}"},
		"schema 1":  {string(types.DockerManifestSchema1Signed), `{"schemaVersion": 1, "fsLayers": [], "history": []}`},
		"no layers": {string(types.OCIManifestSchema1), `{"schemaVersion": 2, "config": {"digest": "` + aDigest + `", "size": 2}, "layers": []}`},
		"a bad layer": {string(types.OCIManifestSchema1), `{"schemaVersion": 2, "config": {"digest": "` + aDigest + `", "size": 2},
			"layers": [{"digest": "../../x", "size": 1}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			registry.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				w.Header().Set("Content-Type", answer.kind)
				_, _ = w.Write([]byte(answer.body))
				return true
			}
			s := newStore(t, nil)
			if _, err := s.Get(t.Context(), named(ref), layer.Plain); err == nil {
				t.Error("it was taken")
			}
			if left, err := os.ReadDir(s.layersDir()); err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}
