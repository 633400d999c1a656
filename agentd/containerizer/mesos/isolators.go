package mesos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/blkio"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/devices"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/member"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/netcls"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/perfevent"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/du"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk/xfs"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/filesystem"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/gpu"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/capabilities"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/nnp"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/seccomp"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/ipc"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/namespaces/pid"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/network/ports"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/rlimits"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/hostpath"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/image"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/sandboxpath"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume/secret"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/oci"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/volumegid"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	appcruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/appc/runtime"
	cgcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/cpu"
	cgmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/cgroups/mem"
	dockerruntime "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/docker/runtime"
	lindevices "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/linux/devices"
	posixcpu "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/cpu"
	posixmem "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/mem"
)

// kind is an isolator that --isolation can name.
type kind struct {
	name string
	// cgroups says that it needs the Linux launcher, oci that it needs the OCI
	// runtime.
	cgroups, oci bool
	make         func(m *Containerizer) (isolator.Isolator, error)
}

// kinds are in the order in which isolators prepare a container: files, then what
// runs, then volumes, then the rest. They clean up in the reverse order.
var kinds = []kind{
	{name: filesystem.Posix, make: newFilesystem(filesystem.Posix)},
	{name: filesystem.Linux, cgroups: true, oci: true, make: newFilesystem(filesystem.Linux)},
	{name: posixcpu.Name, make: func(*Containerizer) (isolator.Isolator, error) { return posixcpu.New(), nil }},
	{name: posixmem.Name, make: func(*Containerizer) (isolator.Isolator, error) { return posixmem.New(), nil }},
	{name: rlimits.Name, make: func(*Containerizer) (isolator.Isolator, error) { return rlimits.New(), nil }},
	{name: blkio.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return blkio.New(m.tree) }},
	{name: cgcpu.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return cgcpu.New(m.cfg.CPU, m.tree) }},
	{name: member.CPUSet, cgroups: true, make: newMember(member.CPUSet)},
	{name: devices.Name, cgroups: true, make: newDevices},
	{name: member.HugeTLB, cgroups: true, make: newMember(member.HugeTLB)},
	{name: cgmem.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return cgmem.New(m.cfg.Mem, m.tree) }},
	{name: lindevices.Name, cgroups: true, oci: true, make: newLinuxDevices},
	{name: gpu.Name, cgroups: true, oci: true, make: newGPU},
	{name: netcls.Name, cgroups: true, make: func(m *Containerizer) (isolator.Isolator, error) { return netcls.New(m.cfg.NetCls, m.tree) }},
	{name: member.NetPrio, cgroups: true, make: newMember(member.NetPrio)},
	{name: perfevent.Name, cgroups: true, make: newPerfEvent},
	{name: member.PIDs, cgroups: true, make: newMember(member.PIDs)},
	{name: capabilities.Name, oci: true, make: func(m *Containerizer) (isolator.Isolator, error) { return capabilities.New(m.cfg.Capabilities) }},
	{name: nnp.Name, oci: true, make: func(*Containerizer) (isolator.Isolator, error) { return nnp.New(), nil }},
	{name: ipc.Name, oci: true, make: func(m *Containerizer) (isolator.Isolator, error) { return ipc.New(m.cfg.IPC), nil }},
	{name: pid.Name, oci: true, make: func(m *Containerizer) (isolator.Isolator, error) { return pid.New(m.cfg.PID), nil }},
	{name: sandboxpath.Name, make: newSandboxPath},
	{name: hostpath.Name, oci: true, make: newHostPath},
	{name: secret.Name, oci: true, make: newSecret},
	{name: image.Name, oci: true, make: newImageVolume},
	{name: du.Name, make: newDisk},
	{name: xfs.Name, make: newXFS},
	{name: seccomp.Name, oci: true, make: newSeccomp},
	{name: ports.Name, cgroups: true, make: newPorts},
	{name: dockerruntime.Name, make: func(m *Containerizer) (isolator.Isolator, error) {
		return dockerruntime.New(m.cfg.Images.Runtime), nil
	}},
	{name: appcruntime.Name, make: func(*Containerizer) (isolator.Isolator, error) { return appcruntime.New(), nil }},
	{name: environmentSecret},
	{name: allCgroups, cgroups: true},
}

// environmentSecret is an isolator of Mesos whose work is done in any case, by who
// composes environments.
const environmentSecret = "environment_secret"

// allCgroups means every isolator of cgroups that works on the machine.
const allCgroups = "cgroups/all"

func newFilesystem(name string) func(*Containerizer) (isolator.Isolator, error) {
	return func(m *Containerizer) (isolator.Isolator, error) {
		return filesystem.New(name, filesystem.Config{WorkDir: m.cfg.WorkDir, Root: m.root, Groups: m.groups}), nil
	}
}

