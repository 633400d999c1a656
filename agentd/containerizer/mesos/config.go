package mesos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/pending"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/netcls"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/perfevent"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/du"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/xfs"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/gpu"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/capabilities"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/seccomp"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/ipc"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/network/ports"
	"github.com/mesos-operator/mesos-operator/agentd/secrets"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
	posixcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/cpu"
	posixmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/mem"
)

// The launchers of Mesos.
const (
	// LauncherLinux gives each container a cgroup, whatever the isolators.
	LauncherLinux = "linux"
	// LauncherPosix finds a container's processes by their tree. It needs no
	// privilege.
	LauncherPosix = "posix"
)

// Config are the agent's flags that matter to containers.
type Config struct {
	// WorkDir is the agent's work directory, which has the same name in
	// MountNamespace (--work_dir).
	WorkDir string
	// RuntimeDir is for what should not outlive the boot of the machine
	// (--runtime_dir). In another MountNamespace it has the same name too.
	RuntimeDir string
	// Binary is the executable of stages and switchboards, as named in MountNamespace.
	Binary string
	// MountNamespace is "/proc/<pid>/ns/mnt" for containers to live in the mount
	// namespace of that process (--host_mount_namespace); empty means the agent's own.
	MountNamespace string

	// Isolation names the isolators (--isolation).
	Isolation []string
	// Launcher is LauncherLinux or LauncherPosix (--launcher).
	Launcher string
	// Runtime is posix.Name or oci.Name (--runtime).
	Runtime string
	// OCIRuntime is the executable of the OCI runtime (--oci_runtime).
	OCIRuntime string

	// CgroupsHierarchy is where cgroup file systems are mounted
	// (--cgroups_hierarchy), CgroupsRoot the path of the agent's group in them
	// (--cgroups_root). Agents must not share a root: each destroys what it
	// doesn't know there.
	CgroupsHierarchy, CgroupsRoot string
	// Weight is the cpus that the agent's group is to weigh against its neighbours,
	// such as Kubernetes's pods: those that it offers. Zero leaves it alone, as Mesos
	// does: then all containers together weigh as one cpu.
	Weight float64
	// DestroyTimeout is how long to try to empty and remove cgroups
	// (--cgroups_destroy_timeout).
	DestroyTimeout time.Duration
	// These are the flags of isolators.
	CPU          cgcpu.Config
	Mem          cgmem.Config
	NetCls       netcls.Config
	Capabilities capabilities.Config
	Seccomp      seccomp.Config
	IPC          ipc.Config
	PID          pid.Config
	Disk         du.Config
	Ports        ports.Config
	XFS          xfs.Config
	GPU          gpu.Config
	PerfEvent    perfevent.Config
	// VolumeGIDs are the groups that volumes get so that containers of several users can
	// share them (--volume_gid_range); empty for none.
	VolumeGIDs string
	// AllowedDevices are devices beyond those of every container
	// (--allowed_devices).
	AllowedDevices *mesos.DeviceWhitelist
	// Logger bounds what containers print (--container_logger).
	Logger Logger
	// Images are the flags about images.
	Images Images
	// Docker is about containers of type DOCKER (--containerizers).
	Docker Docker
	// HostPathCreate are directories below which host paths are made if they don't
	// exist (--host_path_volume_force_creation).
	HostPathCreate []string
	// Secrets finds the values of secrets in volumes; by default those that come
	// with them (--secret_resolver).
	Secrets secrets.Resolver `json:"-"`
	// ExecutorSocket is where executors with an image find the agent's domain socket.
	ExecutorSocket ExecutorSocket
	// Sandboxes is told what becomes of the sandboxes of nested and standalone
	// containers. Optional.
	Sandboxes Sandboxes `json:"-"`
	// Pending is where what a launch or an end waits for is listed. Optional.
	Pending *pending.List
}

// ExecutorSocket is a domain socket in a directory of its own, which executors with an image see
// at its own path. Empty: there is none.
type ExecutorSocket struct{ Dir, Name string }

func (s ExecutorSocket) path() string { return filepath.Join(s.Dir, s.Name) }

// Sandboxes is told of the sandboxes of containers that executors and operators launched.
// Its methods must not wait, and may be called for several containers at once.
type Sandboxes interface {
	// Ended says that the container of a sandbox has ended; recovered, that it had before the
	// agent started. outermost is the sandbox of the outermost container that it is in, or
	// that sandbox itself.
	Ended(outermost, sandbox string, recovered bool)
	// Gone says that a sandbox that had Ended was removed, or is used again.
	Gone(sandbox string)
}

// DefaultConfig has Mesos's defaults.
func DefaultConfig() Config {
	c := Config{
		RuntimeDir:       "/var/run/mesos",
		Isolation:        []string{posixcpu.Name, posixmem.Name},
		Launcher:         LauncherLinux,
		Runtime:          posix.Name,
		OCIRuntime:       "runc",
		CgroupsHierarchy: "/sys/fs/cgroup",
		CgroupsRoot:      "mesos",
		DestroyTimeout:   time.Minute,
		CPU:              cgcpu.Config{RevocableLowPriority: true},
		Disk:             du.Config{Interval: 15 * time.Second},
		XFS:              xfs.Config{Range: xfs.DefaultRange, Headroom: xfs.DefaultHeadroom, Interval: 15 * time.Second, Reclaim: time.Minute},
		Ports:            ports.Config{Interval: 30 * time.Second},
	}
	c.Images = defaultImages()
	if os.Geteuid() != 0 {
		c.Launcher = LauncherPosix
		c.RuntimeDir = filepath.Join(os.TempDir(), "mesos", "runtime")
	}
	return c
}

// Validate tells everything that is wrong with a configuration.
func (c Config) Validate() error {
	var errs []error
	for name, path := range map[string]string{"work directory": c.WorkDir, "runtime directory": c.RuntimeDir} {
		if !filepath.IsAbs(path) {
			errs = append(errs, fmt.Errorf("%s %q: want an absolute path", name, path))
		}
	}
	if _, err := spawn.ProcOf(c.MountNamespace); err != nil {
		errs = append(errs, err)
	}
	if c.Launcher != LauncherLinux && c.Launcher != LauncherPosix {
		errs = append(errs, fmt.Errorf("launcher %q: want %s or %s", c.Launcher, LauncherLinux, LauncherPosix))
	}
	if c.Runtime != posix.Name && c.Runtime != oci.Name {
		errs = append(errs, fmt.Errorf("runtime %q: want %s or %s", c.Runtime, posix.Name, oci.Name))
	}
	if c.Runtime == oci.Name && c.Launcher != LauncherLinux {
		errs = append(errs, fmt.Errorf("runtime %s needs the launcher %s", oci.Name, LauncherLinux))
	}
	if c.DestroyTimeout <= 0 {
		errs = append(errs, fmt.Errorf("destroy timeout %v: want more than zero", c.DestroyTimeout))
	}
	if root := strings.Trim(c.CgroupsRoot, "/"); root == "" || root != filepath.Clean(root) || strings.HasPrefix(root, "..") {
		errs = append(errs, fmt.Errorf("cgroups root %q: want a path below the hierarchy's root, for example mesos", c.CgroupsRoot))
	}
	errs = append(errs, c.validateIsolation(), c.validateImages(), c.validateDocker())
	return errors.Join(errs...)
}
