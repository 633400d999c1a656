package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// within calls use with a root that can't be left and a path in it that leads
// to the target. Errors are turned into those of this package.
func (t target) within(use func(root *os.Root, rest string) error) error {
	info, err := os.Lstat(t.path)
	if err != nil {
		return failure(err)
	}
	dir, rest := t.path, t.rest
	switch {
	case !info.IsDir() && rest != "":
		return ErrNotFound
	case !info.IsDir():
		dir, rest = filepath.Split(t.path)
	case rest == "":
		rest = "."
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return failure(err)
	}
	defer root.Close()
	rest, err = resolve(root, rest)
	if err != nil {
		return failure(err)
	}
	return failure(use(root, rest))
}

// resolve deals with symbolic links that are absolute and yet lead to
// something in the root: os.Root refuses these. If somebody changes the links
// afterwards, os.Root still doesn't leave the root.
func resolve(root *os.Root, rest string) (string, error) {
	_, err := root.Stat(rest)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return rest, err
	}
	resolved, resolveErr := filepath.EvalSymlinks(filepath.Join(root.Name(), rest))
	if resolveErr != nil {
		return "", err
	}
	inside, relErr := filepath.Rel(root.Name(), resolved)
	if relErr != nil || !filepath.IsLocal(inside) {
		return "", fmt.Errorf("%w: the path leads outside of what is attached", ErrInvalid)
	}
	return inside, nil
}

// openFile opens a regular file for use. Nothing else is opened: a pipe or a
// device could block, or have an effect.
func (t target) openFile(use func(*os.File, fs.FileInfo) error) error {
	return t.within(func(root *os.Root, rest string) error {
		info, err := root.Stat(rest)
		if err == nil {
			err = checkRegular(info)
		}
		if err != nil {
			return err
		}
		f, err := root.OpenFile(rest, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err = f.Stat() // it may be another file than before
		if err == nil {
			err = checkRegular(info)
		}
		if err != nil {
			return err
		}
		return use(f, info)
	})
}

func checkRegular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return fmt.Errorf("%w: a directory is not a file", ErrInvalid)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: a device or a pipe is not a file", ErrInvalid)
	}
	return nil
}

// failure turns the errors of the file system into those of this package.
func failure(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrInvalid):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return ErrNotFound
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
