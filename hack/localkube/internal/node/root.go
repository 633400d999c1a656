package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// hostEtc is what a node takes from the host's /etc: what programs below /usr need
// to start, and nothing that is secret.
var hostEtc = []string{
	"alternatives", "ca-certificates.conf", "ethertypes", "group", "iproute2", "ld.so.cache", "ld.so.conf",
	"ld.so.conf.d", "localtime", "nsswitch.conf", "passwd", "protocols", "services", "ssl/certs",
}

// hostDevices are the device nodes that a node has, if the host has them.
var hostDevices = []string{
	"full", "fuse", "kmsg", "net/tun", "null", "random", "tty", "urandom", "zero",
}

// enterRoot builds the node's root file system on a tmpfs and makes it the root of
// this mount namespace. Nothing of it is visible on the host but /var.
func (s Spec) enterRoot() error {
	// Mounts made here must not travel to the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	r := root(s.dir("root"))
	steps := []struct {
		what string
		do   func() error
	}{
		{"root", func() error { return r.tmpfs("/", "mode=755,size=64m") }},
		{"usr", r.usr},
		{"etc", func() error { return r.etc(s.dir("etc")) }},
		{"var", func() error { return r.vary(s.dir("var")) }},
		{"programs", func() error { return r.bind(s.Programs, programs, unix.MS_RDONLY) }},
		{"tmp", func() error { return r.tmpfs("/tmp", "mode=1777,size=1g") }},
		{"run", func() error { return r.tmpfs("/run", "mode=755,size=256m") }},
		{"proc", func() error { return r.mount("proc", "/proc", "proc", 0, "") }},
		{"sys", func() error { return r.mount("sysfs", "/sys", "sysfs", 0, "") }},
		{"cgroups", r.cgroups},
		{"dev", r.dev},
		{"pivot", r.pivot},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("building the root file system: %s: %w", step.what, err)
		}
	}
	return nil
}

// programs is where the node finds the Kubernetes binaries.
const programs = "/opt/localkube"

// TmpfsSource is what a node's tmpfs mounts are called in mount tables, by which the
// leak check knows a process that is in a node.
const TmpfsSource = config.Name + "-node"

// root is the folder that becomes the root; its methods take paths of the node.
type root string

func (r root) at(path string) string { return filepath.Join(string(r), path) }

func (r root) mount(source, path, kind string, flags uintptr, data string) error {
	if err := os.MkdirAll(r.at(path), 0o755); err != nil {
		return err
	}
	if err := unix.Mount(source, r.at(path), kind, flags, data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", kind, path, err)
	}
	return nil
}

func (r root) tmpfs(path, data string) error { return r.mount(TmpfsSource, path, "tmpfs", 0, data) }

