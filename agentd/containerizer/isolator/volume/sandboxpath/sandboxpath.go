// Package sandboxpath is the isolator "volume/sandbox_path": a directory of the
// sandbox appears elsewhere in the container, or one of the parent's sandbox in a
// nested container, which is how the tasks of a group share files.
//
// With a runtime that mounts, it is mounted. Without, names in the sandbox are
// links, and others are refused.
package sandboxpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/volumegid"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "volume/sandbox_path"

// Config says how volumes are made.
type Config struct {
	// Mounts says that the runtime mounts.
	Mounts bool
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// WorkDir is the agent's work directory.
	WorkDir string
	// Groups gives directories of a parent's sandbox groups of their own, so that users
	// who don't own them can share them; nil: they can't.
	Groups *volumegid.Manager
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config

	mu sync.Mutex
	// sandboxes are those of all containers, which may become parents.
	sandboxes map[containerizer.ID]string
	// volumes are the paths of the persistent volumes of outermost containers. A
	// link that leads to one is followed in all containers within; what else
	// links lead to is somebody else's.
	volumes map[containerizer.ID]map[string]bool
}

// New returns the isolator.
func New(cfg Config) *Isolator {
	return &Isolator{cfg: cfg, sandboxes: map[containerizer.ID]string{}, volumes: map[containerizer.ID]map[string]bool{}}
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Attach implements isolator.Isolator.
func (i *Isolator) Attach(c *isolator.Container, _ bool) error {
	i.mu.Lock()
	i.sandboxes[c.ID] = c.Config.Sandbox
	i.mu.Unlock()
	i.hold(c, c.Config.Resources)
	return nil
}

// Update implements isolator.Isolator.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, _ *specs.LinuxResources) error {
	i.hold(c, d.Resources)
	return nil
}

// hold remembers the persistent volumes of an outermost container.
func (i *Isolator) hold(c *isolator.Container, rs []*mesos.Resource) {
	if c.ID.Parent() != "" {
		return
	}
	held := map[string]bool{}
	for _, r := range rs {
		if r.GetDisk().GetPersistence() == nil {
			continue
		}
		if path, err := paths.PersistentVolume(i.cfg.WorkDir, r); err == nil {
			held[path] = true
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.volumes[c.ID] = held
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.sandboxes, c.ID)
	delete(i.volumes, c.ID)
	return nil
}

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	for _, v := range c.Config.Container.GetVolumes() {
		if volume.KindOf(v) != volume.SandboxPath {
			continue
		}
		if c.Config.Class == containerizer.ClassDebug {
			return errors.New("a debug container has the volumes of its parent")
		}
		source, err := i.source(c, v)
		if err != nil {
			return fmt.Errorf("volume %s: %w", v.GetContainerPath(), err)
		}
		if err := i.place(c, v, source, spec); err != nil {
			return fmt.Errorf("volume %s: %w", v.GetContainerPath(), err)
		}
		if err := i.join(v, source, spec); err != nil {
			return fmt.Errorf("volume %s: %w", v.GetContainerPath(), err)
		}
	}
	return nil
}

// join makes the container's user one of those who share a directory of the parent. A
// link is of no use to who may not enter the parent's sandbox.
func (i *Isolator) join(v *mesos.Volume, source string, spec *specs.Spec) error {
	if i.cfg.Groups == nil || !i.cfg.Mounts || spec.Process == nil || spec.Process.User.UID == 0 ||
		v.GetSource().GetSandboxPath().GetType() != mesos.Volume_Source_SandboxPath_PARENT {
		return nil
	}
	info, err := os.Stat(filepath.Join(i.cfg.Root, source))
	if err != nil {
		return err
	}
	if info.Sys().(*syscall.Stat_t).Uid == spec.Process.User.UID {
		return nil
	}
	gid, err := i.cfg.Groups.Give(source, volumegid.Sandbox)
	if err != nil {
		return err
	}
	spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, gid)
	return nil
}

// source finds or makes the directory that is to appear.
func (i *Isolator) source(c *isolator.Container, v *mesos.Volume) (string, error) {
	path, base := v.GetHostPath(), c.Config.Sandbox
	if s := v.GetSource().GetSandboxPath(); s != nil {
		path = s.GetPath()
		switch s.GetType() {
		case mesos.Volume_Source_SandboxPath_SELF:
		case mesos.Volume_Source_SandboxPath_PARENT:
			var err error
			if base, err = i.parent(c); err != nil {
				return "", err
			}
		default:
			return "", errors.New("a sandbox path is of type SELF or PARENT")
		}
	}
	if base == c.Config.Sandbox && !filepath.IsAbs(v.GetContainerPath()) {
		return "", errors.New("container_path is in the sandbox, as is what it is to show")
	}
	path = filepath.Clean(path)
	if !filepath.IsLocal(path) {
		return "", fmt.Errorf("path %s is not below the sandbox", path)
	}
	return i.find(c.ID, base, path)
}

func (i *Isolator) parent(c *isolator.Container) (string, error) {
	if c.ID.Parent() == "" {
		return "", errors.New("only a nested container has a parent's sandbox")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if s := i.sandboxes[c.ID.Parent()]; s != "" {
		return s, nil
	}
	return "", errors.New("the parent's sandbox is unknown")
}

// find resolves a path in a sandbox without leaving it, but for the container's
// persistent volumes, and makes a directory of the sandbox's owner if there is nothing.
func (i *Isolator) find(id containerizer.ID, base, path string) (string, error) {
	sandbox, err := os.OpenRoot(base)
	if err != nil {
		return "", fmt.Errorf("opening the sandbox: %w", err)
	}
	defer sandbox.Close()
	if target, err := sandbox.Readlink(path); err == nil && i.holds(id, target) {
		return target, nil
	}
	if _, err := sandbox.Stat(path); err == nil {
		return filepath.Join(base, path), nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("looking for %s in the sandbox: %w", path, err)
	}
	if err := sandbox.MkdirAll(path, 0o755); err != nil {
		return "", fmt.Errorf("making %s in the sandbox: %w", path, err)
	}
	info, err := sandbox.Stat(".")
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := sandbox.Lchown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return "", fmt.Errorf("giving %s to the sandbox's owner: %w", path, err)
	}
	return filepath.Join(base, path), nil
}

// holds says whether a path is a persistent volume of the container.
func (i *Isolator) holds(id containerizer.ID, path string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.volumes[id.Root()][path]
}

// place makes it appear.
func (i *Isolator) place(c *isolator.Container, v *mesos.Volume, source string, spec *specs.Spec) error {
	if !i.cfg.Mounts {
		return link(c, v, source)
	}
	info, err := os.Stat(filepath.Join(i.cfg.Root, source))
	if err != nil {
		return err
	}
	destination, err := volume.MountPoint(c, i.cfg.Root, v.GetContainerPath(), info.IsDir())
	if err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, volume.Bind(v, source, destination))
	return nil
}

func link(c *isolator.Container, v *mesos.Volume, source string) error {
	path := filepath.Clean(v.GetContainerPath())
	if filepath.IsAbs(path) {
		return fmt.Errorf("%w: an absolute container_path without the isolator filesystem/linux", containerizer.ErrUnsupported)
	}
	sandbox, err := os.OpenRoot(c.Config.Sandbox)
	if err != nil {
		return fmt.Errorf("opening the sandbox: %w", err)
	}
	defer sandbox.Close()
	if err := sandbox.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return sandbox.Symlink(source, path)
}
