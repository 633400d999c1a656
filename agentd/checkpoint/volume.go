package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/atomicfile"
)

// applyVolumes makes and removes persistent volumes.
func (s *Store) applyVolumes(r state.VolumesRecord) error {
	for _, v := range r.Create {
		dir, err := paths.PersistentVolume(s.workDir, v)
		if err != nil {
			return err
		}
		if err := atomicfile.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making persistent volume: %w", err)
		}
	}
	for _, v := range r.Destroy {
		if err := s.destroyVolume(v); err != nil {
			return fmt.Errorf("removing persistent volume: %w", err)
		}
	}
	return nil
}

// destroyVolume removes a volume. The root of a MOUNT disk stays: it is a mount
// point, and only its contents go.
func (s *Store) destroyVolume(v *mesos.Resource) error {
	dir, err := paths.PersistentVolume(s.workDir, v)
	if err != nil {
		return err
	}
	if v.GetDisk().GetSource().GetType() != mesos.Resource_DiskInfo_Source_MOUNT {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := atomicfile.SyncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
