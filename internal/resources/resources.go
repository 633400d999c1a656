package resources

import (
	"fmt"
	"iter"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Resources is an immutable bag of resources. The zero value is empty and ready to use. Items of one
// kind are kept as one (see the package comment), in the order in which they first came.
type Resources struct{ items []Item }

// New checks and converts wire resources, in either form of reservations. Empty ones (cpus:0) are
// dropped. The error wraps [ErrInvalid] and names the resource. The messages must not be changed
// afterwards.
func New(rs []*mesos.Resource) (Resources, error) {
	for _, r := range rs {
		if err := Validate(r); err != nil {
			return Resources{}, fmt.Errorf("resource '%s': %w", describe(r), err)
		}
	}
	return trusted(rs), nil
}

// Of is New for resources that were checked before: invalid ones are left out without a word, as
// Mesos does.
func Of(rs ...*mesos.Resource) Resources {
	if i := slices.IndexFunc(rs, isInvalid); i >= 0 {
		rs = slices.DeleteFunc(slices.Clone(rs), isInvalid)
	}
	return trusted(rs)
}

func isInvalid(r *mesos.Resource) bool { return Validate(r) != nil }

func trusted(rs []*mesos.Resource) Resources {
	if len(rs) == 0 {
		return Resources{}
	}
	items := make([]Item, 0, len(rs))
	kinds := make([]kind, len(rs))
	for i, r := range rs {
		kinds[i].init(r)
		items = addItem(items, itemOf(&kinds[i], r))
	}
	return Resources{items: items}
}

func itemOf(k *kind, r *mesos.Resource) Item {
	it := Item{kind: k, copies: 1}
	switch k.typ {
	case mesos.Value_SCALAR:
		it.scalar = ScalarOf(r.GetScalar().GetValue())
	case mesos.Value_RANGES:
		it.ranges = RangesFromProto(r.GetRanges())
	case mesos.Value_SET:
		it.set = SetOf(r.GetSet().GetItem()...)
	}
	return it
}

// Len is the number of items.
func (r Resources) Len() int { return len(r.items) }

// IsEmpty reports whether there is nothing.
func (r Resources) IsEmpty() bool { return len(r.items) == 0 }

// All yields the items.
func (r Resources) All() iter.Seq[Item] { return slices.Values(r.items) }

// Match is the first item of that item's kind, whatever its amount. Of disks that are handed out as a
// whole there may be more than one.
func (r Resources) Match(like Item) (Item, bool) {
	for _, i := range r.items {
		if i.kind.equal(like.kind) {
			return i, true
		}
	}
	return Item{}, false
}

// Add is the sum.
func (r Resources) Add(o Resources) Resources {
	if len(o.items) == 0 {
		return r
	}
	if len(r.items) == 0 {
		return o
	}
	items := make([]Item, len(r.items), len(r.items)+len(o.items))
	copy(items, r.items)
	for _, it := range o.items {
		items = addItem(items, it)
	}
	return Resources{items: items}
}

// Subtract takes o off r. What r doesn't hold is ignored, and a scalar that would become negative
// disappears; ask [Resources.Contains] before where that matters.
func (r Resources) Subtract(o Resources) Resources {
	if len(o.items) == 0 || len(r.items) == 0 {
		return r
	}
	items := slices.Clone(r.items)
	for _, it := range o.items {
		items = subtractItem(items, it)
	}
	return Resources{items: items}
}

// Contains reports whether o can be taken off r as it is.
func (r Resources) Contains(o Resources) bool {
	items, owned := r.items, false
	for _, want := range o.items {
		if !slices.ContainsFunc(items, func(have Item) bool { return have.contains(want) }) {
			return false
		}
		// Equal pieces that don't merge must be there as often as they are wanted.
		if want.kind.whole {
			if !owned {
				items, owned = slices.Clone(items), true
			}
			items = subtractItem(items, want)
		}
	}
	return true
}

// Equal reports whether both hold the same, in whatever order.
func (r Resources) Equal(o Resources) bool {
	return len(r.items) == len(o.items) && r.Contains(o) && o.Contains(r)
}

// Proto is the wire form, with reservation stacks. A shared resource appears once, however many
// copies there are. The slice is the caller's; the messages are shared and must not be changed.
func (r Resources) Proto() []*mesos.Resource {
	if len(r.items) == 0 {
		return nil
	}
	out := make([]*mesos.Resource, len(r.items))
	messages := make([]struct {
		resource mesos.Resource
		scalar   mesos.Value_Scalar
		value    float64
	}, len(r.items))
	for i := range r.items {
		it, m := &r.items[i], &messages[i]
		it.kind.fill(&m.resource)
		switch it.kind.typ {
		case mesos.Value_SCALAR:
			m.value = it.scalar.Float()
			m.scalar.Value = &m.value
			m.resource.Scalar = &m.scalar
		case mesos.Value_RANGES:
			m.resource.Ranges = it.ranges.Proto()
		case mesos.Value_SET:
			m.resource.Set = it.set.Proto()
		}
		out[i] = &m.resource
	}
	return out
}

// Copied is Proto with every shared resource as often as there are copies of it. [Of] counts them back,
// which makes it the form for accounts; on the wire to frameworks a volume is there once.
func (r Resources) Copied() []*mesos.Resource {
	out := r.Proto()
	for i, it := range r.items {
		for range it.copies - 1 {
			out = append(out, out[i])
		}
	}
	return out
}

// addItem adds it to items that the caller owns.
func addItem(items []Item, it Item) []Item {
	if it.isEmpty() {
		return items
	}
	if !it.kind.whole || it.kind.shared {
		for i := range items {
			if items[i].mergeable(it) {
				items[i] = items[i].plus(it)
				return items
			}
		}
	}
	return append(items, it)
}

// subtractItem takes it off items that the caller owns.
func subtractItem(items []Item, it Item) []Item {
	for i := range items {
		if !items[i].subtractable(it) {
			continue
		}
		rest := items[i].minus(it)
		if it.kind.whole && !it.kind.shared || rest.isEmpty() {
			return slices.Delete(items, i, i+1)
		}
		items[i] = rest
		break
	}
	return items
}

// Same reports whether both are the very same value, which implies that they are equal. It costs
// nothing; that it is false means nothing.
func (r Resources) Same(o Resources) bool {
	return len(r.items) == len(o.items) && (len(r.items) == 0 || &r.items[0] == &o.items[0])
}
