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
		dir, err := VolumePath(s.workDir, v)
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
	dir, err := VolumePath(s.workDir, v)
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

// VolumePath is where a persistent volume lives: below the work directory, below
// the root of a PATH disk, or at the root of a MOUNT disk.
func VolumePath(workDir string, v *mesos.Resource) (string, error) {
	id := v.GetDisk().GetPersistence().GetId()
	if err := paths.CheckID(id); err != nil {
		return "", fmt.Errorf("persistence ID: %w", err)
	}
	n := len(v.GetReservations())
	if n == 0 {
		return "", fmt.Errorf("persistent volume %q is not reserved", id)
	}
	role := v.GetReservations()[n-1].GetRole()
	switch source := v.GetDisk().GetSource(); source.GetType() {
	case mesos.Resource_DiskInfo_Source_PATH:
		return paths.Volume(below(workDir, source.GetPath().GetRoot()), role, id), nil
	case mesos.Resource_DiskInfo_Source_MOUNT:
		return below(workDir, source.GetMount().GetRoot()), nil
	case mesos.Resource_DiskInfo_Source_UNKNOWN:
		return paths.Volume(workDir, role, id), nil
	default:
		return "", fmt.Errorf("persistent volume %q on a disk of type %s", id, source.GetType())
	}
}

// below makes the root of a disk absolute: Mesos takes it relative to the work directory.
func below(workDir, root string) string {
	if filepath.IsAbs(root) {
		return root
	}
	return filepath.Join(workDir, root)
}