func newMember(name string) func(*Containerizer) (isolator.Isolator, error) {
	return func(m *Containerizer) (isolator.Isolator, error) { return member.New(name, m.tree) }
}

func newDevices(m *Containerizer) (isolator.Isolator, error) {
	return devices.New(devices.Config{Allowed: m.cfg.AllowedDevices, Root: m.root}, m.tree)
}

func newLinuxDevices(m *Containerizer) (isolator.Isolator, error) {
	if !slices.Contains(m.cfg.Isolation, filesystem.Linux) {
		return nil, fmt.Errorf("isolator %s needs the isolator %s", lindevices.Name, filesystem.Linux)
	}
	return lindevices.New(lindevices.Config{Allowed: m.cfg.AllowedDevices, Root: m.root})
}

func newGPU(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.GPU
	if !slices.Contains(m.cfg.Isolation, filesystem.Linux) {
		return nil, fmt.Errorf("isolator %s needs the isolator %s", gpu.Name, filesystem.Linux)
	}
	at := slices.IndexFunc(m.isolators, func(i isolator.Isolator) bool { return i.Name() == devices.Name })
	if at < 0 {
		return nil, fmt.Errorf("isolator %s needs the isolator %s or %s", gpu.Name, devices.Name, allCgroups)
	}
	cfg.Base = m.isolators[at].(*devices.Isolator).Rules()
	cfg.Dir, cfg.Root = filepath.Join(m.cfg.RuntimeDir, "gpus"), m.root
	return gpu.New(cfg)
}

func newPerfEvent(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.PerfEvent
	cfg.Log = m.log
	return perfevent.New(context.Background(), cfg, m.tree)
}

func newSandboxPath(m *Containerizer) (isolator.Isolator, error) {
	mounts := slices.Contains(m.cfg.Isolation, filesystem.Linux)
	return sandboxpath.New(sandboxpath.Config{Mounts: mounts, Root: m.root, WorkDir: m.cfg.WorkDir, Groups: m.groups}), nil
}

func newHostPath(m *Containerizer) (isolator.Isolator, error) {
	return hostpath.New(hostpath.Config{Root: m.root, Create: m.cfg.HostPathCreate}), nil
}

func newImageVolume(m *Containerizer) (isolator.Isolator, error) {
	return image.New(image.Config{Root: m.root}), nil
}

func newSecret(m *Containerizer) (isolator.Isolator, error) {
	return secret.New(secret.Config{RuntimeDir: m.cfg.RuntimeDir, Root: m.root, Resolve: m.cfg.Secrets}), nil
}

func newDisk(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.Disk
	cfg.WorkDir, cfg.Root = m.cfg.WorkDir, m.root
	return du.New(cfg), nil
}

func newXFS(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.XFS
	cfg.WorkDir, cfg.Root, cfg.Log = m.cfg.WorkDir, m.root, m.log
	return xfs.New(cfg)
}

func newSeccomp(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.Seccomp
	cfg.Granted = oci.Granted()
	return seccomp.New(cfg)
}

func newPorts(m *Containerizer) (isolator.Isolator, error) {
	cfg := m.cfg.Ports
	cfg.Log = m.log
	return ports.New(cfg), nil
}

// deprecated are names of older Mesos versions for others.
var deprecated = map[string][]string{
	"process":           {posixcpu.Name, posixmem.Name},
	"cgroups":           {cgcpu.Name, cgmem.Name},
	"posix/disk":        {du.Name},
	"filesystem/shared": {filesystem.Linux},
}

// absent are isolators of Mesos that there are not, with the reason.
var absent = map[string]string{
	"network/cni":          "containers have the network of their node, CNI networks are not supported",
	"network/port_mapping": "it needs a kernel module's interfaces and ephemeral port ranges that are not supported; network/ports watches ports",
	"docker/volume":        "volumes of Docker's volume drivers are not supported; there are persistent volumes and volume/host_path",
	"volume/csi":           "volumes of CSI plugins are not supported; there are persistent volumes and volume/host_path",
	"filesystem/windows":   "it is for Windows", "windows/cpu": "it is for Windows", "windows/mem": "it is for Windows",
}

// ErrIsolator is wrapped by errors about what --isolation names.
var ErrIsolator = errors.New("Unknown or unsupported isolator")

// unknown tells of a name why it is none of an isolator.
func unknown(name string) error {
	if why, ok := absent[name]; ok {
		return fmt.Errorf("%w '%s': %s", ErrIsolator, name, why)
	}
	return fmt.Errorf("%w '%s': modules can't be loaded; want some of %s", ErrIsolator, name, names())
}

