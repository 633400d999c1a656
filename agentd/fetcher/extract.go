package fetcher

import (
	"archive/tar"
	"archive/zip"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// maxEntries bounds how many files an archive may make.
const maxEntries = 1 << 20

// extract extracts an archive into the sandbox. ok is false for what is none,
// by its name.
func (w *work) extract(name string) (ok bool, err error) {
	unpack, ok := w.unpacker(name)
	if !ok {
		return false, nil
	}
	f, err := w.root.Open(name)
	if err != nil {
		return true, err
	}
	defer f.Close()
	return true, unpack(f)
}

// extractCached extracts an archive out of the cache, by the name that its URI has: of it
// only the contents come into the sandbox.
func (w *work) extractCached(i item) (ok bool, err error) {
	name, err := basename(i.URI)
	if err != nil {
		return false, err
	}
	unpack, ok := w.unpacker(name)
	if !ok {
		return false, nil
	}
	f, err := os.Open(i.CacheFile)
	if err != nil {
		return true, err
	}
	defer f.Close()
	return true, unpack(f)
}

// unpacker is chosen by the file's extension, the longest that fits.
func (w *work) unpacker(name string) (func(*os.File) error, bool) {
	tarOf := func(decompress func(io.Reader) (io.Reader, error)) func(*os.File) error {
		return func(f *os.File) error {
			r, err := decompress(f)
			if err != nil {
				return err
			}
			return w.untar(r)
		}
	}
	switch {
	case hasSuffix(name, ".tar"):
		return tarOf(func(r io.Reader) (io.Reader, error) { return r, nil }), true
	case hasSuffix(name, ".tar.gz", ".tgz"):
		return tarOf(func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }), true
	case hasSuffix(name, ".tar.bz2", ".tbz2"):
		return tarOf(func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }), true
	case hasSuffix(name, ".tar.xz", ".txz"):
		return tarOf(func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }), true
	case hasSuffix(name, ".zip"):
		return w.unzip, true
	case hasSuffix(name, ".gz"):
		return func(f *os.File) error { return w.gunzip(f, filepath.Base(strings.TrimSuffix(name, ".gz"))) }, true
	}
	return nil, false
}

func hasSuffix(name string, suffixes ...string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

// gunzip makes a single file of a compressed one.
func (w *work) gunzip(f *os.File, name string) error {
	if name == "" || name == "." {
		return fmt.Errorf("%w: no name is left for the file", ErrURI)
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return w.write(name, r, 0o644)
}

// unpacking makes the entries of one archive.
type unpacking struct {
	root    *os.Root
	left    int64 // bytes that may still come
	entries int
	// dirs get their permissions last, or nothing could be written into some.
	dirs []entry
}

// entry is one file of an archive.
type entry struct {
	name string
	mode fs.FileMode // with its type
	time time.Time
	link string // target of a symbolic link, or name of the file of a hard link
	hard bool
}

func (w *work) unpacking() *unpacking { return &unpacking{root: w.root, left: w.cfg.MaxBytes} }

// untar extracts a tar. Devices, pipes and the like are left out.
func (w *work) untar(r io.Reader) error {
	u := w.unpacking()
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return u.finish()
		} else if err != nil {
			return err
		}
		e := entry{name: h.Name, mode: h.FileInfo().Mode(), time: h.ModTime, link: h.Linkname}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeGNUSparse:
		case tar.TypeLink:
			e.hard = true
		default:
			fmt.Fprintf(w.log, "Left out '%s': it is no file, directory or link\n", h.Name)
			continue
		}
		if err := u.add(e, archive); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

// unzip extracts a zip.
func (w *work) unzip(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	u := w.unpacking()
	for _, file := range archive.File {
		if err := u.addZipped(file); err != nil {
			return fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	return u.finish()
}

// maxLink bounds the target of a symbolic link, as the kernel does.
const maxLink = 4096

func (u *unpacking) addZipped(file *zip.File) error {
	r, err := file.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	e := entry{name: file.Name, mode: file.Mode(), time: file.Modified}
	if e.mode.Type() == fs.ModeSymlink {
		target, err := io.ReadAll(io.LimitReader(r, maxLink))
		if err != nil {
			return err
		}
		e.link = string(target)
	}
	return u.add(e, r)
}

// add makes one entry, in place of whatever has its name.
func (u *unpacking) add(e entry, contents io.Reader) error {
	if u.entries++; u.entries > maxEntries {
		return fmt.Errorf("%w of %d files", ErrTooLarge, maxEntries)
	}
	// Absolute names are taken as relative ones, as tar(1) does.
	e.name = filepath.Clean(strings.TrimLeft(e.name, "/"))
	if !filepath.IsLocal(e.name) {
		return fmt.Errorf("%w: the entry is not within the sandbox", ErrURI)
	}
	if e.name == "." {
		return nil
	}
	if err := u.root.MkdirAll(filepath.Dir(e.name), 0o755); err != nil {
		return err
	}
	if e.mode.IsDir() {
		u.dirs = append(u.dirs, e)
		return u.root.MkdirAll(e.name, 0o700|e.mode.Perm())
	}
	if err := u.root.Remove(e.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case e.hard:
		return u.root.Link(filepath.Clean(strings.TrimLeft(e.link, "/")), e.name)
	case e.mode.Type() == fs.ModeSymlink:
		return u.root.Symlink(e.link, e.name) // wherever it leads, nothing is written through it
	case e.mode.IsRegular():
		return u.file(e, contents)
	}
	return nil
}

func (u *unpacking) file(e entry, contents io.Reader) error {
	f, err := u.root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, e.mode.Perm()|0o200)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(contents, u.left+1))
	u.left -= n
	if err == nil && u.left < 0 {
		err = fmt.Errorf("%w of what an archive may hold", ErrTooLarge)
	}
	// Permissions without the bits that would make it run as its owner.
	if err = errors.Join(err, f.Chmod(e.mode.Perm()), f.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(e.name, e.time, e.time)
}

// finish sets the permissions of directories, the inner ones first.
func (u *unpacking) finish() error {
	for i := len(u.dirs) - 1; i >= 0; i-- {
		d := u.dirs[i]
		if err := u.root.Chmod(d.name, d.mode.Perm()); err != nil {
			return err
		}
	}
	return nil
}
