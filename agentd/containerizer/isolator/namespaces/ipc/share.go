package ipc

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// sharesShm says whether a nested container asks for its parent's /dev/shm. A debug container
// has it anyway, being in its parent's mount namespace.
func sharesShm(c *isolator.Container) bool {
	return c.Parent != nil && c.Config.Class != containerizer.ClassDebug &&
		c.Config.Container.GetLinuxInfo().GetIpcMode() == mesos.LinuxInfo_SHARE_PARENT
}

// ownShm says whether a container's /dev/shm, or that of the one it shares it with, is
// another than the node's.
func ownShm(c *isolator.Container) bool {
	switch c.Config.Container.GetLinuxInfo().GetIpcMode() {
	case mesos.LinuxInfo_PRIVATE:
		return true
	case mesos.LinuxInfo_SHARE_PARENT:
		return c.Parent != nil && ownShm(c.Parent)
	default:
		return c.Rootfs != nil
	}
}

// StageMounts implements isolator.Stager. The parent's /dev/shm is in the parent's mount
// namespace alone, from where it is put in the place of the node's.
func (i *Isolator) StageMounts(c *isolator.Container) []launch.Mount {
	if !sharesShm(c) || !ownShm(c.Parent) {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	p := i.containers[c.ID.Parent()]
	if p == nil || p.PID == 0 {
		return nil // Prepare has refused it
	}
	return []launch.Mount{{Namespace: fmt.Sprintf("/proc/%d/ns/mnt", p.PID), Source: "/dev/shm", Target: "/dev/shm"}}
}
