// Package atomicfile writes files that must survive a crash: afterwards there
// is the old file or the new one, whole, and when a function has returned it is
// the new one, whatever happens to the machine.
//
// A file is written under a temporary name in the same directory, synced,
// renamed, and the directory synced. Whoever keeps state on disk (checkpoints,
// the IDs of masters) writes through this package; it owns no file itself.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// temporary marks the names of files that are being written.
const temporary = ".atomic-"

// Write replaces the file at path by data. The directory must exist.
func Write(path string, data []byte, mode fs.FileMode) error {
	return WriteFrom(path, bytes.NewReader(data), mode)
}

// WriteFrom is Write for contents that needn't be in memory.
func WriteFrom(path string, contents io.Reader, mode fs.FileMode) error {
	dir, name := filepath.Split(path)
	f, err := os.CreateTemp(filepath.Clean(dir), "."+name+temporary+"*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := fill(f, contents, mode); err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := SyncDir(dir); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// fill writes and syncs f, and closes it in any case: a file system may report
// a failed write no earlier than that.
func fill(f *os.File, contents io.Reader, mode fs.FileMode) (err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, contents); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Sync()
}

// Remove removes a file for good. That it doesn't exist is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	if err := SyncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}

// Symlink makes path a symbolic link to target, replacing what link was there.
func Symlink(target, path string) error {
	dir, name := filepath.Split(path)
	// The name needn't be random: two writers of one link are a mistake, and one
	// of them is left over from a crash.
	link := filepath.Join(dir, "."+name+temporary+"link")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	if err := os.Symlink(target, link); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	if err := os.Rename(link, path); err != nil {
		os.Remove(link)
		return fmt.Errorf("linking %s: %w", path, err)
	}
	if err := SyncDir(dir); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	return nil
}

// MkdirAll is os.MkdirAll, with every new directory synced into its parent.
func MkdirAll(path string, mode fs.FileMode) error {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating directory: %w", err)
	} else if info, statErr := os.Stat(path); statErr != nil || !info.IsDir() {
		return fmt.Errorf("creating directory %s: %w", path, errors.Join(err, statErr))
	}
	if err := SyncDir(parent); err != nil {
		return fmt.Errorf("creating directory %s: %w", path, err)
	}
	return nil
}

// SyncDir makes durable which files a directory has.
func SyncDir(dir string) (err error) {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing directory %s: %w", dir, err)
	}
	return nil
}

// IsTemporary says whether a file name is that of a file which was being
// written; after a restart such a file is rubbish, to be skipped and removed.
func IsTemporary(name string) bool {
	return strings.HasPrefix(name, ".") && strings.Contains(name, temporary)
}
