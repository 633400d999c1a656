package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// hostDevices are the device nodes that a node has, if the host has them.
var hostDevices = []string{
	"full", "fuse", "kmsg", "net/tun", "null", "random", "tty", "urandom", "zero",
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
