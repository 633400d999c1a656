package resources

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Allocate sets allocation_info to the role, on everything.
func (r Resources) Allocate(role string) Resources {
	return r.rewrite(&mesos.Resource_AllocationInfo{Role: &role}, func(a *mesos.Resource_AllocationInfo, k *kind) bool {
		if k.allocated && k.role == role {
			return false
		}
		k.setAllocation(a)
		return true
	})
}

// Unallocate removes allocation_info.
func (r Resources) Unallocate() Resources {
	return r.rewrite(nil, func(_ *mesos.Resource_AllocationInfo, k *kind) bool {
		if !k.allocated {
			return false
		}
		k.setAllocation(nil)
		return true
	})
}

// ToUnreserved removes all reservations.
func (r Resources) ToUnreserved() Resources {
	return r.rewrite(nil, func(_ *mesos.Resource_AllocationInfo, k *kind) bool {
		if k.stack == "" {
			return false
		}
		k.setReservations(nil)
		return true
	})
}

// PushReservation reserves everything once more. It fails when that would not be a refinement: the
// role must lie below the one that holds it now, and only the first reservation may be static.
func (r Resources) PushReservation(reservation *mesos.Resource_ReservationInfo) (Resources, error) {
	for _, it := range r.items {
		stack := append(slices.Clone(it.kind.reservations), reservation)
		if err := validateStack(stack); err != nil {
			return Resources{}, fmt.Errorf("reserving '%s': %w", it, err)
		}
	}
	return r.rewrite(nil, func(_ *mesos.Resource_AllocationInfo, k *kind) bool {
		k.setReservations(append(slices.Clone(k.reservations), reservation))
		return true
	}), nil
}

// PopReservation removes the innermost reservation of everything. It fails when something has none.
func (r Resources) PopReservation() (Resources, error) {
	for _, it := range r.items {
		if !it.IsReserved() {
			return Resources{}, fmt.Errorf("unreserving '%s': %w: it is not reserved", it, ErrInvalid)
		}
	}
	return r.rewrite(nil, func(_ *mesos.Resource_AllocationInfo, k *kind) bool {
		k.setReservations(k.reservations[:len(k.reservations)-1])
		return true
	}), nil
}

// rewrite changes the kinds of all items; change reports whether it did anything. Items that are of
// one kind afterwards merge.
func (r Resources) rewrite(
	a *mesos.Resource_AllocationInfo, change func(*mesos.Resource_AllocationInfo, *kind) bool,
) Resources {
	items := make([]Item, 0, len(r.items))
	kinds := make([]kind, len(r.items))
	for i, it := range r.items {
		k := &kinds[i]
		*k = *it.kind
		if change(a, k) {
			it.kind = k
		}
		items = addItem(items, it)
	}
	return Resources{items: items}
}

// withKind is the item with its kind changed.
func (i Item) withKind(change func(*kind)) Item {
	k := *i.kind
	change(&k)
	i.kind = &k
	return i
}

// withoutVolume is the disk that a persistent volume was made of.
func (i Item) withoutVolume() Item {
	return i.withKind(func(k *kind) {
		k.shared = false
		source := k.disk.GetSource()
		if source == nil {
			k.setDisk(nil)
			return
		}
		k.setDisk(&mesos.Resource_DiskInfo{Source: source})
	})
}
