// Package du is the isolator "disk/du": what a container's sandbox and
// persistent volumes take, and with the sandbox what it changed in its image, is measured from time to time, and a container that
// takes more than its quota is ended if the agent is told to enforce it
// (REASON_CONTAINER_LIMITATION_DISK).
//
// Directories are measured one at a time for all containers together: it costs
// the disk, which all share. Between two measurements there may be more than
// the quota.
package du

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	shared "github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/disk"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// Name is the isolator's name.
const Name = "disk/du"

// Config are the agent's flags.
type Config struct {
	// WorkDir is the agent's work directory.
	WorkDir string
	// Root is a prefix by which the agent reaches the node's files.
	Root string
	// Interval is the pause between two measurements of a container
	// (--container_disk_watch_interval).
	Interval time.Duration
	// Enforce ends containers over their quota (--enforce_container_disk_quota).
	Enforce bool
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	*shared.Books[map[string]disk]
	cfg Config
	// turn is held by who measures.
	turn chan struct{}
}

var _ isolator.Isolator = (*Isolator)(nil)

// New returns the isolator.
func New(cfg Config) *Isolator {
	i := &Isolator{cfg: cfg, turn: make(chan struct{}, 1)}
	i.Books = shared.NewBooks(i.open)
	return i
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// open takes the quotas of a container. What was measured of a directory stays known.
func (i *Isolator) open(c *isolator.Container, rs []*mesos.Resource) (map[string]disk, error) {
	places, err := shared.Places(i.cfg.WorkDir, c, rs)
	if err != nil {
		return nil, err
	}
	before := i.Of(c.ID)
	out := map[string]disk{}
	for dir, p := range places {
		if len(p.Resources) == 0 {
			continue // who has no disk isn't measured
		}
		d := disk{Place: p, used: before[dir].used}
		if d.used == nil {
			d.used = &atomic.Pointer[uint64]{}
		}
		out[dir] = d
	}
	return out, nil
}

// Watch implements isolator.Isolator.
func (i *Isolator) Watch(ctx context.Context, c *isolator.Container) (*isolator.Limitation, error) {
	if c.ID.Parent() != "" {
		return nil, nil
	}
	for {
		for dir := range i.Of(c.ID) {
			if l, err := i.check(ctx, c.ID, dir); l != nil || err != nil {
				return l, err
			}
		}
		select {
		case <-time.After(i.cfg.Interval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// check measures one directory and compares. One that can't be measured now,
// because something in it went away, is measured again later.
func (i *Isolator) check(ctx context.Context, id containerizer.ID, dir string) (*isolator.Limitation, error) {
	used, err := i.measure(ctx, append([]string{dir}, i.Of(id)[dir].Changes...))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	d, ok := i.Of(id)[dir] // as it is now
	if !ok {
		return nil, nil
	}
	d.used.Store(&used)
	if !i.cfg.Enforce || d.Alone() || used <= d.Quota {
		return nil, nil
	}
	return &isolator.Limitation{
		Reason:    mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK,
		Message:   fmt.Sprintf("Disk usage (%s) exceeds quota (%s)", flags.Bytes(used), flags.Bytes(d.Quota)),
		Resources: d.Resources,
	}, nil
}

// measure adds directories up, when it is its turn.
func (i *Isolator) measure(ctx context.Context, dirs []string) (uint64, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for n, dir := range dirs {
		dirs[n] = filepath.Join(i.cfg.Root, dir)
	}
	return usage(ctx, dirs...)
}

// Usage implements isolator.Isolator. The sandbox comes last, after the volumes.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	disks := i.Of(c.ID)
	for _, dir := range slices.Sorted(maps.Keys(disks)) {
		if dir != c.Config.Sandbox {
			s.DiskStatistics = append(s.DiskStatistics, disks[dir].statistics())
		}
	}
	if d, ok := disks[c.Config.Sandbox]; ok {
		own := d.statistics()
		s.DiskStatistics = append(s.DiskStatistics, own)
		s.DiskLimitBytes, s.DiskUsedBytes = own.LimitBytes, own.UsedBytes
	}
	return nil
}
