package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	inside, err := resolve(root, rest)
	if err != nil {
		return failure(err)
	}
	return failure(use(root, inside))
}

// resolve deals with symbolic links that are absolute and yet lead to
// something in the root: os.Root refuses these. If somebody changes the links
// afterwards, os.Root still doesn't leave the root.
func resolve(root *os.Root, rest string) (string, error) {
	_, err := root.Stat(rest)
	if err == nil || nothing(err) {
		return rest, err
	}
	full := root.Name() + "/" + rest
	resolved, err := filepath.EvalSymlinks(full)
	if err != nil {
		return "", unresolved(full, err)
	}
	inside, err := filepath.Rel(root.Name(), resolved)
	if err != nil || !filepath.IsLocal(inside) {
		return "", outside(full)
	}
	return inside, nil
}

// nothing is true if there is nothing at a path.
func nothing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// unresolved is why a path could not be followed to its end.
func unresolved(full string, err error) error {
	if nothing(err) {
		return err
	}
	cause, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		cause = syscall.ELOOP // what is found without the kernel
	}
	text := cause.Error()
	return invalid("Failed to determine canonical path of '" + full + "': " + strings.ToUpper(text[:1]) + text[1:])
}

// outside is an ErrInvalid: a path that leads out of what is attached.
type outside string

// Error implements error.
func (path outside) Error() string { return "'" + string(path) + "' is inaccessible" }

// Is makes it an ErrInvalid.
func (outside) Is(target error) bool { return target == ErrInvalid }

// invalid is an ErrInvalid in the words that clients of Mesos know.
type invalid string

// Error implements error.
func (e invalid) Error() string { return string(e) }

// Is makes it an ErrInvalid.
func (invalid) Is(target error) bool { return target == ErrInvalid }

// openFile opens a regular file for use; verb says what for. Nothing else is
// opened: a pipe or a device could block, or have an effect.
func (t target) openFile(verb string, use func(*os.File, fs.FileInfo) error) error {
	return t.within(func(root *os.Root, rest string) error {
		info, err := root.Stat(rest)
		if err == nil {
			err = checkRegular(verb, info)
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
			err = checkRegular(verb, info)
		}
		if err != nil {
			return err
		}
		return use(f, info)
	})
}

func checkRegular(verb string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return invalid("Cannot " + verb + " a directory")
	case !info.Mode().IsRegular():
		return invalid("Cannot " + verb + " a device or a pipe")
	}
	return nil
}

// failure turns the errors of the file system into those of this package.
func failure(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrInvalid):
		return err
	case nothing(err):
		return ErrNotFound
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
