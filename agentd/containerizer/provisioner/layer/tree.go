package layer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on the way to a name, as the kernel does.
const maxLinks = 40

// tree is the directory that a layer is unpacked into. Nobody else changes it
// meanwhile: it is in a directory of the agent's own.
type tree struct {
	root *os.Root
	// last is the place that was used last: archives list what is in a directory in a row.
	last *place
}

// place is a directory in the tree.
type place struct {
	path string // as resolved, without links
	file *os.File
	fd   int
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{root: root}, nil
}

func (t *tree) close() {
	t.forget()
	t.root.Close()
}

func (t *tree) forget() {
	if t.last != nil {
		t.last.file.Close()
		t.last = nil
	}
}

// locate opens the directory of a name, and returns it with the name's last part. The place
// is good until the next call. If create is set, directories on the way are made.
func (t *tree) locate(name string, create bool) (*place, string, error) {
	dir, err := t.resolve(path.Dir(name), create)
	if err != nil {
		return nil, "", err
	}
	if t.last == nil || t.last.path != dir {
		t.forget()
		f, err := t.root.Open(dir)
		if err != nil {
			return nil, "", err
		}
		t.last = &place{path: dir, file: f, fd: int(f.Fd())}
	}
	return t.last, path.Base(name), nil
}

// resolve walks to a directory as if the tree was the root of all: links lead where
// they do in a container. The result has none.
func (t *tree) resolve(dir string, create bool) (string, error) {
	at, rest := ".", strings.Split(dir, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := t.root.Lstat(next)
		switch {
		case errors.Is(err, os.ErrNotExist) && create:
			if err := t.root.Mkdir(next, 0o755); err != nil {
				return "", fmt.Errorf("making a directory on the way: %w", err)
			}
			at = next
		case err != nil:
			return "", err
		case info.Mode()&os.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", fmt.Errorf("%w: too many links on the way", ErrUnsafe)
			}
			target, err := t.root.Readlink(next)
			if err != nil {
				return "", err
			}
			if path.IsAbs(target) {
				at = "."
			}
			rest = append(strings.Split(target, "/"), rest...)
		case info.IsDir():
			at = next
		default:
			return "", fmt.Errorf("%s is no directory: %w", next, unix.ENOTDIR)
		}
	}
	return at, nil
}

// remove removes what is at a name, whatever it is.
func (t *tree) remove(name string) error {
	dir, err := t.resolve(path.Dir(name), false)
	if err != nil {
		return err
	}
	t.forget() // it may be in what goes
	if err := t.root.RemoveAll(path.Join(dir, path.Base(name))); err != nil {
		return fmt.Errorf("removing an earlier entry: %w", err)
	}
	return nil
}

// lstat tells the type of what is at a name of the directory (one of unix.S_IF*), and
// whether that is an overlay's whiteout.
func (p *place) lstat(base string) (mode uint32, whiteout bool, err error) {
	var s unix.Stat_t
	if err := unix.Fstatat(p.fd, base, &s, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, false, err
	}
	mode = s.Mode & unix.S_IFMT
	return mode, mode == unix.S_IFCHR && s.Rdev == 0, nil
}

// open opens what is at a name without reading it; a link is opened itself.
func (p *place) open(base string) (fd int, err error) {
	fd, err = unix.Openat(p.fd, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening the target of a hard link: %w", err)
	}
	return fd, nil
}
