// Package mem is the isolator "cgroups/mem": a container that uses more memory
// than its limit is killed by the kernel, and its tasks are told so
// (REASON_CONTAINER_LIMITATION_MEMORY) with the usage at that moment. What it
// requests is its soft limit, of which it is not deprived while others can be.
// It works on cgroup v1 and v2.
package mem

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/mem"

// minLimit is the least that Mesos gives a container: an executor needs it.
const minLimit = 32 * isolator.Megabyte

const controller = "memory"

// Config are the agent's flags.
type Config struct {
	// LimitSwap makes the limit one of memory and swap together
	// (--cgroups_limit_swap).
	LimitSwap bool
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop

	cfg   Config
	total uint64 // the machine's memory in bytes

	mu      sync.Mutex
	watches map[containerizer.ID]watch
}

// watch observes one container by the means of its version of cgroups.
type watch interface {
	// wait returns when memory ran out, or with an error.
	wait(ctx context.Context) error
	// pressure adds the counters of memory pressure.
	pressure(s *mesos.ResourceStatistics)
	close() error
}

// New returns the isolator. The error says what the machine lacks.
func New(cfg Config, tree *cgroups.Tree) (*Isolator, error) {
	if !tree.Has(controller) {
		return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, controller)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("isolator %s: asking for the machine's memory: %w", Name, err)
	}
	return &Isolator{
		cfg:     cfg,
		total:   uint64(info.Totalram) * uint64(info.Unit), //nolint:unconvert // 32 bits on some platforms
		watches: map[containerizer.ID]watch{},
	}, nil
}

// Name implements isolator.Isolator.
func (i *Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, spec *specs.Spec) error {
	l := limitsOf(d)
	i.contribute(c, l, true, spec.Linux.Resources)
	if l.hard > l.soft && (c.Config.Task != nil || c.ID.Parent() != "") {
		spec.Process.OOMScoreAdj = new(i.oomScoreAdj(l.soft))
	}
	return nil
}

// oomScoreAdj makes containers that may use more than they request the first to
// go when the machine runs out of memory: one that uses more than it requests
// has the highest score. Those that may not keep the score of others.
func (i *Isolator) oomScoreAdj(request uint64) int {
	return 1000 - int(1000*min(request, i.total)/i.total)
}

// Update implements isolator.Isolator. A limit is never lowered: that could
// kill the container for what it has used rightly.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, r *specs.LinuxResources) error {
	l := limitsOf(d)
	now, err := hardLimit(c.Group)
	if err != nil {
		return err
	}
	i.contribute(c, l, l.hard > now, r)
	return nil
}

// unlimited is what the kernel shows for no limit, or less: v1 rounds to pages.
const unlimited = math.MaxInt64 &^ 0xffff

// limits are in bytes.
type limits struct{ soft, hard uint64 }

func limitsOf(d isolator.Demand) limits {
	l := limits{soft: max(d.Mem, minLimit)}
	l.hard = l.soft
	if d.MemLimit != nil {
		l.hard = unlimited
		if !math.IsInf(*d.MemLimit, 1) {
			l.hard = max(isolator.Bytes(math.Trunc(*d.MemLimit)), minLimit)
		}
	}
	return l
}

func (i *Isolator) contribute(c *isolator.Container, l limits, hard bool, r *specs.LinuxResources) {
	if c.Group.Tree().Version() == cgroups.V2 {
		i.contributeV2(l, hard, r)
		return
	}
	r.Memory = &specs.LinuxMemory{Reservation: new(int64(l.soft))}
	if !hard {
		return
	}
	limit := int64(l.hard)
	if l.hard >= unlimited {
		limit = -1
	}
	r.Memory.Limit = &limit
	if i.cfg.LimitSwap {
		r.Memory.Swap = &limit
	}
}

func (i *Isolator) contributeV2(l limits, hard bool, r *specs.LinuxResources) {
	if r.Unified == nil {
		r.Unified = map[string]string{}
	}
	r.Unified["memory.low"] = strconv.FormatUint(l.soft, 10)
	if !hard {
		return
	}
	r.Unified["memory.max"] = "max"
	if l.hard < unlimited {
		r.Unified["memory.max"] = strconv.FormatUint(l.hard, 10)
		if i.cfg.LimitSwap { // v2 counts swap by itself
			r.Unified["memory.swap.max"] = "0"
		}
	}
}

// hardLimit is the limit in force.
func hardLimit(g *cgroups.Group) (uint64, error) {
	if g.Tree().Version() == cgroups.V2 {
		return g.ReadUint(controller, "memory.max")
	}
	return g.ReadUint(controller, "memory.limit_in_bytes")
}

// Attach implements isolator.Isolator.
func (i *Isolator) Attach(c *isolator.Container, _ bool) error {
	var w watch
	var err error
	if c.Group.Tree().Version() == cgroups.V2 {
		w, err = watchV2(c.Group)
	} else {
		w, err = watchV1(c.Group)
	}
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watches[c.ID] = w
	return nil
}

func (i *Isolator) watch(c *isolator.Container) watch {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.watches[c.ID]
}

// Watch implements isolator.Isolator.
func (i *Isolator) Watch(ctx context.Context, c *isolator.Container) (*isolator.Limitation, error) {
	w := i.watch(c)
	if w == nil {
		return nil, nil
	}
	if err := w.wait(ctx); err != nil {
		return nil, err
	}
	return limitation(c.Group), nil
}

// Limited implements isolator.Isolator.
func (i *Isolator) Limited(c *isolator.Container) *isolator.Limitation {
	if !ranOut(c.Group) {
		return nil
	}
	return limitation(c.Group)
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	w := i.watches[c.ID]
	delete(i.watches, c.ID)
	i.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.close()
}
