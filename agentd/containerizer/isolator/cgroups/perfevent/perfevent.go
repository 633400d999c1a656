// Package perfevent is the isolator "cgroups/perf_event": events such as cycles, page
// faults and context switches are counted for each container, for a while from time
// to time, by the program perf. Without --perf_events containers have a group in the
// hierarchy, and nothing is counted.
//
// perf counts for all containers together, in one process, which is there as long as
// there are containers. On cgroup v2, and where v1 has no hierarchy for it, the unified
// hierarchy is what perf knows containers by.
package perfevent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/perf_event"

// Config are the agent's flags.
type Config struct {
	// Events are what to count, by perf's names (--perf_events); none for nothing.
	Events []string
	// Interval is from the begin of one count to that of the next (--perf_interval),
	// Duration how long it takes (--perf_duration).
	Interval, Duration time.Duration
	// Command is the program; empty is perf.
	Command string
	// Log is told of counts that failed.
	Log logr.Logger
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	if len(c.Events) == 0 {
		return nil
	}
	if c.Duration <= 0 || c.Duration > c.Interval {
		return fmt.Errorf("counting perf events for %v every %v: want a duration that is not longer than the interval", c.Duration, c.Interval)
	}
	for _, event := range c.Events {
		if fieldOf(event) == nil {
			return fmt.Errorf("perf event %q: Mesos has no statistic of it", event)
		}
	}
	return nil
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config

	mu sync.Mutex
	// groups are what perf calls the containers.
	groups map[containerizer.ID]string
	latest map[containerizer.ID]*mesos.PerfStatistics
	// counting says that the goroutine is there.
	counting bool
}

// New returns the isolator. The error says what the machine lacks: a hierarchy, perf, or
// an event.
func New(ctx context.Context, cfg Config, tree *cgroups.Tree) (*Isolator, error) {
	unified := false
	for _, h := range tree.Hierarchies() {
		unified = unified || h.Unified
	}
	if !tree.Has("perf_event") && !unified {
		return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, "perf_event")
	}
	if cfg.Command == "" {
		cfg.Command = "perf"
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	i := &Isolator{cfg: cfg, groups: map[containerizer.ID]string{}, latest: map[containerizer.ID]*mesos.PerfStatistics{}}
	if len(cfg.Events) > 0 {
		if err := cfg.try(ctx); err != nil {
			return nil, fmt.Errorf("isolator %s: %w", Name, err)
		}
	}
	return i, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Attach implements isolator.Isolator.
func (i *Isolator) Attach(c *isolator.Container, _ bool) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.groups[c.ID] = strings.TrimPrefix(c.Group.Path(), "/")
	i.latest[c.ID] = &mesos.PerfStatistics{Timestamp: new(seconds(time.Now())), Duration: new(0.0)}
	if len(i.cfg.Events) > 0 && !i.counting {
		i.counting = true
		go i.count()
	}
	return nil
}

// count counts as long as there are containers.
func (i *Isolator) count() {
	for {
		start := time.Now()
		groups, ok := i.present()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), i.cfg.Duration+patience)
		got, err := i.cfg.sample(ctx, groups)
		cancel()
		if err != nil { // a container that ended at the wrong moment, for example
			i.cfg.Log.Info("Counting perf events failed; the next count may not", "error", err.Error())
		}
		i.take(got, start)
		time.Sleep(time.Until(start.Add(i.cfg.Interval)))
	}
}

// present are the groups of all containers; if there are none the goroutine ends.
func (i *Isolator) present() (groups []string, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, g := range i.groups {
		groups = append(groups, g)
	}
	i.counting = len(groups) > 0
	return groups, i.counting
}

func (i *Isolator) take(got map[string]*mesos.PerfStatistics, start time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, group := range i.groups {
		if s := got[group]; s != nil {
			s.Timestamp, s.Duration = new(seconds(start)), new(i.cfg.Duration.Seconds())
			i.latest[id] = s
		}
	}
}

// seconds are what Mesos's statistics count time in.
func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if latest := i.latest[c.ID]; latest != nil {
		s.Perf = proto.CloneOf(latest)
	}
	return nil
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.groups, c.ID)
	delete(i.latest, c.ID)
	return nil
}
