package paths

import (
	"fmt"
	"path"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// PersistentVolume is where a persistent volume lives: below the work directory,
// below the root of a PATH disk, or at the root of a MOUNT disk. The resource has
// the form with reservation stacks.
func PersistentVolume(workDir string, v *mesos.Resource) (string, error) {
	id := v.GetDisk().GetPersistence().GetId()
	if err := CheckID(id); err != nil {
		return "", fmt.Errorf("persistence ID: %w", err)
	}
	n := len(v.GetReservations())
	if n == 0 {
		return "", fmt.Errorf("persistent volume %q is not reserved", id)
	}
	role := v.GetReservations()[n-1].GetRole()
	switch source := v.GetDisk().GetSource(); source.GetType() {
	case mesos.Resource_DiskInfo_Source_PATH:
		return Volume(below(workDir, source.GetPath().GetRoot()), role, id), nil
	case mesos.Resource_DiskInfo_Source_MOUNT:
		return below(workDir, source.GetMount().GetRoot()), nil
	case mesos.Resource_DiskInfo_Source_UNKNOWN:
		return Volume(workDir, role, id), nil
	default:
		return "", fmt.Errorf("persistent volume %q on a disk of type %s", id, source.GetType())
	}
}

// below makes the root of a disk absolute: Mesos takes it relative to the work directory.
func below(workDir, root string) string {
	if path.IsAbs(root) {
		return root
	}
	return path.Join(workDir, root)
}
