package filesystem

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// inside is the mount that shows a volume to a container that runs already; false if its link
// is enough, or all that can be done: a container without a mount namespace of its own sees
// the node's files.
func (i *Isolator) inside(c *isolator.Container, v volume) (specs.Mount, bool) {
	m, needed := v.mount()
	if i.name != Linux || c.PID == 0 || !needed && c.Rootfs == nil {
		return m, false
	}
	own, err1 := os.Readlink(namespaceOf(c.PID))
	outer, err2 := os.Readlink(i.outerNamespace())
	return m, err1 == nil && err2 == nil && own != outer
}

func namespaceOf(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/ns/mnt" }

// outerNamespace is the mount namespace in which volumes are: that of the process whose root
// is Config.Root.
func (i *Isolator) outerNamespace() string {
	if i.cfg.Root == "" {
		return "/proc/self/ns/mnt"
	}
	return filepath.Join(filepath.Dir(i.cfg.Root), "ns", "mnt")
}

// bring mounts a volume in a container that runs. What a container has from its start, the
// runtime has mounted.
func (i *Isolator) bring(c *isolator.Container, v volume) error {
	m, ok := i.inside(c, v)
	if !ok {
		return nil
	}
	if err := i.mountPoint(c, m.Destination); err != nil {
		return err
	}
	err := inNamespaces(func(join func() error) error {
		tree, err := unix.OpenTree(unix.AT_FDCWD, m.Source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return os.NewSyscallError("open_tree", err)
		}
		defer unix.Close(tree)
		attr := &unix.MountAttr{Propagation: unix.MS_SLAVE}
		if v.readOnly {
			attr.Attr_set = unix.MOUNT_ATTR_RDONLY
		}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
			return os.NewSyscallError("mount_setattr", err)
		}
		if err := join(); err != nil {
			return err
		}
		if err := os.MkdirAll(m.Destination, 0o755); err != nil {
			return err
		}
		return os.NewSyscallError("move_mount", unix.MoveMount(tree, "", unix.AT_FDCWD, m.Destination, unix.MOVE_MOUNT_F_EMPTY_PATH))
	}, i.outerNamespace(), namespaceOf(c.PID))
	if err != nil {
		return fmt.Errorf("mounting persistent volume %s in a container that runs: %w", v.path, err)
	}
	return nil
}

// takeAway unmounts a volume that a container does not use any more.
func (i *Isolator) takeAway(c *isolator.Container, v volume) error {
	m, ok := i.inside(c, v)
	if !ok {
		return nil
	}
	err := inNamespaces(func(func() error) error {
		err := unix.Unmount(m.Destination, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return nil // it is none, or not any more
		}
		return os.NewSyscallError("umount", err)
	}, namespaceOf(c.PID))
	if err != nil {
		return fmt.Errorf("unmounting persistent volume %s in a container that runs: %w", v.path, err)
	}
	return nil
}

// inNamespaces calls f in the first of some mount namespaces; with join it goes on to the next.
// It has a thread of its own, which ends with it.
func inNamespaces(f func(join func() error) error, namespaces ...string) error {
	var files []*os.File // opened here: names mean something else inside
	defer func() {
		for _, file := range files {
			file.Close()
		}
	}()
	for _, name := range namespaces {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	next := 0
	join := func() error {
		next++
		return os.NewSyscallError("setns", unix.Setns(int(files[next-1].Fd()), unix.CLONE_NEWNS))
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		// A thread that shares its root with others may not change its mount namespace.
		err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_FS))
		if err == nil {
			err = join()
		}
		if err == nil {
			err = f(join)
		}
		done <- err
	}()
	return <-done
}