// bind shows the host's folder at path. Flags such as MS_RDONLY need a second
// call: the kernel ignores them while it binds.
func (r root) bind(source, path string, flags uintptr) error {
	if err := r.mount(source, path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil || flags == 0 {
		return err
	}
	return unix.Mount("", r.at(path), "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
}

// usr shows the host's /usr, read-only, so that a privileged pod can't change the
// host's programs, and the links into it that a merged-usr system has.
func (r root) usr() error {
	if err := r.bind("/usr", "/usr", unix.MS_RDONLY); err != nil {
		return err
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		target, err := os.Readlink("/" + name)
		switch {
		case err == nil:
			err = os.Symlink(target, r.at(name))
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		default: // a folder of its own, on a system whose /usr isn't merged
			err = r.bind("/"+name, name, unix.MS_RDONLY)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r root) etc(rendered string) error {
	for _, name := range hostEtc {
		if err := copyTree(filepath.Join("/etc", name), r.at("/etc/"+name)); err != nil {
			return err
		}
	}
	if err := os.Symlink("../usr/lib/os-release", r.at("/etc/os-release")); err != nil {
		return err
	}
	return copyTree(rendered, r.at("/etc"))
}

// copyTree copies files, folders and symbolic links with their modes, over what is
// there. A missing source is no error: hosts differ.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == from {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return copyEntry(p, filepath.Join(to, rel), e)
	})
}

func copyEntry(from, to string, e fs.DirEntry) error {
	fi, err := e.Info()
	if err != nil {
		return err
	}
	switch {
	case fi.IsDir():
		return os.MkdirAll(to, fi.Mode().Perm())
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !fi.Mode().IsRegular():
		return nil
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, fi.Mode().Perm())
}

// vary shows the node's own folder as /var: it is on the host's disk, since images
// and volumes are too large for memory.
func (r root) vary(dir string) error {
	for _, sub := range []string{"lib", "log/localkube", "cache", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", filepath.Join(dir, "run")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return r.bind(dir, "/var", 0)
}

// cgroups mounts the hierarchies that the host has at the places where the host has
// them. In a cgroup namespace each shows the node's own group as its root.
func (r root) cgroups() error {
	// Read as a whole: the list changes with every mount made below.
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		m := strings.Fields(line) // source, path, type, options
		if len(m) < 4 || !(m[1] == cgroupRoot || strings.HasPrefix(m[1], cgroupRoot+"/")) {
			continue
		}
		if err := r.cgroup(m[1], m[2], m[3]); err != nil {
			return err
		}
	}
	return r.cgroupLinks()
}

const cgroupRoot = "/sys/fs/cgroup"

func (r root) cgroup(path, kind, options string) error {
	switch kind {
	case "tmpfs":
		return r.tmpfs(path, "mode=755")
	case "cgroup2":
		return r.mount(kind, path, kind, 0, "")
	case "cgroup":
		return r.mount(kind, path, kind, 0, hierarchy(options))
	}
	return nil
}

// hierarchy picks, of a v1 hierarchy's mount options, those that identify it.
func hierarchy(options string) string {
	var keep []string
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children", "seclabel":
			continue
		}
		if strings.HasPrefix(o, "release_agent=") {
			continue
		}
		if strings.HasPrefix(o, "name=") {
			keep = append(keep, "none")
		}
		keep = append(keep, o)
	}
	return strings.Join(keep, ",")
}

// cgroupLinks copies links such as cpu -> cpu,cpuacct.
func (r root) cgroupLinks() error {
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return err
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(cgroupRoot, e.Name()))
		if err != nil {
			continue // not a link
		}
		if err := os.Symlink(target, r.at(filepath.Join(cgroupRoot, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}

// dev is the node's own: privileged pods get every device of their node, and the
// host's disks are not for them.
func (r root) dev() error {
	if err := r.tmpfs("/dev", "mode=755,size=1m"); err != nil {
		return err
	}
	for _, name := range hostDevices {
		if err := r.device(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2",
	} {
		if err := os.Symlink(target, r.at("/dev/"+name)); err != nil {
			return err
		}
	}
	return errors.Join(
		r.mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5"), // 5: Debian's group tty
		r.mount("shm", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,size=64m"),
		r.mount("mqueue", "/dev/mqueue", "mqueue", 0, ""),
	)
}

func (r root) device(name string) error {
	var st unix.Stat_t
	err := unix.Stat("/dev/"+name, &st)
	if errors.Is(err, unix.ENOENT) || (err == nil && st.Mode&unix.S_IFMT != unix.S_IFCHR) {
		return nil
	}
	if err != nil {
		return err
	}
	path := r.at("/dev/" + name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := unix.Mknod(path, st.Mode, int(st.Rdev)); err != nil {
		return err
	}
	return os.Chmod(path, fs.FileMode(st.Mode&0o777))
}

// pivot makes the folder the root and lets go of the host's. The new root's mounts
// are shared, which volumes with mountPropagation need.
func (r root) pivot() error {
	const old = "/.host"
	if err := os.Mkdir(r.at(old), 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(string(r), r.at(old)); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount(old, unix.MNT_DETACH); err != nil {
		return err
	}
	return errors.Join(os.Remove(old), unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""))
}
