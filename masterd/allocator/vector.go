package allocator

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// names gives every resource name a small number, so that quantities can be vectors.
type names struct {
	index map[string]int
	list  []string
}

func (n *names) id(name string) int {
	if id, ok := n.index[name]; ok {
		return id
	}
	id := len(n.list)
	n.index[name] = id
	n.list = append(n.list, name)
	return id
}

// vector is an amount per resource name. Missing elements are zero.
type vector []resources.Scalar

func (v vector) get(id int) resources.Scalar {
	if id < len(v) {
		return v[id]
	}
	return 0
}

func (v *vector) add(id int, s resources.Scalar) {
	for len(*v) <= id {
		*v = append(*v, 0)
	}
	(*v)[id] += s
}

func (v *vector) addAll(o vector) {
	for id, s := range o {
		v.add(id, s)
	}
}

func (v *vector) subtractAll(o vector) {
	for id, s := range o {
		v.add(id, -s)
	}
}

// anyPositive reports whether there is something.
func (v vector) anyPositive() bool {
	for _, s := range v {
		if s > 0 {
			return true
		}
	}
	return false
}

// measure is the scalars of r by name.
func (n *names) measure(r resources.Resources) vector {
	var v vector
	for it := range r.All() {
		if it.Type() == mesos.Value_SCALAR {
			v.add(n.id(it.Name()), it.Scalar())
		}
	}
	return v
}

func (n *names) vectorOf(m map[string]*mesos.Value_Scalar) vector {
	var v vector
	for name, s := range m {
		v.add(n.id(name), resources.ScalarOf(s.GetValue()))
	}
	return v
}

// quantities is v by name, for snapshots.
func (n *names) quantities(v vector) resources.Quantities {
	var out []resources.Quantity
	for id, s := range v {
		out = append(out, resources.Quantity{Name: n.list[id], Value: s})
	}
	return resources.QuantitiesOf(out...)
}
