package du

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// disk is a directory with a quota.
type disk struct {
	// quota is in bytes.
	quota uint64
	// bounded says that the file system itself holds the container to it: a disk
	// of type MOUNT is the container's alone.
	bounded   bool
	resources []*mesos.Resource
	// used is what was measured last, in bytes; nil before that.
	used *uint64
}

// disksOf finds the directories that resources pay for: persistent volumes, and
// with all other disk the sandbox.
func disksOf(workDir, sandbox string, rs []*mesos.Resource) (map[string]*disk, error) {
	out := map[string]*disk{}
	for _, r := range rs {
		if r.GetName() != "disk" {
			continue
		}
		path := sandbox
		if r.GetDisk().GetPersistence() != nil {
			var err error
			if path, err = paths.PersistentVolume(workDir, r); err != nil {
				return nil, err
			}
		}
		d := out[path]
		if d == nil {
			d = &disk{}
			out[path] = d
		}
		d.quota += isolator.Bytes(r.GetScalar().GetValue())
		d.bounded = d.bounded || r.GetDisk().GetSource().GetType() == mesos.Resource_DiskInfo_Source_MOUNT
		d.resources = append(d.resources, r)
	}
	return out, nil
}

func (d *disk) statistics() *mesos.DiskStatistics {
	s := &mesos.DiskStatistics{LimitBytes: new(d.quota)}
	if d.used != nil {
		s.UsedBytes = new(*d.used)
	}
	info := d.resources[0].GetDisk()
	s.Source, s.Persistence = info.GetSource(), info.GetPersistence()
	return s
}

// blockSize is the unit of st_blocks, see stat(2).
const blockSize = 512

// usage adds up the blocks of a directory and all in it. Files with several names
// count once; links are not followed. What disappears meanwhile is passed by.
func usage(ctx context.Context, dir string) (uint64, error) {
	type file struct{ device, inode uint64 }
	seen := map[file]bool{}
	var total uint64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
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
	})
	return total, err
}
