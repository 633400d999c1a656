package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// errCheckpointed means that what an agent remembers of reservations and
// volumes does not fit what it has.
var errCheckpointed = errors.New("incompatible agent resources")

// setResources takes over what an agent has. If what it remembers does not fit,
// it has what it was started with.
func (m *Machine) setResources(a *agent, checkpointed []*mesos.Resource) {
	if err := a.computeResources(checkpointed); err != nil {
		m.warn("ignoring the reservations and volumes that an agent remembers", "agent_id", a.id, "reason", err.Error())
		a.total, a.checkpointed = resources.Of(a.info.GetResources()...), resources.Resources{}
	}
}

// computeResources computes what an agent has: the resources that it was started
// with, and of these some reserved or made volumes since.
func (a *agent) computeResources(checkpointed []*mesos.Resource) error {
	a.total = resources.Of(a.info.GetResources()...)
	a.checkpointed = resources.Of(checkpointed...)
	for _, r := range checkpointed {
		before := resources.Of(asStarted(r))
		if !a.total.Contains(before) {
			return fmt.Errorf("%w: %s does not contain %s", errCheckpointed, a.total, before)
		}
		a.total = a.total.Subtract(before).Add(resources.Of(r))
	}
	return nil
}

// asStarted is a resource before any operation was applied to it: an agent is
// started with static reservations and raw disks only.
func asStarted(r *mesos.Resource) *mesos.Resource {
	s := copyResource(r)
	s.Shared = nil
	if n := len(s.Reservations); n > 0 && s.Reservations[n-1].GetType() == mesos.Resource_ReservationInfo_DYNAMIC {
		s.Reservations = nil
		if first := r.Reservations[0]; first.GetType() == mesos.Resource_ReservationInfo_STATIC {
			s.Reservations = r.Reservations[:1]
		}
	}
	if d := s.Disk; d.GetPersistence() != nil {
		s.Disk = nil
		if d.Source != nil {
			s.Disk = &mesos.Resource_DiskInfo{Source: d.Source}
		}
	}
	return s
}

// copyResource is a shallow copy.
func copyResource(r *mesos.Resource) *mesos.Resource {
	return &mesos.Resource{
		ProviderId:     r.ProviderId,
		Name:           r.Name,
		Type:           r.Type,
		Scalar:         r.Scalar,
		Ranges:         r.Ranges,
		Set:            r.Set,
		Role:           r.Role,
		AllocationInfo: r.AllocationInfo,
		Reservation:    r.Reservation,
		Reservations:   r.Reservations,
		Disk:           r.Disk,
		Revocable:      r.Revocable,
		Shared:         r.Shared,
	}
}

// allocate sets the role of resources that name none, in place.
func allocate(list []*mesos.Resource, role string) {
	var info *mesos.Resource_AllocationInfo
	for _, r := range list {
		if r.AllocationInfo.GetRole() != "" {
			continue
		}
		if info == nil {
			info = &mesos.Resource_AllocationInfo{Role: &role}
		}
		r.AllocationInfo = info
	}
}

// withoutAllocation returns copies without allocation_info, for clients that
// compare resources as a whole and don't know that field.
func withoutAllocation(list []*mesos.Resource) []*mesos.Resource {
	bare := make([]*mesos.Resource, len(list))
	for i, r := range list {
		bare[i] = copyResource(r)
		bare[i].AllocationInfo = nil
	}
	return bare
}

// downgraded returns resources in the form for peers that can't read
// reservation stacks. Refined ones, which no peer of that kind may be given,
// stay as they are.
func downgraded(list []*mesos.Resource) []*mesos.Resource {
	old, err := resources.Downgrade(list)
	if err != nil {
		return list
	}
	return old
}
