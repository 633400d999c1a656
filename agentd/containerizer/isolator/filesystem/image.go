package filesystem

import (
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"

	mounts "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
)

// special are the file systems that programs expect in any root, with Mesos's options.
// The runtime makes the usual devices and links in /dev.
func special() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		{Destination: "/sys/fs/cgroup", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "nodev", "mode=755"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "strictatime", "mode=1777"}},
	}
}

// What of those concerns the machine is read-only, or not there at all.
var (
	readOnlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	maskedPaths   = []string{
		"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
	}
)

// hostFiles are those of the node that go with its network.
var hostFiles = []string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

// furnish makes a directory with an image's files the root of a container.
func (i *Isolator) furnish(c *isolator.Container, spec *specs.Spec) error {
	spec.Root = &specs.Root{Path: c.Rootfs.Path, Readonly: c.Rootfs.ReadOnly}
	spec.Mounts = append(spec.Mounts, special()...)
	spec.Linux.ReadonlyPaths, spec.Linux.MaskedPaths = readOnlyPaths, maskedPaths
	if err := mounts.InImage(c, c.Inside); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: c.Inside, Source: c.Config.Sandbox, Type: "bind", Options: []string{"rbind", "rslave"},
	})
	for _, file := range hostFiles {
		if info, err := os.Stat(filepath.Join(i.cfg.Root, file)); err != nil || info.IsDir() || mounts.InImage(c, file) != nil {
			continue // not there, or nowhere to put it
		}
		spec.Mounts = append(spec.Mounts, specs.Mount{
			Destination: file, Source: file, Type: "bind", Options: []string{"bind", "ro"},
		})
	}
	return nil
}
