// Package du is the isolator "disk/du": what a container's sandbox and
// persistent volumes take is measured from time to time, and a container that
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
	"path/filepath"
	"sync"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
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
	isolator.Nop
	cfg Config
	// turn is held by who measures.
	turn chan struct{}

	mu    sync.Mutex
	disks map[containerizer.ID]map[string]*disk
}

// New returns the isolator.
func New(cfg Config) *Isolator {
	return &Isolator{cfg: cfg, turn: make(chan struct{}, 1), disks: map[containerizer.ID]map[string]*disk{}}
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, _ *specs.Spec) error {
	return i.set(c, d.Resources)
}

// Attach implements isolator.Isolator.
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

// set takes new quotas. What was measured of a directory stays known. Nested
// containers share the quota of the outermost, whose sandbox theirs are in.
func (i *Isolator) set(c *isolator.Container, rs []*mesos.Resource) error {
	if c.ID.Parent() != "" {
		return nil
	}
	disks, err := disksOf(i.cfg.WorkDir, c.Config.Sandbox, rs)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for path, d := range disks {
		if old := i.disks[c.ID][path]; old != nil {
			d.used = old.used
		}
	}
	i.disks[c.ID] = disks
	return nil
}

// paths are the directories to measure.
func (i *Isolator) paths(id containerizer.ID) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []string
	for path := range i.disks[id] {
		out = append(out, path)
	}
	return out
}

// Watch implements isolator.Isolator.
func (i *Isolator) Watch(ctx context.Context, c *isolator.Container) (*isolator.Limitation, error) {
	if c.ID.Parent() != "" {
		return nil, nil
	}
	for {
		for _, path := range i.paths(c.ID) {
			if l, err := i.check(ctx, c.ID, path); l != nil || err != nil {
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
func (i *Isolator) check(ctx context.Context, id containerizer.ID, path string) (*isolator.Limitation, error) {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	used, err := usage(ctx, filepath.Join(i.cfg.Root, path))
	<-i.turn
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	d := i.disks[id][path]
	if d == nil {
		return nil, nil
	}
	d.used = &used
	if !i.cfg.Enforce || d.bounded || used <= d.quota {
		return nil, nil
	}
	return &isolator.Limitation{
		Reason:    mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK,
		Message:   fmt.Sprintf("Disk usage (%s) exceeds quota (%s)", flags.Bytes(used), flags.Bytes(d.quota)),
		Resources: d.resources,
	}, nil
}

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for path, d := range i.disks[c.ID] {
		s.DiskStatistics = append(s.DiskStatistics, d.statistics())
		if path == c.Config.Sandbox {
			s.DiskLimitBytes, s.DiskUsedBytes = new(d.quota), new(uint64(0))
			if d.used != nil {
				s.DiskUsedBytes = new(*d.used)
			}
		}
	}
	return nil
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.disks, c.ID)
	return nil
}
