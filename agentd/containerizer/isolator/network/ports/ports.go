// Package ports is the isolator "network/ports": a container may listen only on
// ports that it was given. It is looked at from time to time, and ended if the
// agent is told to enforce it (REASON_CONTAINER_LIMITATION).
//
// Nothing is set up: containers share the node's network, and between two looks
// one may listen anywhere.
package ports

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Name is the isolator's name.
const Name = "network/ports"

// Config are the agent's flags.
type Config struct {
	// Interval is the pause between two looks at a container
	// (--container_ports_watch_interval).
	Interval time.Duration
	// Enforce ends containers (--enforce_container_ports).
	Enforce bool
	// Within are the ports that matter (--check_agent_port_range_only,
	// --container_ports_isolated_range); nil for all.
	Within *resources.Ranges
	// Log gets a line when a container listens elsewhere, whether or not it is
	// ended for that.
	Log logr.Logger
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config

	mu    sync.Mutex
	given map[containerizer.ID]resources.Ranges
}

// New returns the isolator.
func New(cfg Config) *Isolator {
	return &Isolator{cfg: cfg, given: map[containerizer.ID]resources.Ranges{}}
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, _ *specs.Spec) error {
	i.set(c, d.Resources)
	return nil
}

// Update implements isolator.Isolator. After a restart of the agent containers are
// not looked at before it: until then their tasks' ports are not known.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, _ *specs.LinuxResources) error {
	i.set(c, d.Resources)
	return nil
}

func (i *Isolator) set(c *isolator.Container, rs []*mesos.Resource) {
	if c.ID.Parent() != "" {
		return // it has what its outermost container has
	}
	var ports resources.Ranges
	for _, r := range rs {
		if r.GetName() == "ports" {
			ports = ports.Add(resources.RangesFromProto(r.GetRanges()))
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.given[c.ID] = ports
}

func (i *Isolator) of(id containerizer.ID) (resources.Ranges, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ports, ok := i.given[id.Root()]
	return ports, ok
}

// Cleanup implements isolator.Isolator.
func (i *Isolator) Cleanup(c *isolator.Container) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.given, c.ID)
	return nil
}

// Watch implements isolator.Isolator.
func (i *Isolator) Watch(ctx context.Context, c *isolator.Container) (*isolator.Limitation, error) {
	var told string
	for {
		select {
		case <-time.After(i.cfg.Interval):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		l, err := i.look(c)
		if err != nil {
			i.cfg.Log.V(1).Info("Looking at a container's ports", "container_id", c.ID, "error", err.Error())
		}
		if l == nil {
			continue
		}
		if l.Message != told {
			told = l.Message
			i.cfg.Log.Info(l.Message)
		}
		if i.cfg.Enforce {
			return l, nil
		}
	}
}

// look compares the ports on which a container listens with those that it has.
func (i *Isolator) look(c *isolator.Container) (*isolator.Limitation, error) {
	given, ok := i.of(c.ID)
	if !ok || c.Group == nil {
		return nil, nil
	}
	pids, err := c.Group.Processes()
	if err != nil {
		return nil, err
	}
	listening, err := listening(c.PID)
	if err != nil {
		return nil, err
	}
	var open resources.Ranges
	var errs []error
	for _, pid := range pids {
		ports, err := portsOf(pid, listening)
		open, errs = open.Add(ports), append(errs, err)
	}
	if i.cfg.Within != nil {
		open = open.Subtract(open.Subtract(*i.cfg.Within))
	}
	foreign := open.Subtract(given)
	if len(foreign) == 0 {
		return nil, errors.Join(errs...)
	}
	r := &mesos.Resource{Name: new("ports"), Type: mesos.Value_RANGES.Enum(), Ranges: foreign.Proto()}
	return &isolator.Limitation{
		Reason:    mesos.TaskStatus_REASON_CONTAINER_LIMITATION,
		Message:   fmt.Sprintf("Container %s is listening on unallocated port(s): %s", c.ID, foreign),
		Resources: []*mesos.Resource{r},
	}, nil
}
