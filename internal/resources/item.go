package resources

import mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

// Item is one resource, an amount of one kind. It is an immutable value.
type Item struct {
	kind   *kind
	scalar Scalar
	ranges Ranges
	set    Set
	// copies counts a shared resource; it is 1 for all others.
	copies int
}

// Name is "cpus", "mem", …
func (i Item) Name() string { return i.kind.name }

// Type says which of Scalar, Ranges and Set is meant.
func (i Item) Type() mesos.Value_Type { return i.kind.typ }

// Scalar is the amount of a SCALAR.
func (i Item) Scalar() Scalar { return i.scalar }

// Ranges are the numbers of a RANGES.
func (i Item) Ranges() Ranges { return i.ranges }

// Set are the elements of a SET.
func (i Item) Set() Set { return i.set }

// Copies is how often a shared resource is there; 1 for one that is not shared.
func (i Item) Copies() int { return i.copies }

// ReservedFor is the role of the innermost reservation, "" when unreserved.
func (i Item) ReservedFor() string { return i.kind.reservedFor }

// Reservations is the stack, outermost first. It must not be changed.
func (i Item) Reservations() []*mesos.Resource_ReservationInfo { return i.kind.reservations }

// IsReserved reports whether there is a reservation.
func (i Item) IsReserved() bool { return i.kind.stack != "" }

// IsDynamicallyReserved reports whether the innermost reservation was made by a RESERVE.
func (i Item) IsDynamicallyReserved() bool {
	n := len(i.kind.reservations)
	return n > 0 && i.kind.reservations[n-1].GetType() == mesos.Resource_ReservationInfo_DYNAMIC
}

// IsRefined reports whether there is more than one reservation.
func (i Item) IsRefined() bool { return len(i.kind.reservations) > 1 }

// IsAllocated reports whether there is an allocation_info.
func (i Item) IsAllocated() bool { return i.kind.allocated }

// AllocatedTo is the role that it is allocated to, "" when it isn't.
func (i Item) AllocatedTo() string { return i.kind.role }

// IsRevocable reports whether it may be taken back any time.
func (i Item) IsRevocable() bool { return i.kind.revocable }

// IsShared reports whether several tasks may use it at once.
func (i Item) IsShared() bool { return i.kind.shared }

// Disk is the disk info, nil without. It must not be changed.
func (i Item) Disk() *mesos.Resource_DiskInfo { return i.kind.disk }

// IsPersistentVolume reports whether it is a disk with persistence.
func (i Item) IsPersistentVolume() bool { return i.kind.disk.GetPersistence() != nil }

// IsIndivisible reports whether it can be had as a whole only: a persistent volume, a MOUNT or BLOCK
// disk, or a RAW one with an ID.
func (i Item) IsIndivisible() bool { return i.kind.whole }

// Provider is the ID of its resource provider, nil for what the agent itself has.
func (i Item) Provider() *mesos.ResourceProviderID { return i.kind.providerID }

// Quantity is its size in thousandths of whatever it is: a range or set counts its elements.
func (i Item) Quantity() Scalar {
	switch i.kind.typ {
	case mesos.Value_RANGES:
		return countScalar(i.ranges.Count())
	case mesos.Value_SET:
		return countScalar(uint64(len(i.set)))
	}
	return i.scalar
}

// Resources holds just the item.
func (i Item) Resources() Resources {
	if i.isEmpty() {
		return Resources{}
	}
	return Resources{items: []Item{i}}
}

// One holds a single copy of the item.
func (i Item) One() Resources {
	i.copies = min(i.copies, 1)
	return i.Resources()
}

// Within reports whether the amount of i is part of o's: no larger a scalar, numbers and elements that
// o has too. It looks at amounts alone: whether the two are of one kind is [Resources.Match]'s question.
func (i Item) Within(o Item) bool {
	return i.scalar <= o.scalar && o.ranges.Contains(i.ranges) && o.set.Contains(i.set)
}

func countScalar(n uint64) Scalar { return Scalar(min(n, uint64(MaxScalar)/1000) * 1000) }

func (i Item) isEmpty() bool {
	switch i.kind.typ {
	case mesos.Value_SCALAR:
		return i.scalar <= 0 || i.copies <= 0
	case mesos.Value_RANGES:
		return len(i.ranges) == 0
	default:
		return len(i.set) == 0
	}
}

func (i Item) sameAmount(o Item) bool {
	return i.scalar == o.scalar && i.ranges.Equal(o.ranges) && i.set.Equal(o.set)
}

// mergeable reports whether both can be kept as one item.
func (i Item) mergeable(o Item) bool {
	if !i.kind.equal(o.kind) {
		return false
	}
	if i.kind.shared {
		return i.sameAmount(o)
	}
	return !i.kind.whole
}

// subtractable reports whether o can be taken off i, with something or nothing left.
func (i Item) subtractable(o Item) bool {
	return i.kind.equal(o.kind) && (!i.kind.whole && !i.kind.shared || i.sameAmount(o))
}

func (i Item) contains(o Item) bool {
	if !i.subtractable(o) {
		return false
	}
	if i.kind.shared {
		return i.copies >= o.copies
	}
	return i.scalar >= o.scalar && i.ranges.Contains(o.ranges) && i.set.Contains(o.set)
}

func (i Item) plus(o Item) Item {
	if i.kind.shared {
		i.copies += o.copies
		return i
	}
	i.scalar = i.scalar.plus(o.scalar)
	i.ranges = i.ranges.Add(o.ranges)
	i.set = i.set.Add(o.set)
	return i
}

func (i Item) minus(o Item) Item {
	if i.kind.shared {
		i.copies -= o.copies
		return i
	}
	i.scalar -= o.scalar
	i.ranges = i.ranges.Subtract(o.ranges)
	if len(o.set) > 0 {
		i.set = i.set.Subtract(o.set)
	}
	return i
}

// Shrink is the item with no more than that amount. It reports false when the item can't be divided,
// or is no scalar.
func (i Item) Shrink(limit Scalar) (Item, bool) {
	switch {
	case i.kind.typ != mesos.Value_SCALAR:
		return i, false
	case i.scalar <= limit:
		return i, true
	case i.kind.whole || i.kind.shared:
		return i, false
	}
	i.scalar = limit
	return i, true
}
