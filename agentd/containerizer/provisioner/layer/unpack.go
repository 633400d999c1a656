package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unpacker makes the entries of one layer.
type unpacker struct {
	tree   *tree
	form   Form
	limits Limits
	root   bool // whether owners can be given away
	// times are those of directories: they are set last, as what is made in a directory
	// changes its own.
	times map[string]unix.Timespec
	// marked are the directories that are to hide all below them.
	marked map[string]bool
}

func newUnpacker(dir string, form Form, limits Limits) (*unpacker, error) {
	t, err := openTree(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the layer's directory: %w", err)
	}
	return &unpacker{
		tree: t, form: form, limits: limits, root: os.Geteuid() == 0,
		times: map[string]unix.Timespec{}, marked: map[string]bool{},
	}, nil
}

func (u *unpacker) close() { u.tree.close() }

// finish sets what can only be set when all is there.
func (u *unpacker) finish() error {
	for dir, at := range u.times {
		p, name, err := u.tree.locate(dir, false)
		if errors.Is(err, unix.ENOENT) {
			continue // removed by a later entry
		}
		if err != nil {
			return err
		}
		err = setTime(p, name, at)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// clean is a name relative to the layer's root; "." for that itself.
func clean(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("%w: a name that leads upwards", ErrUnsafe)
		}
	}
	if strings.Contains(name, "\x00") {
		return "", fmt.Errorf("%w: a name with a zero byte", ErrUnsafe)
	}
	return path.Clean("/" + name)[1:], nil
}

// entry makes one entry of the archive.
func (u *unpacker) entry(ctx context.Context, h *tar.Header, contents io.Reader) error {
	if u.limits.Entries--; u.limits.Entries < 0 {
		return fmt.Errorf("%w: too many entries", ErrTooLarge)
	}
	name, err := clean(h.Name)
	if err != nil {
		return err
	}
	if name == "" {
		return u.attributes(".", h)
	}
	if hidden, ok := strings.CutPrefix(path.Base(name), whiteoutPrefix); ok && u.form != Plain {
		return u.whiteout(path.Dir(name), hidden)
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.directory(name, h)
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont:
		return u.file(ctx, name, h, contents)
	case tar.TypeSymlink:
		return u.symlink(name, h)
	case tar.TypeLink:
		return u.hardLink(name, h)
	case tar.TypeFifo:
		return u.fifo(name, h)
	default: // devices, and what is no file
		return nil
	}
}

func (u *unpacker) directory(name string, h *tar.Header) error {
	p, base, err := u.tree.locate(name, true)
	if err != nil {
		return err
	}
	mode, isWhiteout, err := p.lstat(base)
	switch {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return err
	case mode == unix.S_IFDIR:
		return u.attributes(name, h)
	default:
		if err := u.tree.remove(name); err != nil {
			return err
		}
		if p, base, err = u.tree.locate(name, true); err != nil {
			return err
		}
	}
	if err := unix.Mkdirat(p.fd, base, 0o700); err != nil {
		return fmt.Errorf("making the directory: %w", err)
	}
	if isWhiteout { // it hid what is below, and so does what takes its place
		if err := u.opaque(name); err != nil {
			return err
		}
	}
	return u.attributes(name, h)
}

// file makes a regular file.
func (u *unpacker) file(ctx context.Context, name string, h *tar.Header, contents io.Reader) error {
	if u.limits.Bytes -= h.Size; u.limits.Bytes < 0 {
		return fmt.Errorf("%w: too many bytes", ErrTooLarge)
	}
	p, base, err := u.vacate(name)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(p.fd, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if _, err := io.CopyN(f, &reader{ctx, contents}, h.Size); err != nil {
		return fmt.Errorf("writing the file: %w", err)
	}
	if err := u.describe(int(f.Fd()), h); err != nil {
		return err
	}
	return setTime(p, base, timespec(h))
}

// reader ends with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // an io.Reader has no other way to get it
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (u *unpacker) symlink(name string, h *tar.Header) error {
	p, base, err := u.vacate(name)
	if err != nil {
		return err
	}
	// Its target may be anything: it is followed in containers only, below their root.
	if err := unix.Symlinkat(h.Linkname, p.fd, base); err != nil {
		return fmt.Errorf("making the link: %w", err)
	}
	if u.root {
		if err := unix.Fchownat(p.fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("giving the link to its owner: %w", err)
		}
	}
	return setTime(p, base, timespec(h))
}

func (u *unpacker) hardLink(name string, h *tar.Header) error {
	target, err := clean(h.Linkname)
	if err != nil {
		return err
	}
	from, fromBase, err := u.tree.locate(target, false)
	if err != nil {
		return fmt.Errorf("finding the target of a hard link: %w", err)
	}
	mode, _, err := from.lstat(fromBase)
	if err != nil || mode == unix.S_IFDIR {
		return fmt.Errorf("%w: a hard link to %q, which is no file of the layer", ErrUnsafe, h.Linkname)
	}
	if target == name {
		return nil
	}
	// The directory of the target may be forgotten by what comes next.
	old, err := from.open(fromBase)
	if err != nil {
		return err
	}
	defer unix.Close(old)
	p, base, err := u.vacate(name)
	if err != nil {
		return err
	}
	opened := "/proc/self/fd/" + strconv.Itoa(old)
	if err := unix.Linkat(unix.AT_FDCWD, opened, p.fd, base, unix.AT_SYMLINK_FOLLOW); err != nil {
		return fmt.Errorf("making the hard link: %w", err)
	}
	return nil
}

func (u *unpacker) fifo(name string, h *tar.Header) error {
	p, base, err := u.vacate(name)
	if err != nil {
		return err
	}
	if err := unix.Mknodat(p.fd, base, unix.S_IFIFO|uint32(h.Mode&0o777), 0); err != nil {
		return fmt.Errorf("making the FIFO: %w", err)
	}
	if !u.root {
		return nil
	}
	if err := unix.Fchownat(p.fd, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("giving the FIFO to its owner: %w", err)
	}
	return nil
}

// vacate makes room for a name: what an earlier entry put there goes.
func (u *unpacker) vacate(name string) (*place, string, error) {
	p, base, err := u.tree.locate(name, true)
	if err != nil {
		return nil, "", err
	}
	if _, _, err := p.lstat(base); errors.Is(err, unix.ENOENT) {
		return p, base, nil
	} else if err != nil {
		return nil, "", err
	}
	if err := u.tree.remove(name); err != nil {
		return nil, "", err
	}
	return u.tree.locate(name, true)
}
