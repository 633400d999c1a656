// Package disk is what the isolators "disk/du" and "disk/xfs" have in common: which
// directories a container's disk pays for, and the books of them. Nobody else uses it.
package disk

import (
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Place is a directory that disk pays for: the sandbox, or a persistent volume.
type Place struct {
	// Quota is in bytes.
	Quota uint64
	// Resources pay for it; none for the sandbox of a container without disk.
	Resources []*mesos.Resource
	// Info is what is known of a volume; nil for the sandbox.
	Info *mesos.Resource_DiskInfo
	// Changes are directories whose contents count like those of the sandbox: what the
	// container changed in the root file system of its image.
	Changes []string
}

// Alone says that the place is a disk of its own (type MOUNT), which bounds itself.
func (p Place) Alone() bool {
	return p.Info.GetSource().GetType() == mesos.Resource_DiskInfo_Source_MOUNT
}

// Places are what resources pay for, by directory. The sandbox is always one.
func Places(workDir string, c *isolator.Container, rs []*mesos.Resource) (map[string]Place, error) {
	own := Place{}
	if c.Rootfs != nil {
		own.Changes = c.Rootfs.Changes
	}
	out := map[string]Place{c.Config.Sandbox: own}
	for _, r := range rs {
		if r.GetName() != "disk" {
			continue
		}
		dir, info := c.Config.Sandbox, (*mesos.Resource_DiskInfo)(nil)
		if r.GetDisk().GetPersistence() != nil {
			var err error
			if dir, err = paths.PersistentVolume(workDir, r); err != nil {
				return nil, err
			}
			info = r.GetDisk()
		}
		p := out[dir]
		p.Quota += isolator.Bytes(r.GetScalar().GetValue())
		p.Resources, p.Info = append(p.Resources, r), info
		out[dir] = p
	}
	return out, nil
}

// Books hold what an isolator knows of the places of each container, as T. They are the
// part of isolator.Isolator by which that changes. Nested containers are in no books: their
// sandboxes are in that of the outermost, whose quota they share.
type Books[T any] struct {
	isolator.Nop
	// open makes the entry of a container, whenever its resources are told.
	open func(c *isolator.Container, rs []*mesos.Resource) (T, error)

	mu sync.Mutex
	of map[containerizer.ID]T
}

// NewBooks returns books without an entry.
func NewBooks[T any](open func(*isolator.Container, []*mesos.Resource) (T, error)) *Books[T] {
	return &Books[T]{open: open, of: map[containerizer.ID]T{}}
}

// Prepare implements isolator.Isolator.
func (b *Books[T]) Prepare(c *isolator.Container, d isolator.Demand, _ *specs.Spec) error {
	return b.set(c, d.Resources)
}

// Attach implements isolator.Isolator. A container from before the isolator was chosen gets
// its entry now.
func (b *Books[T]) Attach(c *isolator.Container, again bool) error {
	if !again {
		return nil
	}
	return b.set(c, c.Config.Resources)
}

// Update implements isolator.Isolator.
func (b *Books[T]) Update(c *isolator.Container, d isolator.Demand, _ *specs.LinuxResources) error {
	return b.set(c, d.Resources)
}

// Cleanup implements isolator.Isolator.
func (b *Books[T]) Cleanup(c *isolator.Container) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, c.ID)
	return nil
}

// Of is the entry of a container, which must not be changed; zero if it has none.
func (b *Books[T]) Of(id containerizer.ID) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[id]
}

func (b *Books[T]) set(c *isolator.Container, rs []*mesos.Resource) error {
	if c.ID.Parent() != "" {
		return nil
	}
	entry, err := b.open(c, rs)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of[c.ID] = entry
	return nil
}
