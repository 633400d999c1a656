package mem

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// levels of memory pressure that v1 counts.
var levels = [...]string{"low", "medium", "critical"}

// v1 observes by notifications.
type v1 struct {
	group *cgroups.Group
	oom   *cgroups.Event

	mu     sync.Mutex
	events [len(levels)]*cgroups.Event
	counts [len(levels)]uint64
}

func watchV1(g *cgroups.Group) (*v1, error) {
	w := &v1{group: g}
	var err error
	if w.oom, err = g.Listen(controller, "memory.oom_control", ""); err != nil {
		return nil, err
	}
	for i, level := range levels {
		if w.events[i], err = g.Listen(controller, "memory.pressure_level", level); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *v1) wait(ctx context.Context) error {
	if ranOut(w.group) {
		return nil // while the agent was away
	}
	if _, err := w.oom.Wait(ctx); err != nil {
		return err
	}
	if !w.group.Exists() {
		return fmt.Errorf("watching the memory of cgroup %s: %w", w.group.Path(), context.Canceled)
	}
	return nil
}

func (w *v1) pressure(s *mesos.ResourceStatistics) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, e := range w.events {
		if n, err := e.Poll(); err == nil {
			w.counts[i] += n
		}
	}
	s.MemLowPressureCounter = new(w.counts[0])
	s.MemMediumPressureCounter = new(w.counts[1])
	s.MemCriticalPressureCounter = new(w.counts[2])
}

func (w *v1) close() error {
	errs := []error{w.oom.Close()}
	for _, e := range w.events {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	return errors.Join(errs...)
}
