// Package xfs is the isolator "disk/xfs": the sandbox of a container, together with what it
// changed in its image, and each of its persistent volumes is a project of an XFS file system, which counts what it takes
// exactly and at no cost, and with --enforce_container_disk_quota refuses more than
// the quota, by EDQUOT. With --xfs_kill_containers there is some headroom above the
// quota, and a container that uses it is ended (REASON_CONTAINER_LIMITATION_DISK).
//
// A directory keeps its project until it is deleted: a sandbox until the agent's
// garbage collection, a volume until it is destroyed. By the directories on disk the next
// life of the agent knows which project is whose.
package xfs

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	shared "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// Name is the isolator's name.
const Name = "disk/xfs"

// DefaultRange and DefaultHeadroom are Mesos's.
const (
	DefaultRange    = "[5000-10000]"
	DefaultHeadroom = 10 * isolator.Megabyte
)

// Config are the agent's flags.
type Config struct {
	// WorkDir is the agent's work directory, Disks the roots of disks of type PATH
	// that it has beside it.
	WorkDir string
	Disks   []string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Range are the projects (--xfs_project_range).
	Range string
	// Enforce has the file system refuse what is over the quota
	// (--enforce_container_disk_quota).
	Enforce bool
	// Kill ends containers over their quota (--xfs_kill_containers); Headroom is how
	// many bytes they may take before the file system refuses more
	// (--xfs_quota_headroom), Interval the pause between two looks
	// (--container_disk_watch_interval). All three matter only with Enforce.
	Kill     bool
	Headroom uint64
	Interval time.Duration
	// Reclaim is the pause between two looks for directories that are gone
	// (--disk_watch_interval).
	Reclaim time.Duration
	// Log is told of projects that can't be given back.
	Log logr.Logger
}

// Isolator implements isolator.Isolator. The projects stay with the directories when a
// container is cleaned up.
type Isolator struct {
	*shared.Books[map[string]disk]
	cfg      Config
	projects *projects
}

var _ isolator.Isolator = (*Isolator)(nil)

// disk is a directory with a quota; one that is a disk of its own has no project.
type disk struct {
	shared.Place
	holder holder
}

// New returns the isolator. Errors: ErrUnsupported, others.
func New(cfg Config) (*Isolator, error) {
	p, err := newProjects(cfg.Range)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	i := &Isolator{cfg: cfg, projects: p}
	i.Books = shared.NewBooks(i.open)
	patterns := []string{filepath.Join(cfg.Root, paths.Run(cfg.WorkDir, "*", "*", "*", "*"))}
	for _, changes := range provisioner.Changes(cfg.WorkDir) {
		patterns = append(patterns, filepath.Join(cfg.Root, changes))
	}
	for _, dir := range append([]string{cfg.WorkDir}, cfg.Disks...) {
		dir = filepath.Join(cfg.Root, dir)
		on, err := filesystemOf(dir)
		if err == nil {
			err = on.check(cfg.Enforce)
		}
		if err != nil {
			return nil, fmt.Errorf("isolator %s: %w", Name, err)
		}
		patterns = append(patterns, paths.Volume(dir, "*", "*"))
	}
	if err := p.find(patterns...); err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	return i, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Run implements isolator.Runner: it gives back the projects of directories that
// are gone.
func (i *Isolator) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(i.cfg.Reclaim):
		}
		if err := i.projects.reclaim(); err != nil {
			i.cfg.Log.Error(err, "Giving back XFS projects")
		}
	}
}

// Gauges implements isolator.Gauged.
func (i *Isolator) Gauges(emit func(name string, value float64)) {
	total, free := i.projects.counts()
	emit("containerizer/mesos/disk/project_ids_total", float64(total))
	emit("containerizer/mesos/disk/project_ids_free", float64(free))
}

