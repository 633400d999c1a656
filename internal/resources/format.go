package resources

import (
	"errors"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// ErrRefined is returned when a refined reservation has to be told to somebody whose protocol has no
// word for it.
var ErrRefined = errors.New("resource has refined reservations")

// reservationStack is the reservations of a resource in whatever form.
func reservationStack(r *mesos.Resource) []*mesos.Resource_ReservationInfo {
	if len(r.Reservations) > 0 || r.GetRole() == roles.Default {
		return r.Reservations
	}
	d := &mesos.Resource_ReservationInfo{Role: r.Role, Type: mesos.Resource_ReservationInfo_STATIC.Enum()}
	if s := r.Reservation; s != nil {
		d.Type = mesos.Resource_ReservationInfo_DYNAMIC.Enum()
		d.Principal, d.Labels = s.Principal, s.Labels
	}
	return []*mesos.Resource_ReservationInfo{d}
}

// Upgrade turns valid resources, in place, from any form into that with a reservation stack. Call it
// on what came from outside, once checked, before anything else looks at it.
func Upgrade(rs []*mesos.Resource) {
	for _, r := range rs {
		r.Reservations = reservationStack(r)
		r.Role, r.Reservation = nil, nil
	}
}

// Downgrade returns copies in the form with role and reservation, for clients that can't read
// reservation stacks. It fails with [ErrRefined] when that form can't say it.
func Downgrade(rs []*mesos.Resource) ([]*mesos.Resource, error) {
	out := make([]*mesos.Resource, len(rs))
	for i, r := range rs {
		if len(r.Reservations) > 1 {
			return nil, ErrRefined
		}
		out[i] = withSingle(r)
		out[i].Reservations = nil
	}
	return out, nil
}

// Endpoint returns copies that tell reservations in both forms, as far as the old one can: what
// Mesos's HTTP endpoints and operator API show.
func Endpoint(rs []*mesos.Resource) []*mesos.Resource {
	out := make([]*mesos.Resource, len(rs))
	for i, r := range rs {
		out[i] = withSingle(r)
	}
	return out
}

// withSingle is a copy with role and reservation set where there is no refinement.
func withSingle(r *mesos.Resource) *mesos.Resource {
	c := shallow(r)
	setSingle(c)
	return c
}

func setSingle(r *mesos.Resource) {
	switch len(r.Reservations) {
	case 0:
		if r.Role == nil {
			r.Role = new(roles.Default)
		}
	case 1:
		d := r.Reservations[0]
		r.Role, r.Reservation = d.Role, nil
		if d.GetType() == mesos.Resource_ReservationInfo_DYNAMIC {
			r.Reservation = &mesos.Resource_ReservationInfo{Principal: d.Principal, Labels: d.Labels}
		}
	}
}

// shallow copies the message and shares what it points to.
func shallow(r *mesos.Resource) *mesos.Resource {
	return &mesos.Resource{
		Name: r.Name, Type: r.Type, Scalar: r.Scalar, Ranges: r.Ranges, Set: r.Set,
		Role: r.Role, Disk: r.Disk, Reservation: r.Reservation, Revocable: r.Revocable, Shared: r.Shared,
		AllocationInfo: r.AllocationInfo, ProviderId: r.ProviderId, Reservations: r.Reservations,
	}
}
