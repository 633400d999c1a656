package resources

import mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

// Amounts sums by name like Quantities, and counts ranges and sets by their elements: what quota
// and the roles' consumption go by.
func (r Resources) Amounts() Quantities {
	qs := make([]Quantity, 0, len(r.items))
	for i := range r.items {
		qs = append(qs, Quantity{r.items[i].kind.name, r.items[i].Quantity()})
	}
	return QuantitiesOf(qs...)
}

// QuantitiesOfScalars are the amounts in a map of a wire message, such as the guarantees of a quota.
func QuantitiesOfScalars(m map[string]*mesos.Value_Scalar) Quantities {
	return QuantitiesOf(ofScalars(m)...)
}

// LimitsOfScalars are the bounds in a map of a wire message. A bound of zero allows nothing.
func LimitsOfScalars(m map[string]*mesos.Value_Scalar) Limits {
	return LimitsOf(ofScalars(m)...)
}

func ofScalars(m map[string]*mesos.Value_Scalar) []Quantity {
	qs := make([]Quantity, 0, len(m))
	for name, s := range m {
		qs = append(qs, Quantity{name, ScalarOf(s.GetValue())})
	}
	return qs
}

// String is "cpus:4; mem:1024", "{}" when nothing is bounded.
func (l Limits) String() string { return Quantities(l).String() }
