// Package filesystem is the isolators "filesystem/posix" and
// "filesystem/linux": a container finds the persistent volumes of its resources
// under the names that they ask for in its sandbox.
//
// A name in the sandbox is a symbolic link to the volume, also with
// filesystem/linux, where Mesos mounts: a link appears in a container that runs
// already, and in all that is nested in it, and leaves nothing behind on the
// node. What only a mount can do is done by one: filesystem/linux enforces
// read-only volumes, and takes absolute names. filesystem/posix does neither,
// as in Mesos.
//
// What a container gets later, with another task, is mounted in its mount namespace then.
//
// A container with an image gets from filesystem/linux what belongs to any root file system, and
// its sandbox. Its volumes are bound at the paths that they have on the node, to which the links
// then lead as well.
package filesystem

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/volumegid"

	mounts "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
)

// The names of the isolators.
const (
	Posix = "filesystem/posix"
	Linux = "filesystem/linux"
)

// Config says where files are.
type Config struct {
	// WorkDir is the agent's work directory.
	WorkDir string
	// Root is a prefix by which the agent reaches the files of the containers'
	// mount namespace; empty if that is its own.
	Root string
	// Groups gives volumes groups of their own, so that containers of several users can
	// share them; nil: who has a volume owns it.
	Groups *volumegid.Manager
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	name string
	cfg  Config

	mu sync.Mutex
	// held are the volumes of each container, by their path.
	held map[containerizer.ID]map[string]volume
}

// New returns the isolator of a name.
func New(name string, cfg Config) *Isolator {
	return &Isolator{name: name, cfg: cfg, held: map[containerizer.ID]map[string]volume{}}
}

// Name implements isolator.Isolator.
func (i *Isolator) Name() string { return i.name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, spec *specs.Spec) error {
	volumes, err := volumesOf(i.cfg.WorkDir, c, d.Resources)
	if err != nil {
		return err
	}
	if err := i.change(c, volumes); err != nil {
		return err
	}
	if err := i.join(volumes, spec); err != nil {
		return err
	}
	if i.name == Posix {
		return nil
	}
	if c.Rootfs != nil {
		if err := i.furnish(c, spec); err != nil {
			return err
		}
	}
	for _, v := range volumes {
		m, ok := v.mount()
		if !ok && c.Rootfs == nil {
			continue
		}
		if err := i.mountPoint(c, m.Destination); err != nil {
			return err
		}
		spec.Mounts = append(spec.Mounts, m)
	}
	return nil
}

// mountPoint refuses absolute names of which there is nothing on the node: they
// would have to be made there.
func (i *Isolator) mountPoint(c *isolator.Container, path string) error {
	if c.Rootfs != nil {
		return mounts.InImage(c, path)
	}
	if _, err := os.Stat(filepath.Join(i.cfg.Root, path)); err != nil {
		return fmt.Errorf("a volume's container_path that is absolute has to exist on the node: %w", err)
	}
	return nil
}

// Attach implements isolator.Isolator. After a restart the links are there: a
// volume that can't be told any more has its link all the same.
func (i *Isolator) Attach(c *isolator.Container, again bool) error {
	if !again {
		return nil
	}
	volumes, err := volumesOf(i.cfg.WorkDir, c, c.Config.Resources)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held[c.ID] = volumes
	return nil
}

// Update implements isolator.Isolator.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, _ *specs.LinuxResources) error {
	volumes, err := volumesOf(i.cfg.WorkDir, c, d.Resources)
	if err != nil {
		return err
	}
	return i.change(c, volumes)
}

// change links what is new and unlinks what is not needed any more.
func (i *Isolator) change(c *isolator.Container, want map[string]volume) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	have := i.held[c.ID]
	if len(have) == 0 && len(want) == 0 {
		return nil
	}
	sandbox, err := os.OpenRoot(c.Config.Sandbox)
	if err != nil {
		return fmt.Errorf("opening the sandbox: %w", err)
	}
	defer sandbox.Close()
	for path, v := range have {
		if _, ok := want[path]; !ok {
			if err := errors.Join(i.takeAway(c, v), v.unlink(sandbox)); err != nil {
				return err
			}
		}
	}
	for path, v := range want {
		if _, ok := have[path]; ok {
			continue
		}
		if err := i.give(c.ID, sandbox, v); err != nil {
			return err
		}
		if err := i.bring(c, v); err != nil {
			return err
		}
		if err := v.link(sandbox); err != nil {
			return err
		}
	}
	i.held[c.ID] = want
	return nil
}

// join makes the container's user one of those who share its volumes.
func (i *Isolator) join(volumes map[string]volume, spec *specs.Spec) error {
	if i.cfg.Groups == nil || spec.Process == nil || spec.Process.User.UID == 0 {
		return nil
	}
	for path, v := range volumes {
		if v.provided {
			continue
		}
		gid, err := i.cfg.Groups.Give(path, volumegid.Persistent)
		if err != nil {
			return err
		}
		spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, gid)
	}
	return nil
}

// give makes the sandbox's owner that of the volume, unless another container
// uses it too.
func (i *Isolator) give(id containerizer.ID, sandbox *os.Root, v volume) error {
	info, err := sandbox.Stat(".")
	if err != nil {
		return fmt.Errorf("looking at the sandbox: %w", err)
	}
	if uid(info) == 0 || v.shared && i.shares(id, v) {
		return nil
	}
	if i.cfg.Groups != nil && !v.provided {
		_, err := i.cfg.Groups.Give(v.path, volumegid.Persistent)
		return err
	}
	if err := os.Chown(filepath.Join(i.cfg.Root, v.path), uid(info), gid(info)); err != nil {
		return fmt.Errorf("giving persistent volume %s to the container's user: %w", v.path, err)
	}
	return nil
}

func (i *Isolator) shares(id containerizer.ID, v volume) bool {
	for other, volumes := range i.held {
		if _, ok := volumes[v.path]; ok && other != id {
			return true
		}
	}
	return false
}

// Cleanup implements isolator.Isolator. Links go with the sandbox.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.held, c.ID)
	return nil
}
