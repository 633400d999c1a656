package mem

import (
	"context"
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// v2 observes a file of counters.
type v2 struct {
	group  *cgroups.Group
	events *cgroups.Changes
}

func watchV2(g *cgroups.Group) (*v2, error) {
	events, err := g.Changes(controller, "memory.events")
	if err != nil {
		return nil, err
	}
	return &v2{group: g, events: events}, nil
}

func (w *v2) wait(ctx context.Context) error {
	for !ranOut(w.group) {
		if !w.group.Exists() {
			return fmt.Errorf("watching the memory of cgroup %s: %w", w.group.Path(), context.Canceled)
		}
		if err := w.events.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pressure is not counted by levels on v2.
func (w *v2) pressure(*mesos.ResourceStatistics) {}

func (w *v2) close() error { return w.events.Close() }
