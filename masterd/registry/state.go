package registry

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// State is a registry that operations are applied to, for implementations of
// Store. It is not safe for use by several goroutines.
type State struct {
	registry *registry.Registry
	index    *op.Index
}

// NewState takes over a registry; nil is an empty one.
func NewState(r *registry.Registry) *State {
	if r == nil {
		r = &registry.Registry{}
	}
	return &State{registry: r, index: op.NewIndex(r)}
}

// SetMaster makes a master the one that leads.
func (s *State) SetMaster(info *mesos.MasterInfo) {
	s.registry.Master = &registry.Registry_Master{Info: info}
}

// Apply performs operations; see op.Apply.
func (s *State) Apply(ops []op.Operation) []op.Result {
	return op.Apply(s.registry, s.index, ops)
}

// Snapshot returns the registry as it is now. It stays as it is while further
// operations are applied: op replaces messages in lists and never changes
// them, so copying the lists' heads is enough.
func (s *State) Snapshot() *registry.Registry {
	r := s.registry
	c := &registry.Registry{
		Master:                   r.Master,
		Schedules:                r.Schedules,
		Quotas:                   r.Quotas,
		Weights:                  r.Weights,
		ResourceProviderRegistry: r.ResourceProviderRegistry,
		MinimumCapabilities:      r.MinimumCapabilities,
		QuotaConfigs:             r.QuotaConfigs,
	}
	if r.Slaves != nil {
		c.Slaves = &registry.Registry_Slaves{Slaves: r.Slaves.Slaves}
	}
	if r.Machines != nil {
		c.Machines = &registry.Registry_Machines{Machines: r.Machines.Machines}
	}
	if r.Unreachable != nil {
		c.Unreachable = &registry.Registry_UnreachableSlaves{Slaves: r.Unreachable.Slaves}
	}
	if r.Gone != nil {
		c.Gone = &registry.Registry_GoneSlaves{Slaves: r.Gone.Slaves}
	}
	return c
}
