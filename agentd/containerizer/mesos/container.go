package mesos

import (
	"context"
	"sync"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
)

// stage is a launch stage that is watched: a child, or after a restart of the
// agent somebody else's.
type stage interface {
	Wait(ctx context.Context) (*syscall.WaitStatus, error)
	Signal(signal syscall.Signal) error
	Identity() process.Identity
	Close() error
}

// container is one that was launched or recovered and not yet removed.
type container struct {
	id  containerizer.ID
	cfg containerizer.Config
	dir string
	// parent is the container that this one is nested in; nil for none.
	parent *container
	// ending says that it takes no more children. Guarded by the
	// containerizer's mutex.
	ending bool
	// isolators are those that isolate it, in their order.
	isolators []isolator.Isolator
	// runtime started or will start it.
	runtime runtime.Runtime
	// ctx ends when the container is destroyed or has ended.
	ctx    context.Context
	cancel context.CancelFunc
	// launched is closed when Launch is through, well or not.
	launched chan struct{}
	// done is closed after termination was set.
	done        chan struct{}
	termination containerizer.Termination
	// iso is what isolators get. Its Group and Config don't change; PID and
	// Stage are set before launched is closed.
	iso isolator.Container

	// process is what its process was started with; empty after recovery. It is set
	// before launched is closed.
	process processOf

	// console is where the OCI runtime brings the container's terminal; "" for nowhere.
	console string
	// ioEnded is closed when the switchboard has ended, ioFailed says that it has
	// nothing to pass on. Both are for the goroutines of launch and end.
	ioEnded  chan struct{}
	ioFailed bool

	mu sync.Mutex
	// stage is nil if it never started or has ended before it was found again.
	stage stage
	// io is the container's switchboard; nil for none.
	io stage
	// demand is what the limits are set to.
	demand isolator.Demand
	// limitation is the first limit that was hit.
	limitation *isolator.Limitation
	destroyed  bool
}

func (m *Containerizer) newContainer(cfg containerizer.Config, parent *container) *container {
	ctx, cancel := context.WithCancel(context.Background())
	c := &container{
		id: cfg.ID, cfg: cfg, dir: m.dir(cfg, parent), parent: parent,
		isolators: m.isolatorsOf(cfg),
		runtime:   m.runtimeOf(cfg),
		ctx:       ctx,
		cancel:    cancel,
		launched:  make(chan struct{}),
		done:      make(chan struct{}),
		ioEnded:   make(chan struct{}),
		demand:    isolator.DemandOf(cfg.Resources, cfg.Limits),
		iso:       isolator.Container{ID: cfg.ID, Config: cfg, Inside: cfg.Sandbox},
	}
	if parent != nil {
		c.iso.Parent = &parent.iso
	}
	if m.tree != nil {
		c.iso.Group = m.tree.Group(m.groupPath(cfg.ID))
	}
	return c
}

// find returns a container.
func (m *Containerizer) find(id containerizer.ID) (*container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.containers[id]; c != nil {
		return c, nil
	}
	return nil, containerizer.ErrUnknown
}

// running returns a container whose process runs, waiting for a launch that is
// under way.
func (m *Containerizer) running(ctx context.Context, id containerizer.ID) (*container, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.launched:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-c.done:
		return nil, containerizer.ErrUnknown
	default:
		return c, nil
	}
}

// now returns a container that has not ended, and whether it is launched. It doesn't
// wait: a launch may take as long as a download.
func (m *Containerizer) now(id containerizer.ID) (c *container, launched bool, err error) {
	if c, err = m.find(id); err != nil {
		return nil, false, err
	}
	select {
	case <-c.done:
		return nil, false, containerizer.ErrUnknown
	default:
	}
	select {
	case <-c.launched:
		launched = true
	default:
	}
	return c, launched, nil
}

// handle is how the runtime knows the container.
func (c *container) handle() runtime.Running {
	return runtime.Running{ID: c.id, Dir: c.dir, PID: c.iso.PID}
}

// limit remembers the first limitation.
func (c *container) limit(l *isolator.Limitation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limitation == nil {
		c.limitation = l
	}
}
