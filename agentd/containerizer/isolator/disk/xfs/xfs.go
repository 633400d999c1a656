// Package xfs is the isolator "disk/xfs": the sandbox of a container and each of its
// persistent volumes is a project of an XFS file system, which counts what it takes
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
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
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

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg      Config
	projects *projects

	mu    sync.Mutex
	disks map[containerizer.ID]map[string]*disk
}

// disk is a directory with a quota in bytes.
type disk struct {
	quota uint64
	// mount says that it is a disk of its own, which needs no project.
	mount  bool
	info   *mesos.Resource_DiskInfo // nil for the sandbox
	holder holder
}

// New returns the isolator. Errors: ErrUnsupported, others.
func New(cfg Config) (*Isolator, error) {
	p, err := newProjects(cfg.Range)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	i := &Isolator{cfg: cfg, projects: p, disks: map[containerizer.ID]map[string]*disk{}}
	patterns := []string{filepath.Join(cfg.Root, paths.Run(cfg.WorkDir, "*", "*", "*", "*"))}
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

// bound says whether a container is one that has quotas: nested ones share those of
// the outermost, whose sandbox theirs are in.
func bound(c *isolator.Container) bool { return c.ID.Parent() == "" && !c.Config.Standalone }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, _ *specs.Spec) error {
	return i.set(c, d.Resources)
}

// Attach implements isolator.Isolator. A sandbox from before the isolator was chosen
// gets a project now.
func (i *Isolator) Attach(c *isolator.Container, again bool) error {
	if !again {
		return nil
	}
	return i.set(c, c.Config.Resources)
}

// Update implements isolator.Isolator.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, _ *specs.LinuxResources) error {
	return i.set(c, d.Resources)
}

// set gives directories projects and quotas.
func (i *Isolator) set(c *isolator.Container, rs []*mesos.Resource) error {
	if !bound(c) {
		return nil
	}
	disks, err := i.disksOf(c.Config.Sandbox, rs)
	if err != nil {
		return err
	}
	for dir, d := range disks {
		if d.mount {
			continue
		}
		if d.holder, err = i.projects.get(dir, i.cfg.Enforce); err != nil {
			return err
		}
		if err := i.limit(d); err != nil {
			return err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.disks[c.ID] = disks
	return nil
}

// disksOf are the directories that resources pay for. The sandbox is always one; what
// it may take without disk isn't limited.
func (i *Isolator) disksOf(sandbox string, rs []*mesos.Resource) (map[string]*disk, error) {
	own := &disk{}
	out := map[string]*disk{filepath.Join(i.cfg.Root, sandbox): own}
	for _, r := range rs {
		quota := isolator.Bytes(r.GetScalar().GetValue())
		switch {
		case r.GetName() != "disk":
		case r.GetDisk() == nil:
			own.quota += quota
		case r.GetDisk().GetPersistence() != nil:
			dir, err := paths.PersistentVolume(i.cfg.WorkDir, r)
			if err != nil {
				return nil, err
			}
			out[filepath.Join(i.cfg.Root, dir)] = &disk{
				quota: quota, info: r.GetDisk(),
				mount: r.GetDisk().GetSource().GetType() == mesos.Resource_DiskInfo_Source_MOUNT,
			}
		}
	}
	return out, nil
}

func (i *Isolator) limit(d *disk) error {
	soft, hard := d.quota, d.quota
	switch {
	case !i.cfg.Enforce:
		soft, hard = 0, 0
	case i.cfg.Kill && d.quota > 0:
		hard += i.cfg.Headroom
	}
	return d.holder.on.limit(d.holder.project, soft, hard)
}

// measure is what a directory takes, in bytes.
func (d *disk) measure(dir string) (uint64, error) {
	if !d.mount {
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
	if !i.cfg.Enforce || !i.cfg.Kill || !bound(c) {
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
	if !i.cfg.Enforce || !i.cfg.Kill || !bound(c) {
		return nil
	}
	return i.over(c)
}

// over finds a directory that takes more than its quota.
func (i *Isolator) over(c *isolator.Container) *isolator.Limitation {
	for dir, d := range i.of(c.ID) {
		if d.mount || d.quota == 0 {
			continue
		}
		used, err := d.measure(dir)
		if err != nil {
			i.cfg.Log.Info("A container's disk can't be measured", "container_id", c.ID, "error", err.Error())
			continue
		}
		if used > d.quota {
			return d.limitation(used)
		}
	}
	return nil
}

func (d *disk) limitation(used uint64) *isolator.Limitation {
	message := fmt.Sprintf("Disk usage (%s) exceeds quota (%s)", flags.Bytes(used), flags.Bytes(d.quota))
	if d.info != nil {
		message += " of volume " + d.info.GetPersistence().GetId()
	}
	return &isolator.Limitation{
		Reason: mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK, Message: message,
		Resources: []*mesos.Resource{{
			Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Disk: d.info,
			Scalar: &mesos.Value_Scalar{Value: new(float64(used / isolator.Megabyte))},
		}},
	}
}

func (i *Isolator) of(id containerizer.ID) map[string]*disk {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.disks[id] // replaced as a whole
}

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	for dir, d := range i.of(c.ID) {
		used, err := d.measure(dir)
		if err != nil {
			return err
		}
		if d.info == nil {
			s.DiskLimitBytes, s.DiskUsedBytes = &d.quota, &used
			continue
		}
		one := &mesos.DiskStatistics{Source: d.info.GetSource(), Persistence: d.info.GetPersistence(), UsedBytes: &used}
		if !d.mount {
			one.LimitBytes = &d.quota
		}
		s.DiskStatistics = append(s.DiskStatistics, one)
	}
	return nil
}

// Cleanup implements isolator.Isolator. The projects stay with the directories.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.disks, c.ID)
	return nil
}
