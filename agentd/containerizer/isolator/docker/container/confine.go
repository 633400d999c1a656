package container

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/device"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// namespaces gives the container those of its own.
func namespaces(p *docker.Plan, hostname string, spec *specs.Spec) {
	add := func(shared bool, kind specs.LinuxNamespaceType) {
		if !shared {
			spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind})
		}
	}
	add(p.HostPID, specs.PIDNamespace)
	add(p.HostIPC, specs.IPCNamespace)
	add(p.HostUTS, specs.UTSNamespace)
	if !p.HostUTS {
		spec.Hostname = hostname
	}
	spec.Linux.Sysctl = p.Sysctl
}

// user finds out who the container runs as, among the users of its image.
func (i *Isolator) user(c *isolator.Container, spec *specs.Spec) error {
	name := c.Rootfs.Defaults.User
	if c.Docker.User != nil {
		name = *c.Docker.User
	}
	passwd, group := inImage(c, "etc/passwd"), inImage(c, "etc/group")
	u, err := user.GetExecUser(name, &user.ExecUser{Home: "/"}, strings.NewReader(passwd), strings.NewReader(group))
	if err != nil {
		return fmt.Errorf("looking up user %q of the image: %w", name, err)
	}
	extra, err := user.GetAdditionalGroups(c.Docker.Groups, strings.NewReader(group))
	if err != nil {
		return fmt.Errorf("parameter 'group-add': %w", err)
	}
	who := specs.User{UID: uint32(u.Uid), GID: uint32(u.Gid)}
	for _, g := range slices.Concat(u.Sgids, extra) {
		who.AdditionalGids = append(who.AdditionalGids, uint32(g))
	}
	spec.Process.User = who
	return nil
}

// maxDatabase bounds what is read of an image's users and groups.
const maxDatabase = 1 << 20

// inImage reads a file of a container's image; empty if there is none. Layers are somebody
// else's: links in them are not followed out of them.
func inImage(c *isolator.Container, name string) string {
	for _, l := range slices.Backward(c.Rootfs.Layers) {
		root, err := os.OpenRoot(l)
		if err != nil {
			continue
		}
		f, err := root.Open(name)
		root.Close()
		if err != nil {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(f, maxDatabase))
		f.Close()
		if err == nil {
			return string(data)
		}
	}
	return ""
}

// home is the home directory of the container's user.
func home(c *isolator.Container, spec *specs.Spec) string {
	users, err := user.ParsePasswdFilter(strings.NewReader(inImage(c, "etc/passwd")), func(u user.User) bool {
		return u.Uid == int(spec.Process.User.UID)
	})
	if err != nil || len(users) == 0 || users[0].Home == "" {
		return "/"
	}
	return users[0].Home
}

// privileges sets capabilities, and what is hidden of the machine.
func (i *Isolator) privileges(c *isolator.Container, spec *specs.Spec) error {
	p := c.Docker
	names, err := p.Capabilities(i.cfg.Granted)
	if err != nil {
		return err
	}
	set := &specs.LinuxCapabilities{Bounding: names}
	if spec.Process.User.UID == 0 {
		set.Effective, set.Permitted = names, names
	}
	spec.Process.Capabilities = set
	spec.Process.NoNewPrivileges = spec.Process.NoNewPrivileges && !p.Privileged || p.NoNewPrivileges
	if p.Privileged || p.Unconfined {
		spec.Linux.Seccomp = nil
	}
	if !p.Privileged {
		return nil
	}
	spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = nil, nil
	for n, m := range spec.Mounts {
		if m.Destination == "/sys" {
			spec.Mounts[n].Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "ro" })
		}
	}
	return nil
}

// devices are those that the container asks for, or with privileges all of the node.
func (i *Isolator) devices(c *isolator.Container, spec *specs.Spec) error {
	r := spec.Linux.Resources
	if c.Docker.Privileged {
		r.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		return i.allDevices(spec)
	}
	for _, d := range c.Docker.Devices {
		n, err := device.Stat(i.cfg.Root, d.Path)
		if err != nil {
			return fmt.Errorf("parameter 'device': %w", err)
		}
		i.give(n, d.Inside, spec)
		r.Devices = append(r.Devices, n.Rule(d.Access))
	}
	return nil
}

// give puts a device into the container's /dev, with the mode that it has on the node.
func (i *Isolator) give(n device.Node, inside string, spec *specs.Spec) {
	mode := os.FileMode(0o666)
	if info, err := os.Stat(filepath.Join(i.cfg.Root, n.Path)); err == nil {
		mode = info.Mode().Perm()
	}
	spec.Linux.Devices = append(spec.Linux.Devices, specs.LinuxDevice{
		Path: inside, Type: n.Type, Major: n.Major, Minor: n.Minor, FileMode: &mode, UID: new(uint32(0)), GID: new(uint32(0)),
	})
}

// own are entries of /dev that every container has of its own.
var own = map[string]bool{
	"console": true, "fd": true, "full": true, "mqueue": true, "null": true, "ptmx": true, "pts": true, "random": true,
	"shm": true, "stderr": true, "stdin": true, "stdout": true, "tty": true, "urandom": true, "zero": true, "core": true,
}

func (i *Isolator) allDevices(spec *specs.Spec) error {
	dev := filepath.Join(i.cfg.Root, "/dev")
	err := filepath.WalkDir(dev, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dev, path)
		switch {
		case err != nil: // it went away
			return nil //nolint:nilerr // see above
		case own[rel] && e.IsDir():
			return fs.SkipDir
		case own[rel] || e.Type()&fs.ModeDevice == 0:
			return nil
		}
		if n, err := device.Stat(i.cfg.Root, filepath.Join("/dev", rel)); err == nil {
			i.give(n, n.Path, spec)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("listing the node's devices: %w", err)
	}
	return nil
}

// limits sets what comes beside the limits on the task's resources.
func limits(c *isolator.Container, spec *specs.Spec) error {
	p := c.Docker
	spec.Process.Rlimits = append(spec.Process.Rlimits, p.Rlimits...)
	if p.OOMScoreAdj != nil {
		spec.Process.OOMScoreAdj = p.OOMScoreAdj
	}
	if p.CPUShares != nil {
		if spec.Linux.Resources.CPU == nil {
			spec.Linux.Resources.CPU = &specs.LinuxCPU{}
		}
		spec.Linux.Resources.CPU.Shares = p.CPUShares
	}
	return nil
}

// mounts are those that the options name.
func mounts(c *isolator.Container, spec *specs.Spec) error {
	p := c.Docker
	spec.Root.Readonly = spec.Root.Readonly || p.ReadOnly
	shm := specs.Mount{
		Destination: "/dev/shm", Type: "tmpfs", Source: "tmpfs",
		Options: []string{"nosuid", "nodev", "noexec", "mode=1777", "size=" + strconv.FormatInt(p.ShmSize, 10)},
	}
	if p.HostIPC {
		shm = specs.Mount{Destination: "/dev/shm", Type: "bind", Source: "/dev/shm", Options: []string{"rbind", "rslave"}}
	}
	replace(spec, shm)
	for _, m := range p.Tmpfs {
		replace(spec, m)
	}
	return nil
}

// replace mounts instead of what was to be mounted there.
func replace(spec *specs.Spec, m specs.Mount) {
	for n, have := range spec.Mounts {
		if have.Destination == m.Destination {
			spec.Mounts[n] = m
			return
		}
	}
	spec.Mounts = append(spec.Mounts, m)
}
