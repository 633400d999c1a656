// Package enginetest has stand-ins for what an agent's engine works with: a
// containerizer without processes and a master that registers agents. Tests of
// the engine and of what is above it use them.
package enginetest

import (
	"context"
	"sync"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Containers is a containerizer whose containers outlive the engine, as real
// ones do, and end when the test says so. They hold no processes.
type Containers struct {
	mu      sync.Mutex
	running map[containerizer.ID]*container
	known   []containerizer.Recovered
	// fail is the error of launches, unmeasurable that of Usage.
	fail, unmeasurable error
	kept               []*mesos.Image
}

type container struct {
	cfg   containerizer.Config
	ended chan struct{}
	how   containerizer.Termination
}

// NewContainers returns a containerizer without containers.
func NewContainers() *Containers {
	return &Containers{running: map[containerizer.ID]*container{}}
}

// FailLaunches makes every Launch fail; nil ends that.
func (f *Containers) FailLaunches(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// FailUsage makes measuring fail from now on.
func (f *Containers) FailUsage(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unmeasurable = err
}

// Config returns what a container was launched with.
func (f *Containers) Config(id containerizer.ID) (containerizer.Config, error) {
	c, err := f.get(id)
	if err != nil {
		return containerizer.Config{}, err
	}
	return c.cfg, nil
}

// Recovered returns what Recover was last told of.
func (f *Containers) Recovered() []containerizer.Recovered {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

func (f *Containers) get(id containerizer.ID) (*container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.running[id]; c != nil {
		return c, nil
	}
	return nil, containerizer.ErrUnknown
}

// Recover implements containerizer.Containerizer.
func (f *Containers) Recover(_ context.Context, known []containerizer.Recovered) ([]containerizer.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = known
	return nil, nil
}

// Launch implements containerizer.Containerizer.
func (f *Containers) Launch(_ context.Context, cfg containerizer.Config) (containerizer.Started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return containerizer.Started{}, f.fail
	}
	f.running[cfg.ID] = &container{cfg: cfg, ended: make(chan struct{})}
	return containerizer.Started{PID: 42}, nil
}

// Wait implements containerizer.Containerizer.
func (f *Containers) Wait(ctx context.Context, id containerizer.ID) (containerizer.Termination, error) {
	c, err := f.get(id)
	if err != nil {
		return containerizer.Termination{}, err
	}
	select {
	case <-c.ended:
		return c.how, nil
	case <-ctx.Done():
		return containerizer.Termination{}, ctx.Err()
	}
}

// Update implements containerizer.Containerizer.
func (f *Containers) Update(context.Context, containerizer.ID, []*mesos.Resource, map[string]*mesos.Value_Scalar) error {
	return nil
}

// Destroy implements containerizer.Containerizer.
func (f *Containers) Destroy(_ context.Context, id containerizer.ID) error {
	return f.End(id, containerizer.Termination{Status: new(syscall.WaitStatus(syscall.SIGKILL))})
}

// End ends a container.
func (f *Containers) End(id containerizer.ID, how containerizer.Termination) error {
	c, err := f.get(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-c.ended:
	default:
		c.how = how
		close(c.ended)
	}
	return nil
}

// Kill implements containerizer.Containerizer.
func (f *Containers) Kill(context.Context, containerizer.ID, syscall.Signal) error { return nil }

// Remove implements containerizer.Containerizer.
func (f *Containers) Remove(_ context.Context, id containerizer.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, id)
	return nil
}

// Usage implements containerizer.Containerizer.
func (f *Containers) Usage(_ context.Context, id containerizer.ID) (*mesos.ResourceStatistics, error) {
	if _, err := f.get(id); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unmeasurable != nil {
		return nil, f.unmeasurable
	}
	return &mesos.ResourceStatistics{Timestamp: new(1.0)}, nil
}

// Status implements containerizer.Containerizer.
func (f *Containers) Status(_ context.Context, id containerizer.ID) (*mesos.ContainerStatus, error) {
	if _, err := f.get(id); err != nil {
		return nil, err
	}
	return &mesos.ContainerStatus{ContainerId: id.Proto(), ExecutorPid: new(uint32(42))}, nil
}

// AttachOutput implements containerizer.Containerizer.
func (f *Containers) AttachOutput(context.Context, containerizer.ID) (containerizer.Output, error) {
	return nil, containerizer.ErrNotAttachable
}

// PruneImages implements containerizer.Containerizer; it remembers what to keep.
func (f *Containers) PruneImages(_ context.Context, keep []*mesos.Image) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = keep
	return nil
}

// Kept returns the images that PruneImages was last told to keep.
func (f *Containers) Kept() []*mesos.Image {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept
}

// AttachInput implements containerizer.Containerizer.
func (f *Containers) AttachInput(context.Context, containerizer.ID) (containerizer.Input, error) {
	return nil, containerizer.ErrNotAttachable
}

// Containers implements containerizer.Containerizer.
func (f *Containers) Containers(context.Context) ([]containerizer.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []containerizer.ID
	for id := range f.running {
		out = append(out, id)
	}
	return out, nil
}
