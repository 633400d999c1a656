package backend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrUnsuitable says that a backend doesn't work with a directory's file system.
var ErrUnsuitable = errors.New("backend is not supported on the underlying file system")

// unsuitable are file systems that an overlay's changes can't be kept on, by the magic
// numbers of statfs(2). The list is Mesos's.
var unsuitable = map[int64]string{
	0x61756673: "aufs",
	0x9123683e: "btrfs",
	0xf15f:     "ecryptfs",
	0x2fc12fc1: "zfs",
	0x794c7630: "overlay",
}

// Choose returns the backend of a name, or without one the best that works for
// containers with their files in a directory: overlay, or else copy. log hears why one is
// passed over.
func Choose(name, dir string, log func(backend string, reason error)) (Backend, error) {
	if name != "" {
		b, err := New(name)
		if err != nil {
			return nil, err
		}
		if err := check(name, dir); err != nil {
			return nil, fmt.Errorf("image provisioner backend %s: %w", name, err)
		}
		return b, nil
	}
	for _, candidate := range []string{Overlay, Copy} {
		err := check(candidate, dir)
		if err == nil {
			return New(candidate)
		}
		log(candidate, err)
	}
	return nil, fmt.Errorf("%w: none works in %s", ErrUnsuitable, dir)
}

// check says whether a backend works in a directory.
func check(name, dir string) error {
	if name != Overlay {
		return nil
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	if !slices.Contains(strings.Fields(string(known)), "overlay") {
		return fmt.Errorf("%w: the kernel has no overlay file system; is its module loaded?", ErrUnsuitable)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	if what, ok := unsuitable[int64(fs.Type)]; ok { //nolint:unconvert // 32 bits on some platforms
		return fmt.Errorf("%w: %s is on %s", ErrUnsuitable, dir, what)
	}
	return typed(dir)
}

// typed makes sure that listing a directory tells what entries are: an overlay works by
// that, and XFS can be made without it. The entry that is looked at is a new one, as "."
// always has a type.
func typed(dir string) error {
	probe, err := os.MkdirTemp(dir, ".probe-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	defer os.Remove(probe)
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.ReadDirent(int(f.Fd()), buf)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnsuitable, err)
		}
		if n == 0 {
			return nil
		}
		if !allTyped(buf[:n]) {
			return fmt.Errorf("%w: %s doesn't tell the types of entries (d_type)", ErrUnsuitable, dir)
		}
	}
}

// Offsets in struct linux_dirent64.
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

func allTyped(entries []byte) bool {
	for len(entries) > direntName {
		length := int(binary.NativeEndian.Uint16(entries[direntLength:]))
		if length <= direntName || length > len(entries) {
			return true
		}
		if entries[direntType] == unix.DT_UNKNOWN {
			return false
		}
		entries = entries[length:]
	}
	return true
}
