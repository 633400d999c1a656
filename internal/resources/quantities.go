package resources

import (
	"cmp"
	"math"
	"slices"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Quantity is an amount under a name, without reservation, disk or anything else.
type Quantity struct {
	Name  string
	Value Scalar
}

// Quantities is a vector of amounts, sorted by name, at most one per name, none zero or negative.
// The nil slice is empty. Methods never change their receiver.
type Quantities []Quantity

// QuantitiesOf sums, sorts and drops what is not positive.
func QuantitiesOf(qs ...Quantity) Quantities {
	sorted := slices.Clone(qs)
	slices.SortStableFunc(sorted, byName)
	var out Quantities
	for _, q := range sorted {
		if n := len(out); n > 0 && out[n-1].Name == q.Name {
			out[n-1].Value = out[n-1].Value.plus(q.Value)
			continue
		}
		out = append(out, q)
	}
	return slices.DeleteFunc(out, func(q Quantity) bool { return q.Value <= 0 })
}

func byName(a, b Quantity) int { return cmp.Compare(a.Name, b.Name) }

// Quantities sums the scalars by name. Shared resources count once, however many copies there are,
// and ranges and sets don't.
func (r Resources) Quantities() Quantities {
	qs := make([]Quantity, 0, len(r.items))
	for _, it := range r.items {
		if it.kind.typ == mesos.Value_SCALAR {
			qs = append(qs, Quantity{it.kind.name, it.scalar})
		}
	}
	return QuantitiesOf(qs...)
}

// Get is the amount under a name, zero without.
func (q Quantities) Get(name string) Scalar {
	for i := range q {
		if q[i].Name == name {
			return q[i].Value
		}
	}
	return 0
}

// Add is the sum.
func (q Quantities) Add(o Quantities) Quantities {
	return q.combine(o, func(a, b Scalar) Scalar { return a.plus(b) })
}

// Subtract is the difference; what would be negative is left out.
func (q Quantities) Subtract(o Quantities) Quantities {
	return q.combine(o, func(a, b Scalar) Scalar { return a - b })
}

func (q Quantities) combine(o Quantities, f func(a, b Scalar) Scalar) Quantities {
	out := make(Quantities, 0, len(q)+len(o))
	for i, j := 0, 0; i < len(q) || j < len(o); {
		var n Quantity
		switch {
		case j == len(o) || i < len(q) && q[i].Name < o[j].Name:
			n = Quantity{q[i].Name, f(q[i].Value, 0)}
			i++
		case i == len(q) || o[j].Name < q[i].Name:
			n = Quantity{o[j].Name, f(0, o[j].Value)}
			j++
		default:
			n = Quantity{q[i].Name, f(q[i].Value, o[j].Value)}
			i, j = i+1, j+1
		}
		if n.Value > 0 {
			out = append(out, n)
		}
	}
	return out
}

// Contains reports whether there is at least as much of everything as in o.
func (q Quantities) Contains(o Quantities) bool {
	for _, want := range o {
		if q.Get(want.Name) < want.Value {
			return false
		}
	}
	return true
}

// String is "cpus:4; mem:1024", "{}" when empty.
func (q Quantities) String() string {
	if len(q) == 0 {
		return "{}"
	}
	parts := make([]string, len(q))
	for i, x := range q {
		parts[i] = x.Name + ":" + x.Value.String()
	}
	return strings.Join(parts, "; ")
}

// ContainsQuantities reports whether there is at least that much of everything, counting ranges and
// sets by their elements.
func (r Resources) ContainsQuantities(q Quantities) bool {
	for _, want := range q {
		var have Scalar
		for i := range r.items {
			if it := &r.items[i]; it.kind.name == want.Name {
				have = have.plus(it.Quantity())
			}
		}
		if have < want.Value {
			return false
		}
	}
	return true
}

// Limits are upper bounds, sorted by name. A name without an entry is unlimited, and zero is a bound.
type Limits []Quantity

// LimitsOf sorts; the last of a name wins.
func LimitsOf(qs ...Quantity) Limits {
	sorted := slices.Clone(qs)
	slices.SortStableFunc(sorted, byName)
	var out Limits
	for _, q := range sorted {
		q.Value = max(q.Value, 0)
		if n := len(out); n > 0 && out[n-1].Name == q.Name {
			out[n-1] = q
			continue
		}
		out = append(out, q)
	}
	return out
}

// Get is the bound for a name, math.MaxInt64 when there is none.
func (l Limits) Get(name string) Scalar {
	for _, q := range l {
		if q.Name == name {
			return q.Value
		}
	}
	return math.MaxInt64
}

// Allows reports whether q stays within all bounds.
func (l Limits) Allows(q Quantities) bool {
	for _, bound := range l {
		if q.Get(bound.Name) > bound.Value {
			return false
		}
	}
	return true
}
