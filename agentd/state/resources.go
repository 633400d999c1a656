package state

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// sum adds up resources that were checked before.
func sum(lists ...[]*mesos.Resource) []*mesos.Resource {
	var total resources.Resources
	for _, l := range lists {
		total = total.Add(resources.Of(l...))
	}
	return total.Proto()
}

// needsCheckpoint says which resources outlive the agent's configuration: what
// frameworks and operators reserved, and volumes. Resource providers remember
// their own.
func needsCheckpoint(i resources.Item) bool {
	return i.Provider() == nil && (i.IsDynamicallyReserved() || i.IsPersistentVolume())
}

// applyCheckpointed returns what the agent has once the checkpointed resources
// are carved out of what it was configured with.
func applyCheckpointed(configured, checkpointed resources.Resources) (resources.Resources, error) {
	total := configured
	for _, r := range checkpointed.Proto() {
		plain := resources.Of(stripped(r))
		if !total.Contains(plain) {
			return resources.Resources{}, fmt.Errorf("%s is not in what is left of the agent's resources: %s", plain, total)
		}
		total = total.Subtract(plain).Add(resources.Of(r))
	}
	return total, nil
}

// stripped is what a resource was made of: without the reservations that were
// made at run time, and without a volume.
func stripped(r *mesos.Resource) *mesos.Resource {
	out := &mesos.Resource{
		Name: r.Name, Type: r.Type, Scalar: r.Scalar, Ranges: r.Ranges, Set: r.Set,
		Revocable: r.Revocable, ProviderId: r.ProviderId, Reservations: r.Reservations,
	}
	for n := len(out.Reservations); n > 0; n-- {
		if out.Reservations[n-1].GetType() != mesos.Resource_ReservationInfo_DYNAMIC {
			break
		}
		out.Reservations = out.Reservations[:n-1]
	}
	if s := r.GetDisk().GetSource(); s != nil {
		out.Disk = &mesos.Resource_DiskInfo{Source: s}
	}
	return out
}

// total is what the agent has now, with what its resource providers have.
func (m *Machine) total() []*mesos.Resource { return m.totals.Add(m.provided()).Proto() }

// checkpointed are the resources that outlive the agent's configuration.
func (m *Machine) checkpointed() []*mesos.Resource { return m.kept.Proto() }

// unknownResources finds volumes and reservations that a task expects and the
// agent doesn't have: the message that makes them may have been lost.
func (m *Machine) unknownResources(l *launch) string {
	known := func(rs []*mesos.Resource) bool {
		for i := range resources.Of(rs...).Unallocate().Filter(needsCheckpoint).All() {
			if !m.kept.Contains(i.Resources()) {
				return false
			}
		}
		return true
	}
	for _, t := range l.tasks {
		if !known(t.GetResources()) {
			return "The checkpointed resources being used by the task or task group are unknown to the agent"
		}
	}
	if !known(l.executor.GetResources()) {
		return "The checkpointed resources being used by the executor are unknown to the agent"
	}
	return ""
}

// recoverResources takes up reservations and volumes, and finishes a change of
// volumes that was under way.
func (m *Machine) recoverResources(s *Snapshot) error {
	var err error
	if m.kept, err = resources.New(s.Resources); err != nil {
		return err
	}
	for _, o := range s.Operations {
		m.operations[string(o.GetUuid().GetValue())] = o
	}
	m.totals = resources.Of(m.info.GetResources()...)
	target := m.kept
	if s.Target != nil {
		if target, err = resources.New(s.Target); err != nil {
			return err
		}
	}
	total, err := applyCheckpointed(m.totals, target)
	if err != nil {
		return fmt.Errorf("checkpointed resources don't fit the agent's: %w", err)
	}
	if s.Target != nil {
		m.commitResources(target)
	}
	m.totals = total
	return nil
}

// keepResources makes what is to be kept of the totals durable, with the
// operations that brought it about. Volumes are made before that is final and
// removed likewise, so that a crash in between repeats the work instead of
// leaving a volume's data to the next owner of its name.
func (m *Machine) keepResources() {
	target := m.totals.Filter(needsCheckpoint)
	if create, destroy := m.volumeChanges(target); len(create)+len(destroy) > 0 {
		m.checkpoint(ResourcesRecord{Resources: target.Proto(), Operations: m.operationsOf(""), Target: true})
	}
	m.commitResources(target)
}

// volumeChanges are the volumes to be made and removed on the way to target.
func (m *Machine) volumeChanges(target resources.Resources) (create, destroy []*mesos.Resource) {
	before, after := m.kept.PersistentVolumes(), target.PersistentVolumes()
	return without(after, before), without(before, after)
}

func (m *Machine) commitResources(target resources.Resources) {
	if create, destroy := m.volumeChanges(target); len(create)+len(destroy) > 0 {
		m.checkpoint(VolumesRecord{Create: create, Destroy: destroy})
	}
	m.kept = target
	m.checkpoint(ResourcesRecord{Resources: target.Proto(), Operations: m.operationsOf("")})
}

// without returns the volumes of a that b has none of the same place for. One
// that only changed its size stays.
func without(a, b resources.Resources) []*mesos.Resource {
	places := map[string]bool{}
	for _, v := range b.Proto() {
		places[volumePlace(v)] = true
	}
	var out []*mesos.Resource
	for _, v := range a.Proto() {
		if !places[volumePlace(v)] {
			out = append(out, v)
		}
	}
	return out
}

func volumePlace(v *mesos.Resource) string {
	role := ""
	if n := len(v.GetReservations()); n > 0 {
		role = v.GetReservations()[n-1].GetRole()
	}
	s := v.GetDisk().GetSource()
	return fmt.Sprintf("%q %q %q %q", role, v.GetDisk().GetPersistence().GetId(),
		s.GetPath().GetRoot(), s.GetMount().GetRoot())
}
