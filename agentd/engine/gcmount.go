package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// unmount unmounts what is mounted on the path of a garbage or below it, the last mount
// first: a task that mounted something in its sandbox may have left it, and to remove
// garbage must not be to remove what is behind a mount. Links that tasks can make are not
// followed: no mount is below one.
func (g garbage) unmount(path string) error {
	trusted := cmp.Or(g.within, filepath.Dir(path))
	inside, err := filepath.Rel(trusted, path)
	if err != nil {
		return err
	}
	trusted, err = filepath.EvalSymlinks(trusted)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went with what it was in
	}
	if err != nil {
		return err
	}
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(filepath.Join(trusted, inside)))
	if err != nil {
		return fmt.Errorf("looking for mounts below %s: %w", path, err)
	}
	for _, m := range slices.Backward(mounts) {
		if err := unix.Unmount(m.Mountpoint, unix.UMOUNT_NOFOLLOW); err != nil {
			return fmt.Errorf("unmounting %s, which was left in garbage: %w", m.Mountpoint, err)
		}
	}
	return nil
}