// open gives directories projects and quotas. Standalone containers have none.
func (i *Isolator) open(c *isolator.Container, rs []*mesos.Resource) (map[string]disk, error) {
	if c.Config.Standalone {
		return nil, nil
	}
	places, err := shared.Places(i.cfg.WorkDir, c, rs)
	if err != nil {
		return nil, err
	}
	out := map[string]disk{}
	for dir, p := range places {
		dir = filepath.Join(i.cfg.Root, dir)
		d := disk{Place: p}
		if !d.Alone() {
			if err := i.assign(&d, dir); err != nil {
				return nil, err
			}
		}
		out[dir] = d
	}
	return out, nil
}

// assign makes a directory, and what counts like it, a project with a quota.
func (i *Isolator) assign(d *disk, dir string) (err error) {
	if d.holder, err = i.projects.get(dir, i.cfg.Enforce); err != nil {
		return err
	}
	for _, changes := range d.Changes {
		if err := i.projects.share(filepath.Join(i.cfg.Root, changes), d.holder); err != nil {
			return err
		}
	}
	soft, hard := d.Quota, d.Quota
	switch {
	case !i.cfg.Enforce:
		soft, hard = 0, 0
	case i.cfg.Kill && d.Quota > 0:
		hard += i.cfg.Headroom
	}
	return d.holder.on.limit(d.holder.project, soft, hard)
}

// measure is what a directory takes, in bytes.
func (d disk) measure(dir string) (uint64, error) {
	if !d.Alone() {
		return d.holder.on.used(d.holder.project)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("measuring %s: %w", dir, err)
	}
	return (s.Blocks - s.Bfree) * uint64(s.Bsize), nil
}

// Watch implements isolator.Isolator.
func (i *Isolator) Watch(ctx context.Context, c *isolator.Container) (*isolator.Limitation, error) {
	if !i.cfg.Enforce || !i.cfg.Kill || i.Of(c.ID) == nil {
		return nil, nil
	}
	for {
		select {
		case <-time.After(i.cfg.Interval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if l := i.over(c); l != nil {
			return l, nil
		}
	}
}

// Limited implements isolator.Isolator.
func (i *Isolator) Limited(c *isolator.Container) *isolator.Limitation {
	if !i.cfg.Enforce || !i.cfg.Kill {
		return nil
	}
	return i.over(c)
}

// over finds a directory that takes more than its quota.
func (i *Isolator) over(c *isolator.Container) *isolator.Limitation {
	for dir, d := range i.Of(c.ID) {
		if d.Alone() || d.Quota == 0 {
			continue
		}
		used, err := d.measure(dir)
		if err != nil {
			i.cfg.Log.Info("A container's disk can't be measured", "container_id", c.ID, "error", err.Error())
			continue
		}
		if used > d.Quota {
			return d.limitation(used)
		}
	}
	return nil
}

// limitation has Mesos's words, which are not those of disk/du.
func (d disk) limitation(used uint64) *isolator.Limitation {
	message := fmt.Sprintf("Disk usage (%s) exceeded quota (%s)", flags.Bytes(used), flags.Bytes(d.Quota))
	if d.Info != nil {
		message += " for volume '" + d.Info.GetPersistence().GetId() + "'"
	}
	return &isolator.Limitation{
		Reason: mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK, Message: message,
		Resources: []*mesos.Resource{{
			Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Disk: d.Info,
			Scalar: &mesos.Value_Scalar{Value: new(float64(used / isolator.Megabyte))},
		}},
	}
}

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	disks := i.Of(c.ID)
	for _, dir := range slices.Sorted(maps.Keys(disks)) {
		d := disks[dir]
		used, err := d.measure(dir)
		if err != nil {
			return err
		}
		if d.Info == nil {
			s.DiskLimitBytes, s.DiskUsedBytes = &d.Quota, &used
			continue
		}
		one := &mesos.DiskStatistics{Source: d.Info.GetSource(), Persistence: d.Info.GetPersistence(), UsedBytes: &used}
		if !d.Alone() {
			one.LimitBytes = &d.Quota
		}
		s.DiskStatistics = append(s.DiskStatistics, one)
	}
	return nil
}
