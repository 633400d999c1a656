package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/mesos-operator/mesos-operator/internal/failpoint"
)

// syncers bounds how many files are synced at once. A journalling file system
// makes one commit of syncs that come together, so a batch takes little longer
// than one file.
const syncers = 16

// newSuffix marks a file that is being written. Recovery never looks at such.
const newSuffix = ".new"

// batch collects changes and makes them durable together.
type batch struct {
	writes  map[string][]byte // whole files, by path
	appends map[string][]byte
	links   map[string]string // symbolic links: path to target
	removes map[string]bool
	dirs    map[string]bool // to be synced
}

func newBatch() *batch {
	return &batch{
		writes: map[string][]byte{}, appends: map[string][]byte{}, links: map[string]string{},
		removes: map[string]bool{}, dirs: map[string]bool{},
	}
}

func (b *batch) write(path string, data []byte) {
	b.writes[path] = data
	delete(b.removes, path)
}

func (b *batch) add(path string, data []byte) { b.appends[path] = append(b.appends[path], data...) }

func (b *batch) link(path, target string) {
	b.links[path] = target
	delete(b.removes, path)
}

func (b *batch) remove(path string) {
	b.removes[path] = true
	delete(b.writes, path)
	delete(b.links, path)
}

// commit writes everything. On return without an error it is on the disk.
func (b *batch) commit() error {
	failpoint.Reach(failpoint.CheckpointBegins)
	if err := b.writeFiles(); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CheckpointWritten)
	if err := b.rename(); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CheckpointRenamed)
	if err := each(slices.Collect(maps.Keys(b.dirs)), syncDir); err != nil {
		return err
	}
	failpoint.Reach(failpoint.CheckpointSynced)
	return nil
}

// writeFiles brings the contents of files to the disk, new ones under
// temporary names.
func (b *batch) writeFiles() error {
	files := map[string]func() error{}
	for path, data := range b.writes {
		files[path] = func() error { return writeNew(path+newSuffix, data) }
	}
	for path, data := range b.appends {
		files[path] = func() error { return appendTo(path, data) }
	}
	for path := range files {
		if err := b.mkdir(filepath.Dir(path)); err != nil {
			return err
		}
		b.dirs[filepath.Dir(path)] = true
	}
	return each(slices.Collect(maps.Values(files)), func(f func() error) error { return f() })
}

// mkdir makes a directory with its parents, and notes which have to be synced.
func (b *batch) mkdir(dir string) error {
	if b.dirs[dir] {
		return nil
	}
	err := os.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		b.dirs[dir], b.dirs[filepath.Dir(dir)] = true, true
		return nil
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("checkpointing: %w", err)
	}
	if err := b.mkdir(filepath.Dir(dir)); err != nil {
		return err
	}
	return b.mkdir(dir)
}

// rename puts the new files and links in place, and removes.
func (b *batch) rename() error {
	for path := range b.writes {
		if err := os.Rename(path+newSuffix, path); err != nil {
			return fmt.Errorf("checkpointing: %w", err)
		}
	}
	for path, target := range b.links {
		if err := b.mkdir(filepath.Dir(path)); err != nil {
			return err
		}
		if err := replaceLink(path, target); err != nil {
			return fmt.Errorf("checkpointing: %w", err)
		}
		b.dirs[filepath.Dir(path)] = true
	}
	for path := range b.removes {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("checkpointing: %w", err)
		}
		if _, err := os.Stat(filepath.Dir(path)); err == nil {
			b.dirs[filepath.Dir(path)] = true
		}
	}
	return nil
}

func replaceLink(path, target string) error {
	if now, err := os.Readlink(path); err == nil && now == target {
		return nil
	}
	tmp := path + newSuffix
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func writeNew(path string, data []byte) error {
	return writeTo(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, data)
}

// appendTo adds to a file that begins with the header.
func appendTo(path string, data []byte) error {
	if s, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && s.Size() == 0 {
		data = append(slices.Clone(header), data...)
	}
	return writeTo(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, data)
}

func writeTo(path string, flags int, data []byte) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return fmt.Errorf("checkpointing: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("checkpointing: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("checkpointing: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("checkpointing: syncing %s: %w", dir, err)
	}
	return nil
}

// each calls f for all items, several at once.
func each[T any](items []T, f func(T) error) error {
	if len(items) == 1 {
		return f(items[0])
	}
	var g errgroup.Group
	g.SetLimit(syncers)
	for _, item := range items {
		g.Go(func() error { return f(item) })
	}
	return g.Wait()
}
