package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// attributePrefix marks extended attributes in a tar archive.
const attributePrefix = "SCHILY.xattr."

// capability is the attribute of a program's capabilities.
const capability = "security.capability"

// attributes sets those of a directory that is there.
func (u *unpacker) attributes(name string, h *tar.Header) error {
	if name == "." && h.Typeflag != tar.TypeDir {
		return fmt.Errorf("%w: the root is no directory", ErrUnsafe)
	}
	f, err := u.directoryFile(name)
	if err != nil {
		return err
	}
	defer f.Close()
	u.times[name] = timespec(h)
	return u.describe(int(f.Fd()), h)
}

func (u *unpacker) directoryFile(name string) (*os.File, error) {
	dir, err := u.tree.resolve(path.Dir(name), false)
	if err != nil {
		return nil, err
	}
	return u.tree.root.Open(path.Join(dir, path.Base(name)))
}

// describe sets owner, permissions and extended attributes of a file or directory. A
// change of the owner takes away some of the rest, so it comes first.
func (u *unpacker) describe(fd int, h *tar.Header) error {
	if u.root {
		if err := unix.Fchown(fd, h.Uid, h.Gid); err != nil {
			return fmt.Errorf("giving it to its owner: %w", err)
		}
	}
	if err := unix.Fchmod(fd, uint32(h.Mode&0o7777)); err != nil {
		return fmt.Errorf("setting its permissions: %w", err)
	}
	for key, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(key, attributePrefix)
		if !ok || name != capability && !strings.HasPrefix(name, "user.") {
			continue
		}
		err := unix.Fsetxattr(fd, name, []byte(value), 0)
		if errors.Is(err, unix.ENOTSUP) || err != nil && !u.root {
			continue // the file system has none, as when tar unpacks there
		}
		if err != nil {
			return fmt.Errorf("setting attribute %s: %w", name, err)
		}
	}
	return nil
}

func timespec(h *tar.Header) unix.Timespec {
	return unix.NsecToTimespec(h.ModTime.UnixNano())
}

func setTime(p *place, base string, at unix.Timespec) error {
	if err := unix.UtimesNanoAt(p.fd, base, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("setting the time of %s: %w", base, err)
	}
	return nil
}
