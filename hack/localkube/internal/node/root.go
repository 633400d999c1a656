package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// hostEtc is what a node takes from the host's /etc: what programs below /usr need
// to start, and nothing that is secret.
var hostEtc = []string{
	"alternatives", "ca-certificates.conf", "ethertypes", "group", "iproute2", "ld.so.cache", "ld.so.conf",
	"ld.so.conf.d", "localtime", "nsswitch.conf", "passwd", "protocols", "services", "ssl/certs",
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