// Isolators reads the value of --isolation. Older names may stand beside what they mean.
func Isolators(flag string) ([]string, error) {
	var given, out []string
	for name := range strings.SplitSeq(flag, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if slices.Contains(given, name) {
			return nil, fmt.Errorf("Duplicate entries found in --isolation flag '%s': %s", flag, name)
		}
		given = append(given, name)
		expanded, ok := deprecated[name]
		if !ok {
			expanded = []string{name}
		}
		for _, n := range expanded {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return complete(out), nil
}

// complete adds what is there without being named: a file system, the volumes that
// come with it, and secrets.
func complete(names []string) []string {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "filesystem/") }) {
		add(filesystem.Posix)
	}
	if slices.Contains(names, filesystem.Linux) {
		add(hostpath.Name)
		add(sandboxpath.Name)
		add(image.Name)
	}
	add(environmentSecret)
	return names
}

func kindOf(name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// NeedOCI says whether one of the isolators works with the OCI runtime only.
func NeedOCI(isolation []string) bool {
	return slices.ContainsFunc(isolation, func(name string) bool {
		k, _ := kindOf(name)
		return k.oci
	})
}

func (c Config) validateIsolation() error {
	var errs []error
	for _, name := range c.Isolation {
		k, ok := kindOf(name)
		switch {
		case !ok:
			errs = append(errs, unknown(name))
		case k.cgroups && c.Launcher != LauncherLinux:
			errs = append(errs, fmt.Errorf("isolator %s needs the launcher %s", name, LauncherLinux))
		case k.oci && c.Runtime != oci.Name:
			errs = append(errs, fmt.Errorf("isolator %s needs the runtime %s", name, oci.Name))
		}
	}
	if slices.Contains(c.Isolation, filesystem.Posix) && slices.Contains(c.Isolation, filesystem.Linux) {
		errs = append(errs, fmt.Errorf("isolators %s and %s exclude each other", filesystem.Posix, filesystem.Linux))
	}
	return errors.Join(errs...)
}

// mountable refuses volumes that no isolator takes care of.
func (c Config) mountable(volumes []*mesos.Volume) error {
	for _, v := range volumes {
		name := volume.KindOf(v).Isolator()
		switch {
		case name == "":
			return fmt.Errorf("volume %s: want exactly one source", v.GetContainerPath())
		case !slices.Contains(c.Isolation, name):
			return fmt.Errorf("%w: volume %s without the isolator %s", containerizer.ErrUnsupported, v.GetContainerPath(), name)
		}
	}
	return nil
}

func names() string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.name)
	}
	return strings.Join(all, ", ")
}

// isolation makes the isolators.
func (m *Containerizer) isolation(ctx context.Context) error {
	all := slices.Contains(m.cfg.Isolation, allCgroups)
	for _, k := range kinds {
		named := slices.Contains(m.cfg.Isolation, k.name)
		if k.make == nil || !named && (!all || !strings.HasPrefix(k.name, "cgroups/")) {
			continue
		}
		i, err := k.make(m)
		switch {
		case err == nil:
			m.isolators = append(m.isolators, i)
		case named:
			return err
		default:
			m.log.Info("An isolator doesn't work here and is left out", "isolator", k.name, "reason", err.Error())
		}
	}
	if err := m.supportDocker(); err != nil {
		return err
	}
	every := m.isolators
	if m.docker != nil {
		every = slices.Concat(m.isolators, m.docker.more)
	}
	for _, i := range every {
		if r, ok := i.(isolator.Runner); ok {
			go r.Run(ctx)
		}
		if g, ok := i.(isolator.Gauged); ok {
			m.gauged = append(m.gauged, g)
		}
	}
	// Some ask others that were made before them, hence last.
	for n, i := range m.isolators {
		m.isolators[n] = isolator.Tracked(i, m.cfg.Pending)
	}
	if m.docker != nil {
		m.docker.complete(m)
	}
	return nil
}

// Gauges calls emit for the figures of isolators, by the names of metrics.
func (m *Containerizer) Gauges(emit func(name string, value float64)) {
	for _, g := range m.gauged {
		g.Gauges(emit)
	}
	if m.groups != nil {
		m.groups.Gauges(emit)
	}
}

// volumeGroups makes the manager of volumes' groups.
func (m *Containerizer) volumeGroups(context.Context) (err error) {
	if m.cfg.VolumeGIDs != "" {
		m.groups, err = volumegid.New(volumegid.Config{
			WorkDir: m.cfg.WorkDir, Root: m.root, Range: m.cfg.VolumeGIDs, Boot: m.boot, Log: m.log,
		})
	}
	return err
}
