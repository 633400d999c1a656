// Package ipc is the isolator "namespaces/ipc": a container has message queues,
// semaphores and shared memory of its own, or those of its parent.
//
// As in Mesos, an outermost container that says nothing has a namespace of its own, and a
// nested one that of its parent; their /dev/shm is that of their root file system: the
// node's, or an empty one with an image. PRIVATE is a namespace and a /dev/shm of a size,
// SHARE_PARENT both of the parent, or of the node for an outermost container.
package ipc

import (
	"errors"
	"fmt"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "namespaces/ipc"

// Config are the agent's flags.
type Config struct {
	// ShmSize is the size in bytes of a /dev/shm for which nothing else is asked
	// (--default_container_shm_size); 0 for the kernel's default, half the memory.
	ShmSize uint64
	// ForbidSharing refuses outermost containers that ask for the node's namespace
	// (--disallow_sharing_agent_ipc_namespace).
	ForbidSharing bool
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config

	mu sync.Mutex
	// containers may become parents. Their PID is set once they run.
	containers map[containerizer.ID]*isolator.Container
}

// New returns the isolator.
func New(cfg Config) *Isolator {
	return &Isolator{cfg: cfg, containers: map[containerizer.ID]*isolator.Container{}}
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	info := c.Config.Container.GetLinuxInfo()
	mode := info.GetIpcMode()
	if info != nil && info.IpcMode != nil && mode == mesos.LinuxInfo_UNKNOWN {
		return errors.New("unknown ipc_mode")
	}
	if info != nil && info.ShmSize != nil && mode != mesos.LinuxInfo_PRIVATE {
		return errors.New("shm_size is for containers whose ipc_mode is PRIVATE")
	}
	nested := c.ID.Parent() != ""
	switch {
	case mode == mesos.LinuxInfo_PRIVATE && c.Config.Class == containerizer.ClassDebug:
		return errors.New("a debug container shares its parent's IPC namespace")
	case mode == mesos.LinuxInfo_PRIVATE:
		spec.Mounts = append(spec.Mounts, i.shm(info))
		return add(spec, "")
	case nested:
		if c.Rootfs != nil && sharesShm(c) {
			spec.Mounts = append(spec.Mounts, nodesShm())
		}
		return i.join(c.ID.Parent(), spec)
	case mode == mesos.LinuxInfo_SHARE_PARENT && i.cfg.ForbidSharing:
		return errors.New("sharing the agent's IPC namespace is not allowed")
	case mode == mesos.LinuxInfo_SHARE_PARENT && c.Rootfs != nil:
		spec.Mounts = append(spec.Mounts, nodesShm())
		return nil
	case mode == mesos.LinuxInfo_SHARE_PARENT:
		return nil
	}
	return add(spec, "")
}

// nodesShm is the /dev/shm that the runtime sees, in a container with an image. It is the
// node's or, by StageMounts, the parent's.
func nodesShm() specs.Mount {
	return specs.Mount{Destination: "/dev/shm", Type: "bind", Source: "/dev/shm", Options: []string{"rbind", "rslave"}}
}

func (i *Isolator) shm(info *mesos.LinuxInfo) specs.Mount {
	m := specs.Mount{
		Destination: "/dev/shm", Type: "tmpfs", Source: "tmpfs",
		Options: []string{"nosuid", "nodev", "strictatime", "mode=1777"},
	}
	size := i.cfg.ShmSize
	if info.ShmSize != nil {
		size = uint64(info.GetShmSize()) * isolator.Megabyte
	}
	if size > 0 {
		m.Options = append(m.Options, fmt.Sprintf("size=%d", size))
	}
	return m
}

// join puts a container into the namespace of its parent.
func (i *Isolator) join(parent containerizer.ID, spec *specs.Spec) error {
	i.mu.Lock()
	p := i.containers[parent]
	i.mu.Unlock()
	if p == nil || p.PID == 0 {
		return fmt.Errorf("the parent container %s doesn't run", parent)
	}
	return add(spec, fmt.Sprintf("/proc/%d/ns/ipc", p.PID))
}

func add(spec *specs.Spec, path string) error {
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.IPCNamespace, Path: path})
	return nil
}

// Attach implements isolator.Isolator.
func (i *Isolator) Attach(c *isolator.Container, _ bool) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.containers[c.ID] = c
	return nil
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.containers, c.ID)
	return nil
}
