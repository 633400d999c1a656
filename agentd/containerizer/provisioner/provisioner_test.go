package provisioner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/backend"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/layer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// shelf is a store whose images are directories, by their names.
type shelf struct {
	images map[string]store.Image
	block  chan struct{} // nil, or what Get waits for
	kept   []string
	inUse  map[string]bool
}

func (*shelf) Recover() error { return nil }

func (s *shelf) Get(ctx context.Context, image *mesos.Image, _ layer.Form) (store.Image, error) {
	if s.block != nil {
		select {
		case <-s.block:
		case <-ctx.Done():
			return store.Image{}, ctx.Err()
		}
	}
	got, ok := s.images[image.GetDocker().GetName()]
	if !ok {
		return got, store.ErrNotFound
	}
	return got, nil
}

func (s *shelf) Prune(keep []*mesos.Image, inUse map[string]bool) error {
	for _, i := range keep {
		s.kept = append(s.kept, i.GetDocker().GetName())
	}
	s.inUse = inUse
	return nil
}

func named(name string) *mesos.Image {
	return &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: &name}, Cached: new(true)}
}

func dirWith(t testing.TB, file string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func newShelf(t testing.TB) *shelf {
	return &shelf{images: map[string]store.Image{
		"one": {Layers: []string{dirWith(t, "a")}, Files: []string{"/config/one"}, Defaults: store.Defaults{WorkingDir: "/work"}},
		"two": {Layers: []string{dirWith(t, "a"), dirWith(t, "b")}},
	}}
}

func newProvisioner(t testing.TB, dir string, s store.Store) *Provisioner {
	t.Helper()
	p, err := New(Config{Dir: dir, Backend: backend.Copy, Stores: map[mesos.Image_Type]store.Store{mesos.Image_DOCKER: s}, Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// isThere says whether a path exists.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestProvision(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "provisioner")
	p := newProvisioner(t, dir, newShelf(t))
	one, err := p.Provision(t.Context(), "c", named("one"), true)
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.Provision(t.Context(), "c", named("two"), false)
	if err != nil {
		t.Fatal(err)
	}
	nested, err := p.Provision(t.Context(), "c.n", named("two"), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{filepath.Join(one.Path, "a"), filepath.Join(two.Path, "b"), filepath.Join(nested.Path, "a")} {
		if !isThere(f) {
			t.Errorf("%s is not there", f)
		}
	}
	if want := filepath.Join(dir, "containers/c/containers/n/backends/copy/rootfses", filepath.Base(nested.Path)); nested.Path != want {
		t.Errorf("at %s, want %s", nested.Path, want)
	}
	if r := p.Recalled("c"); r == nil || r.Path != one.Path || r.Defaults.WorkingDir != "/work" {
		t.Errorf("recalled %+v", r)
	}
	if err := p.Destroy("c.n"); err != nil || isThere(nested.Path) || !isThere(one.Path) {
		t.Errorf("the nested one was destroyed: %v", err)
	}
	if err := p.Destroy("c"); err != nil || isThere(filepath.Join(dir, "containers/c")) {
		t.Errorf("not destroyed: %v", err)
	}
	for _, id := range []containerizer.ID{"c", "never", "never.n"} {
		if err := p.Destroy(id); err != nil {
			t.Error(err)
		}
	}
}

func TestDestroyLeavesNoParents(t *testing.T) {
	dir := t.TempDir()
	p := newProvisioner(t, dir, newShelf(t))
	for _, id := range []containerizer.ID{"c.n", "c.m"} {
		if _, err := p.Provision(t.Context(), id, named("one"), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Destroy("c.n"); err != nil || !isThere(filepath.Join(dir, "containers/c/containers/m")) {
		t.Errorf("the other nested one is gone: %v", err)
	}
	if err := p.Destroy("c.m"); err != nil || isThere(filepath.Join(dir, "containers/c")) {
		t.Errorf("a directory of a container without an image is left: %v", err)
	}
}

func TestProvisionRefuses(t *testing.T) {
	p := newProvisioner(t, t.TempDir(), newShelf(t))
	appc := &mesos.Image{Type: mesos.Image_APPC.Enum(), Appc: &mesos.Image_Appc{Name: new("x")}}
	for want, image := range map[error]*mesos.Image{ErrType: appc, store.ErrNotFound: named("nothing")} {
		if _, err := p.Provision(t.Context(), "c", image, true); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err := p.Destroy("c"); err != nil {
		t.Error(err)
	}
}

func TestRecover(t *testing.T) {
	dir, s := t.TempDir(), newShelf(t)
	p := newProvisioner(t, dir, s)
	made := map[containerizer.ID]*Rootfs{}
	for _, id := range []containerizer.ID{"known", "known.n", "known.gone", "gone", "gone.n", "parent.n"} {
		r, err := p.Provision(t.Context(), id, named("one"), true)
		if err != nil {
			t.Fatal(err)
		}
		made[id] = r
	}
	again := newProvisioner(t, dir, s)
	known := map[containerizer.ID]bool{"known": true, "known.n": true, "parent": true, "parent.n": true}
	if err := again.Recover(known); err != nil {
		t.Fatal(err)
	}
	for id, r := range made {
		if isThere(r.Path) != known[id] {
			t.Errorf("%s is there: %v", id, isThere(r.Path))
		}
		if recalled := again.Recalled(id); (recalled != nil) != known[id] || recalled != nil && recalled.Path != r.Path {
			t.Errorf("%s: recalled %+v", id, recalled)
		}
	}
	if again.Recalled("parent") != nil {
		t.Error("a container without an image has a root file system")
	}
}

func TestRecoverWithBrokenRecord(t *testing.T) {
	dir, s := t.TempDir(), newShelf(t)
	p := newProvisioner(t, dir, s)
	if _, err := p.Provision(t.Context(), "c", named("one"), true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "containers/c", layersFile), []byte(`{"images"`), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newProvisioner(t, dir, s)
	if err := again.Recover(map[containerizer.ID]bool{"c": true}); err != nil {
		t.Errorf("the agent can't start: %v", err)
	}
	if err := again.Destroy("c"); err != nil || isThere(filepath.Join(dir, "containers/c")) {
		t.Errorf("not destroyed: %v", err)
	}
}

func TestPrune(t *testing.T) {
	s := newShelf(t)
	p := newProvisioner(t, t.TempDir(), s)
	if _, err := p.Provision(t.Context(), "c", named("one"), true); err != nil {
		t.Fatal(err)
	}
	if err := p.Prune(t.Context(), []*mesos.Image{named("two"), {Type: mesos.Image_APPC.Enum()}}); err != nil {
		t.Fatal(err)
	}
	if len(s.kept) != 1 || s.kept[0] != "two" {
		t.Errorf("kept %v", s.kept)
	}
	if !s.inUse["/config/one"] || !s.inUse[s.images["one"].Layers[0]] || len(s.inUse) != 2 {
		t.Errorf("in use: %v", s.inUse)
	}
	if err := p.Destroy("c"); err != nil {
		t.Fatal(err)
	}
	if err := p.Prune(t.Context(), nil); err != nil || len(s.inUse) > 0 {
		t.Errorf("in use after the end: %v, %v", s.inUse, err)
	}
}

// TestPruneWaits for what is being provisioned, and provisioning for it.
func TestPruneWaits(t *testing.T) {
	dir := t.TempDir()
	s := newShelf(t)
	synctest.Test(t, func(t *testing.T) {
		s.block = make(chan struct{})
		p := newProvisioner(t, dir, s)
		provisioned, pruned := make(chan error, 1), make(chan error, 1)
		go func() { _, err := p.Provision(t.Context(), "c", named("one"), true); provisioned <- err }()
		synctest.Wait()
		go func() { pruned <- p.Prune(t.Context(), nil) }()
		synctest.Wait()
		if s.inUse != nil {
			t.Error("pruned while an image is being provisioned")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Prune(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a prune that may not take long: %v", err)
		}
		close(s.block)
		if err := errors.Join(<-provisioned, <-pruned); err != nil {
			t.Error(err)
		}
		if len(s.inUse) != 2 {
			t.Errorf("in use: %v", s.inUse)
		}
	})
}

func TestCollection(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		for headroom, want := range map[float64]int{0: 0, 1: 3} {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			c := Collection{Dir: dir, Headroom: headroom, Interval: time.Hour, Exclude: []*mesos.Image{named("one")}}
			go c.Run(ctx, logr.Discard(), func(_ context.Context, keep []*mesos.Image) error {
				if n++; len(keep) != 1 {
					t.Errorf("keeps %v", keep)
				}
				return nil
			})
			time.Sleep(3*time.Hour + time.Minute)
			cancel()
			synctest.Wait()
			if n != want {
				t.Errorf("headroom %v: pruned %d times, want %d", headroom, n, want)
			}
		}
	})
	for _, c := range []Collection{{Headroom: 2, Interval: 1}, {Headroom: -1, Interval: 1}, {Headroom: 0.5}} {
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func FuzzRecord(f *testing.F) {
	data, _ := json.Marshal(record{Images: []use{{Rootfs: "a", Backend: "copy", Own: true, Layers: []string{"/x"}}}})
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		p := newProvisioner(t, dir, &shelf{})
		if err := os.MkdirAll(p.dir("c"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.dir("c"), layersFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Recover(map[containerizer.ID]bool{"c": true}); err != nil {
			t.Fatal(err)
		}
		p.Recalled("c")
		if err := p.Prune(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	})
}
