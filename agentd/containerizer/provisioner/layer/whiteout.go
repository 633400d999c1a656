package layer

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Whiteouts by name, as image specifications have them from AUFS.
const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..opq" // what follows the prefix
	metaPrefix     = ".wh."     // likewise: AUFS's own files
)

// whiteout removes, or marks as removed, a name in a directory.
func (u *unpacker) whiteout(dir, hidden string) error {
	switch {
	case hidden == opaqueName:
		return u.opaque(dir)
	case strings.HasPrefix(hidden, metaPrefix):
		return nil
	case hidden == "" || hidden == "." || hidden == "..":
		return fmt.Errorf("%w: a whiteout of nothing", ErrUnsafe)
	}
	name := path.Join(dir, hidden)
	p, base, err := u.tree.locate(name, u.form == Overlay)
	if u.form == Applied {
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			return nil // there is nothing to remove
		}
		if err != nil {
			return err
		}
		return u.tree.remove(name)
	}
	if err != nil {
		return err
	}
	mode, _, err := p.lstat(base)
	switch {
	case errors.Is(err, unix.ENOENT):
		if err := unix.Mknodat(p.fd, base, unix.S_IFCHR, 0); err != nil {
			return fmt.Errorf("making a whiteout: %w", err)
		}
		return nil
	case err != nil:
		return err
	case mode == unix.S_IFDIR:
		// The layer itself puts a directory there, instead of the one below.
		return u.opaque(name)
	}
	return nil // a file of the layer hides what is below anyway
}

// opaque has a directory show nothing of the layers below.
func (u *unpacker) opaque(dir string) error {
	if u.form == Applied {
		return u.empty(dir)
	}
	// Resolved with its last part: a directory, not a link to one, is marked.
	p, _, err := u.tree.locate(path.Join(dir, "x"), true)
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(p.fd, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		return fmt.Errorf("marking a directory as opaque: %w", err)
	}
	return nil
}

// empty removes what is in a directory. The layer's own entries come after its
// whiteouts, see Copy.
func (u *unpacker) empty(dir string) error {
	p, _, err := u.tree.locate(path.Join(dir, "x"), true)
	if err != nil {
		return err
	}
	at := p.path
	if _, err := p.file.Seek(0, 0); err != nil {
		return err
	}
	names, err := p.file.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("emptying a directory: %w", err)
	}
	u.tree.forget()
	for _, name := range names {
		if err := u.tree.root.RemoveAll(path.Join(at, name)); err != nil {
			return fmt.Errorf("emptying a directory: %w", err)
		}
	}
	return nil
}
