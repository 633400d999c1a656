package xfs

import (
	"fmt"
	"syscall"

	"github.com/moby/sys/mountinfo"
)

// unixStat is what os.FileInfo has of a file.
type unixStat = syscall.Stat_t

// deviceOf is the block device that is mounted at a directory.
func deviceOf(dir string) (string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
	if err != nil {
		return "", fmt.Errorf("looking for the device of %s: %w", dir, err)
	}
	if len(mounts) == 0 {
		return "", fmt.Errorf("%s is not a mount point", dir)
	}
	return mounts[0].Source, nil
}
