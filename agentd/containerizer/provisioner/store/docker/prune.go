package docker

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Prune implements store.Store. Renames put what goes out of reach; the rest is done
// when the caller has gone on.
func (s *Store) Prune(keep []*mesos.Image, inUse map[string]bool) error {
	names := map[string]bool{}
	for _, image := range keep {
		ref, err := ParseReference(image.GetDocker().GetName())
		if err != nil {
			return err
		}
		names[ref.String()] = true
	}
	images, err := s.images.retain(names)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, e := range images {
		needed[filepath.Join(s.configsDir(), e.Config)] = true
		for _, id := range e.Layers {
			needed[filepath.Join(s.layersDir(), id)] = true
		}
	}
	for path := range inUse { // of layers it is the root that is named
		needed[path], needed[filepath.Dir(path)] = true, true
	}
	for _, dir := range []string{s.layersDir(), s.configsDir()} {
		if err := s.discard(dir, needed); err != nil {
			return err
		}
	}
	s.removeLater()
	return nil
}

// discard moves what is not needed in a directory out of the way.
func (s *Store) discard(dir string, needed map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for what can go: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if needed[path] {
			continue
		}
		grave := filepath.Join(s.gcDir(), e.Name()+"."+strconv.FormatInt(time.Now().UnixNano(), 10))
		if err := os.Rename(path, grave); err != nil {
			return fmt.Errorf("putting %s aside: %w", path, err)
		}
	}
	return nil
}

// removeLater removes what was put aside.
func (s *Store) removeLater() { s.remove.Go(func() { s.empty(s.gcDir()) }) }

func (s *Store) empty(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.cfg.Log.Error(err, "Removing what is left of images")
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			s.cfg.Log.Error(err, "Removing what is left of images")
		}
	}
}
