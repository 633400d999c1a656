package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/backend"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner/store"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrType says that the agent has no store for images of a kind (--image_providers).
var ErrType = errors.New("unsupported container image type")

// Config says how to provision.
type Config struct {
	// Dir is the provisioner's directory, <work_dir>/provisioner.
	Dir string
	// Backend is the name of a backend (--image_provisioner_backend); empty for the best
	// that works.
	Backend string
	// Stores have the images (--image_providers).
	Stores map[mesos.Image_Type]store.Store
	// Log hears of what is chosen and removed.
	Log logr.Logger
}

// Rootfs is a root file system for one container.
type Rootfs struct {
	// Path is where it is once the Mounts are made.
	Path string
	// Mounts are for the container's launch stage to make.
	Mounts []launch.Mount
	// ReadOnly says that nothing can be made in it.
	ReadOnly bool
	// Changes are the directories that keep what the container changes in it; none if
	// the backend keeps that nowhere else.
	Changes []string
	// Layers are what it is made of, the base first.
	Layers []string
	// Defaults are what its image says about how to run it.
	Defaults store.Defaults
}

// capacity is how many may provision at once, which is as good as all.
const capacity = 1 << 30

// Provisioner makes root file systems. Its methods may be called from any goroutine.
type Provisioner struct {
	cfg     Config
	backend backend.Backend
	// gate has many provision, or one prune.
	gate *semaphore.Weighted

	mu sync.Mutex
	// known are the records of containers that have root file systems.
	known map[containerizer.ID]*record
}

// New makes a provisioner.
func New(cfg Config) (*Provisioner, error) {
	if !filepath.IsAbs(cfg.Dir) {
		return nil, fmt.Errorf("provisioner directory %q: want an absolute path", cfg.Dir)
	}
	// Programs in images may have set-user-ID bits: other users must not reach them.
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the provisioner's directory: %w", err)
	}
	chosen, err := backend.Choose(cfg.Backend, cfg.Dir, func(name string, reason error) {
		cfg.Log.Info("An image provisioner backend doesn't work here", "backend", name, "reason", reason.Error())
	})
	if err != nil {
		return nil, err
	}
	cfg.Log.Info("Images are provisioned", "backend", chosen.Name())
	return &Provisioner{
		cfg: cfg, backend: chosen, gate: semaphore.NewWeighted(capacity), known: map[containerizer.ID]*record{},
	}, nil
}

// Backend is the name of the backend for new containers.
func (p *Provisioner) Backend() string { return p.backend.Name() }

// Provision makes a root file system of an image. own says that it is the container's, and
// not that of a volume. Whatever the result, Destroy has to follow.
func (p *Provisioner) Provision(ctx context.Context, id containerizer.ID, image *mesos.Image, own bool) (*Rootfs, error) {
	from := p.cfg.Stores[image.GetType()]
	if from == nil {
		return nil, fmt.Errorf("%w: %s", ErrType, image.GetType())
	}
	if err := p.gate.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer p.gate.Release(1)
	got, err := from.Get(ctx, image, p.backend.Form())
	if err != nil {
		return nil, err
	}
	use := use{
		Rootfs: uuid.NewString(), Backend: p.backend.Name(), Own: own, Layers: got.Layers, Files: got.Files, Defaults: got.Defaults,
	}
	if err := p.keep(id, use); err != nil {
		return nil, err
	}
	dir := filepath.Join(p.dir(id), "backends", use.Backend)
	path := filepath.Join(dir, "rootfses", use.Rootfs)
	mounts, err := p.backend.Provision(ctx, got.Layers, path, dir)
	if err != nil {
		return nil, fmt.Errorf("provisioning with the backend %s: %w", use.Backend, err)
	}
	return &Rootfs{
		Path: path, Mounts: mounts, ReadOnly: p.backend.ReadOnly(), Changes: p.backend.Changes(path, dir),
		Layers: got.Layers, Defaults: got.Defaults,
	}, nil
}

// Changes are patterns of the directories in [Rootfs].Changes, of all containers that are
// not nested.
func Changes(workDir string) []string {
	var out []string
	for _, name := range []string{backend.Overlay, backend.Bind, backend.Copy} {
		dir := filepath.Join(workDir, "provisioner", containersDir, "*", "backends", name)
		if b, err := backend.New(name); err == nil {
			out = append(out, b.Changes(filepath.Join(dir, "rootfses", "*"), dir)...)
		}
	}
	return out
}

// Recalled returns the root file system of a container's own image, as far as it matters
// when the container runs; nil for none.
func (p *Provisioner) Recalled(id containerizer.ID) *Rootfs {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.known[id]
	if r == nil {
		return nil
	}
	for _, u := range r.Images {
		if !u.Own {
			continue
		}
		dir := filepath.Join(p.dir(id), "backends", u.Backend)
		out := &Rootfs{Path: filepath.Join(dir, "rootfses", u.Rootfs), Layers: u.Layers, Defaults: u.Defaults}
		if b, err := backend.New(u.Backend); err == nil {
			out.Changes = b.Changes(out.Path, dir)
		}
		return out
	}
	return nil
}

// Destroy removes the root file systems of a container that has ended, and of all that
// was nested in it. One that has none is no error.
func (p *Provisioner) Destroy(id containerizer.ID) error {
	dir := p.dir(id)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		p.forget(id)
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the container's root file systems: %w", err)
	}
	p.forget(id)
	// Parents without an image have directories for their children only.
	for parent := id.Parent(); parent != ""; parent = parent.Parent() {
		if os.Remove(filepath.Join(p.dir(parent), containersDir)) != nil || os.Remove(p.dir(parent)) != nil {
			break // it has others, or an image
		}
	}
	return nil
}

func (p *Provisioner) forget(id containerizer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other := range p.known {
		if other == id || other.Within(id) {
			delete(p.known, other)
		}
	}
}

// Prune removes from the stores what neither a container uses nor is to be kept. It waits
// until nothing is being provisioned.
func (p *Provisioner) Prune(ctx context.Context, keep []*mesos.Image) error {
	if err := p.gate.Acquire(ctx, capacity); err != nil {
		return fmt.Errorf("waiting until no image is being provisioned: %w", err)
	}
	defer p.gate.Release(capacity)
	inUse := map[string]bool{}
	p.mu.Lock()
	for _, r := range p.known {
		for _, u := range r.Images {
			for _, path := range append(u.Layers[:len(u.Layers):len(u.Layers)], u.Files...) {
				inUse[path] = true
			}
		}
	}
	p.mu.Unlock()
	var errs []error
	for kind, s := range p.cfg.Stores {
		var kept []*mesos.Image
		for _, image := range keep {
			if image.GetType() == kind {
				kept = append(kept, image)
			}
		}
		if err := s.Prune(kept, inUse); err != nil {
			errs = append(errs, fmt.Errorf("pruning %s images: %w", kind, err))
		}
	}
	return errors.Join(errs...)
}
