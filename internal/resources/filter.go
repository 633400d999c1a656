package resources

import (
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// Filter keeps the items for which keep is true.
func (r Resources) Filter(keep func(Item) bool) Resources {
	i := slices.IndexFunc(r.items, func(it Item) bool { return !keep(it) })
	if i < 0 {
		return r
	}
	items := slices.Clone(r.items[:i])
	for _, it := range r.items[i+1:] {
		if keep(it) {
			items = append(items, it)
		}
	}
	return Resources{items: items}
}

// Reserved keeps what is reserved.
func (r Resources) Reserved() Resources { return r.Filter(Item.IsReserved) }

// ReservedFor keeps what is reserved for exactly this role.
func (r Resources) ReservedFor(role string) Resources {
	return r.Filter(func(it Item) bool { return it.IsReserved() && it.kind.reservedFor == role })
}

// Unreserved keeps what is not reserved.
func (r Resources) Unreserved() Resources {
	return r.Filter(func(it Item) bool { return !it.IsReserved() })
}

// ReservedInSubtree keeps what is reserved for the role or one below it.
func (r Resources) ReservedInSubtree(role string) Resources {
	return r.Filter(func(it Item) bool { return it.IsReserved() && roles.InSubtree(it.kind.reservedFor, role) })
}

// AllocatableTo keeps what the role may be given: the unreserved, and what is reserved for it or one
// of its ancestors.
func (r Resources) AllocatableTo(role string) Resources {
	return r.Filter(func(it Item) bool { return it.IsAllocatableTo(role) })
}

// IsAllocatableTo reports whether the role may be given the item.
func (i Item) IsAllocatableTo(role string) bool {
	return !i.IsReserved() || roles.InSubtree(role, i.kind.reservedFor)
}

// Revocable keeps what may be taken back any time.
func (r Resources) Revocable() Resources { return r.Filter(Item.IsRevocable) }

// NonRevocable keeps the rest.
func (r Resources) NonRevocable() Resources {
	return r.Filter(func(it Item) bool { return !it.IsRevocable() })
}

// Shared keeps shared volumes.
func (r Resources) Shared() Resources { return r.Filter(Item.IsShared) }

// NonShared keeps the rest.
func (r Resources) NonShared() Resources {
	return r.Filter(func(it Item) bool { return !it.IsShared() })
}

// PersistentVolumes keeps volumes, shared or not.
func (r Resources) PersistentVolumes() Resources { return r.Filter(Item.IsPersistentVolume) }

// Scalars keeps what is measured and not counted.
func (r Resources) Scalars() Resources {
	return r.Filter(func(it Item) bool { return it.kind.typ == mesos.Value_SCALAR })
}

// Named keeps the resources of a name.
func (r Resources) Named(name string) Resources {
	return r.Filter(func(it Item) bool { return it.kind.name == name })
}

// ByReservation groups what is reserved by the role that it is reserved for.
func (r Resources) ByReservation() map[string]Resources {
	return r.group(func(it Item) (string, bool) { return it.kind.reservedFor, it.IsReserved() })
}

// ByAllocation groups what is allocated by role.
func (r Resources) ByAllocation() map[string]Resources {
	return r.group(func(it Item) (string, bool) { return it.kind.role, it.kind.allocated })
}

func (r Resources) group(key func(Item) (string, bool)) map[string]Resources {
	out := map[string]Resources{}
	for _, it := range r.items {
		if k, ok := key(it); ok {
			out[k] = Resources{items: append(out[k].items, it)}
		}
	}
	return out
}

// Names are the names that occur, sorted.
func (r Resources) Names() []string {
	var names []string
	for _, it := range r.items {
		names = append(names, it.kind.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Scalar is the sum of the scalars of a name, whoever they are reserved for.
func (r Resources) Scalar(name string) Scalar {
	var sum Scalar
	for i := range r.items {
		if it := &r.items[i]; it.kind.typ == mesos.Value_SCALAR && it.kind.name == name {
			sum = sum.plus(it.scalar)
		}
	}
	return sum
}

// Ranges is the union of the ranges of a name.
func (r Resources) Ranges(name string) Ranges {
	var sum Ranges
	for _, it := range r.items {
		if it.kind.typ == mesos.Value_RANGES && it.kind.name == name {
			sum = sum.Add(it.ranges)
		}
	}
	return sum
}

// Set is the union of the sets of a name.
func (r Resources) Set(name string) Set {
	var sum Set
	for _, it := range r.items {
		if it.kind.typ == mesos.Value_SET && it.kind.name == name {
			sum = sum.Add(it.set)
		}
	}
	return sum
}

// Partition is Filter and its opposite at once.
func (r Resources) Partition(keep func(Item) bool) (kept, others Resources) {
	kept = r.Filter(keep)
	switch kept.Len() {
	case r.Len():
		return r, Resources{}
	case 0:
		return Resources{}, r
	}
	return kept, r.Filter(func(it Item) bool { return !keep(it) })
}
