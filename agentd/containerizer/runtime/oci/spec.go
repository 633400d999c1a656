package oci

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
)

// complete adds what a runtime wants to know and a fork doesn't. The container's
// own specification is left as it is.
func complete(c *runtime.Container) *specs.Spec {
	spec, process, linux := *c.Spec, *c.Spec.Process, *c.Spec.Linux
	spec.Process, spec.Linux = &process, &linux

	if c.Executable != "" {
		process.Args = append([]string{c.Executable}, process.Args[1:]...)
	}
	if !slices.ContainsFunc(process.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		process.Env = append(slices.Clone(process.Env), "PATH="+strings.Join(searchPath, ":"))
	}
	if process.Capabilities == nil {
		process.Capabilities = capabilities(process.User.UID)
	}

	if c.Group != nil {
		linux.CgroupsPath = filepath.Join(c.Group.Path(), Group)
	}
	// Of limits only those on devices: the others are those of the group above.
	linux.Resources = &specs.LinuxResources{Devices: devices(c)}
	linux.Namespaces = append(slices.Clone(linux.Namespaces), specs.LinuxNamespace{Type: specs.MountNamespace})
	if linux.RootfsPropagation == "" {
		linux.RootfsPropagation = "rslave"
	}

	if spec.Root == nil {
		// A runtime that finds no bind mount there makes devices and links in
		// /dev: in that of the node.
		spec.Mounts = append([]specs.Mount{{
			Destination: "/dev", Type: "bind", Source: "/dev", Options: []string{"rbind", "rslave"},
		}}, spec.Mounts...)
	}
	return &spec
}

// devices are all, as for any process of the node, unless somebody says otherwise: on
// cgroup v1, where a group can't be given more than the one above it has, the same as
// that one. On v2 the filter of the group above holds for this one too, also when it
// changes.
func devices(c *runtime.Container) []specs.LinuxDeviceCgroup {
	r := c.Spec.Linux.Resources
	if r != nil && r.Devices != nil && (c.Group == nil || c.Group.Tree().Version() == cgroups.V1) {
		return r.Devices
	}
	return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
}

// names are the capabilities up to Linux 5.9, in the order of their numbers.
// Newer kernels have had no others since.
var names = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// capabilities are what a process of that user has when nobody takes any away.
func capabilities(uid uint32) *specs.LinuxCapabilities {
	all := Granted()
	if uid != 0 {
		return &specs.LinuxCapabilities{Bounding: all}
	}
	return &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
}

func granted(mask uint64) []string {
	var out []string
	for number, name := range names {
		if mask&(1<<number) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// Granted are the capabilities that a container of root has unless an isolator
// takes some away.
func Granted() []string { return granted(bounding()) }

// bounding is the most that the agent can give: it may run confined itself.
func bounding() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			mask, _ := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return mask
		}
	}
	return 0
}
