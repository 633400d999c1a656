package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Copy copies a layer that was unpacked in the form Plain into a directory, over
// what earlier layers put there, and applies its whiteouts.
func Copy(ctx context.Context, from, dir string, limits Limits) error {
	u, err := newUnpacker(dir, Applied, limits)
	if err != nil {
		return err
	}
	defer u.close()
	source, err := os.OpenRoot(from)
	if err != nil {
		return fmt.Errorf("opening a layer: %w", err)
	}
	defer source.Close()
	c := &copier{u: u, source: source, from: from, links: map[inode]string{}}
	if err := c.directory(ctx, "."); err != nil {
		return fmt.Errorf("copying layer %s: %w", from, err)
	}
	return u.finish()
}

type inode struct{ dev, ino uint64 }

// copier walks a layer and gives its files to an unpacker.
type copier struct {
	u      *unpacker
	source *os.Root
	from   string
	// links are the names of files that have several.
	links map[inode]string
}

// directory copies a directory and all in it: what it removes first.
func (c *copier) directory(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := c.source.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.add(ctx, dir); err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		if x, y := rank(a.Name()), rank(b.Name()); x != y {
			return x - y
		}
		return strings.Compare(a.Name(), b.Name())
	})
	for _, e := range entries {
		copyOf := c.add
		if e.IsDir() {
			copyOf = c.directory
		}
		if err := copyOf(ctx, path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// rank puts whiteouts before all else, and that of a whole directory first.
func rank(name string) int {
	switch {
	case name == whiteoutPrefix+opaqueName:
		return 0
	case strings.HasPrefix(name, whiteoutPrefix):
		return 1
	}
	return 2
}

// add copies one file.
func (c *copier) add(ctx context.Context, name string) error {
	info, err := c.source.Lstat(name)
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = c.source.Readlink(name); err != nil {
			return err
		}
	}
	if info.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Uname, h.Gname = name, "", ""
	if s := info.Sys().(*syscall.Stat_t); info.Mode().IsRegular() && s.Nlink > 1 {
		id := inode{uint64(s.Dev), s.Ino} //nolint:unconvert // 32 bits on some platforms
		if first, ok := c.links[id]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
			return c.u.entry(ctx, h, nil)
		}
		c.links[id] = name
	}
	if h.PAXRecords, err = attributesOf(filepath.Join(c.from, name), info); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return c.u.entry(ctx, h, nil)
	}
	f, err := c.source.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.u.entry(ctx, h, f)
}

// attributesOf reads extended attributes. The layer has been in a directory of the agent's
// own since it was unpacked, so its path is what it was.
func attributesOf(file string, info fs.FileInfo) (map[string]string, error) {
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, nil
	}
	size, err := unix.Llistxattr(file, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && size == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading attributes: %w", err)
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(file, list); err != nil {
		return nil, fmt.Errorf("reading attributes: %w", err)
	}
	out := map[string]string{}
	value := make([]byte, 64<<10) // the kernel's limit
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:size]), "\x00"), "\x00") {
		n, err := unix.Lgetxattr(file, name, value)
		if err != nil {
			continue // gone, or not for us
		}
		out[attributePrefix+name] = string(value[:n])
	}
	return out, nil
}
