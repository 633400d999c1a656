package mesos

import (
	"context"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Wait implements containerizer.Containerizer.
func (m *Containerizer) Wait(ctx context.Context, id containerizer.ID) (containerizer.Termination, error) {
	c, err := m.find(id)
	if err != nil {
		return containerizer.Termination{}, err
	}
	select {
	case <-c.done:
		if _, err := m.find(id); err != nil { // its launch failed
			return containerizer.Termination{}, err
		}
		return c.termination, nil
	case <-ctx.Done():
		return containerizer.Termination{}, ctx.Err()
	}
}

// Update implements containerizer.Containerizer.
func (m *Containerizer) Update(ctx context.Context, id containerizer.ID, resources []*mesos.Resource, limits map[string]*mesos.Value_Scalar) error {
	c, err := m.running(ctx, id)
	if err != nil {
		return err
	}
	d := isolator.DemandOf(resources, limits)
	var r specs.LinuxResources
	// One update at a time: isolators compare with what is set.
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range c.isolators {
		if err := i.Update(&c.iso, d, &r); err != nil {
			return fmt.Errorf("isolator %s: %w", i.Name(), err)
		}
	}
	if c.iso.Group != nil {
		if err := c.iso.Group.Set(&r); err != nil {
			return err
		}
	}
	c.demand = d
	return nil
}

// Kill implements containerizer.Containerizer.
func (m *Containerizer) Kill(ctx context.Context, id containerizer.ID, signal syscall.Signal) error {
	c, err := m.find(id)
	if err != nil {
		return err
	}
	select {
	case <-c.launched:
	default:
		m.startDestroy(c)
		return nil
	}
	if c, err = m.running(ctx, id); err != nil {
		return err
	}
	return c.runtime.Signal(ctx, c.handle(), signal)
}

// Usage implements containerizer.Containerizer. What an isolator can't measure
// is left out: a part is better than nothing.
func (m *Containerizer) Usage(_ context.Context, id containerizer.ID) (*mesos.ResourceStatistics, error) {
	c, launched, err := m.now(id)
	if err != nil {
		return nil, err
	}
	s := &mesos.ResourceStatistics{}
	for _, i := range m.reporting(c) {
		if !launched {
			break
		}
		if err := i.Usage(&c.iso, s); err != nil {
			m.log.V(1).Info("Usage is not complete", "container_id", id, "isolator", i.Name(), "error", err.Error())
		}
	}
	if !sharesCgroups(c.cfg) {
		c.mu.Lock()
		d := c.demand
		c.mu.Unlock()
		m.addLimits(d, s)
	}
	s.Timestamp = new(float64(time.Now().UnixNano()) / 1e9)
	return s, nil
}

// addLimits tells what the container may use, whether or not an isolator holds
// it to that. Infinite limits are the machine's size.
func (m *Containerizer) addLimits(d isolator.Demand, s *mesos.ResourceStatistics) {
	s.CpusSoftLimit = new(d.CPUs)
	switch {
	case d.CPULimit != nil:
		s.CpusLimit = new(min(*d.CPULimit, float64(goruntime.NumCPU())))
		if !math.IsInf(*d.CPULimit, 1) {
			s.CpusLimit = d.CPULimit
		}
	case m.cfg.CPU.EnableCFS:
		s.CpusLimit = new(d.CPUs)
	}
	s.MemSoftLimitBytes, s.MemLimitBytes = new(d.Mem), new(d.Mem)
	switch {
	case d.MemLimit == nil:
	case math.IsInf(*d.MemLimit, 1):
		s.MemLimitBytes = new(totalMemory())
	default:
		s.MemLimitBytes = new(isolator.Bytes(math.Trunc(*d.MemLimit)))
	}
}

func totalMemory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit) //nolint:unconvert // 32 bits on some platforms
}

// Status implements containerizer.Containerizer.
func (m *Containerizer) Status(_ context.Context, id containerizer.ID) (*mesos.ContainerStatus, error) {
	c, launched, err := m.now(id)
	if err != nil {
		return nil, err
	}
	if !launched {
		return &mesos.ContainerStatus{ContainerId: id.Proto()}, nil
	}
	s := &mesos.ContainerStatus{ContainerId: id.Proto(), ExecutorPid: new(uint32(c.iso.PID))}
	for _, i := range m.reporting(c) {
		if err := i.Status(&c.iso, s); err != nil {
			m.log.V(1).Info("Status is not complete", "container_id", id, "isolator", i.Name(), "error", err.Error())
		}
	}
	return s, nil
}

// Containers implements containerizer.Containerizer.
func (m *Containerizer) Containers(context.Context) ([]containerizer.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]containerizer.ID, 0, len(m.containers))
	for id := range m.containers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}
