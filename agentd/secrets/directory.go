package secrets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// Directory resolves references under a directory: <name>/<key>, or the file
// <name> without a key. The directory must be the agent's own user's, and nobody
// else may write to it. Links that lead out of it are not followed. Files are read
// anew each time, so that secrets may change; a mounted Kubernetes Secret has
// this form.
func Directory(dir string) (Resolver, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("directory of secrets %q: want an absolute path", dir)
	}
	if err := private(dir); err != nil {
		return nil, fmt.Errorf("directory of secrets %s: %w", dir, err)
	}
	return references(func(_ context.Context, name, key string) ([]byte, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return read(root, path.Join(name, key))
	}), nil
}

// private makes sure that nobody can slip a secret in.
func private(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("not a directory")
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && int(owner) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d", owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to it: %s", info.Mode())
	}
	return nil
}

func read(root *os.Root, file string) ([]byte, error) {
	f, err := root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not keep us waiting
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is no file", ErrNotFound)
	}
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}
