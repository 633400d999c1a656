package du

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"

	shared "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// disk is a directory that is measured.
type disk struct {
	shared.Place
	// used is what was measured last, in bytes; nil before that. It outlives changes
	// of the quota.
	used *atomic.Pointer[uint64]
}

// usedBytes is what the disk was found to take; known is false before that was measured.
func (d disk) usedBytes() (n uint64, known bool) {
	if used := d.used.Load(); used != nil {
		return *used, true
	}
	return 0, false
}

// statistics of a sandbox say 0 before it was measured, those of a volume nothing.
func (d disk) statistics() *mesos.DiskStatistics {
	s := &mesos.DiskStatistics{LimitBytes: new(d.Quota), Source: d.Info.GetSource(), Persistence: d.Info.GetPersistence()}
	if used, known := d.usedBytes(); known || d.Info == nil {
		s.UsedBytes = &used
	}
	return s
}

// blockSize is the unit of st_blocks, see stat(2).
const blockSize = 512

// file tells files with several names from each other.
type file struct{ device, inode uint64 }

// usage adds up the blocks of directories and all in them. Files with several names
// count once; links are not followed. What disappears meanwhile is passed by.
func usage(ctx context.Context, dirs ...string) (total uint64, err error) {
	seen := map[file]bool{}
	add := func(_ string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Nlink > 1 && !info.IsDir() {
			f := file{uint64(stat.Dev), stat.Ino} //nolint:unconvert // 32 bits on some platforms
			if seen[f] {
				return nil
			}
			seen[f] = true
		}
		total += uint64(stat.Blocks) * blockSize
		return nil
	}
	for _, dir := range dirs {
		if err := filepath.WalkDir(dir, add); err != nil {
			return 0, err
		}
	}
	return total, nil
}
