package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// What an agent has is free, offered or in use, and nothing is ever two of
// these. Offered and used resources are allocated to roles.

// use counts resources as in use. The framework may be nil.
func (m *Machine) use(f *framework, a *agent, r resources.Resources) {
	a.used = a.used.Add(r)
	m.touchAgent(a)
	if f != nil {
		f.used = f.used.Add(r)
		m.touchFramework(f)
	}
}

// unuse takes use back.
func (m *Machine) unuse(f *framework, a *agent, r resources.Resources) {
	a.used = a.used.Subtract(r)
	m.touchAgent(a)
	if f != nil {
		f.used = f.used.Subtract(r)
		m.touchFramework(f)
	}
}

// free is what is neither offered nor in use, without allocation. Shared volumes
// always are.
func (a *agent) free() resources.Resources {
	taken := a.used.Add(a.offered).NonShared().Unallocate()
	rest := a.total.NonShared()
	if !rest.Contains(taken) {
		taken = a.present(taken)
	}
	return rest.Subtract(taken).Add(a.total.Shared())
}

// present is what was taken in terms of what the agent has now. A reservation
// that got lost on the way to it may be in use, by a task that got lost with it:
// until that is known, what would have been reserved is not free.
func (a *agent) present(taken resources.Resources) (sum resources.Resources) {
	for it := range taken.All() {
		if one := it.Resources(); a.total.Contains(one) {
			sum = sum.Add(one)
			continue
		}
		for _, r := range it.Resources().Proto() {
			sum = sum.Add(resources.Of(asStarted(r)))
		}
	}
	return sum
}

// recoverResources gives resources back to the allocator, unless it has
// forgotten the agent.
func (m *Machine) recoverResources(f FrameworkID, a *agent, r resources.Resources, filters *mesos.Filters) {
	if !r.IsEmpty() && !a.removed {
		m.emit(AllocRecover{Framework: f, Agent: a.id, Resources: r.Copied(), Filters: filters})
	}
}

// stopAllocating lets the allocator forget an agent, before what it had there
// gets free and could be proposed again.
func (m *Machine) stopAllocating(a *agent) {
	a.removed = true
	m.emit(AllocRemoveAgent{Agent: a.id})
}
