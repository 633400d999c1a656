package resources

import (
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Set is a sorted set of strings, never changed in place.
type Set []string

// SetOf sorts and drops duplicates.
func SetOf(items ...string) Set {
	s := slices.Clone(items)
	slices.Sort(s)
	return Set(slices.Compact(s))
}

// Add is the union.
func (s Set) Add(o Set) Set {
	if len(o) == 0 {
		return s
	}
	return SetOf(slices.Concat(s, o)...)
}

// Subtract is what is in s and not in o.
func (s Set) Subtract(o Set) Set {
	out := make(Set, 0, len(s))
	for _, item := range s {
		if !o.has(item) {
			out = append(out, item)
		}
	}
	return out
}

// Contains reports whether all of o is in s.
func (s Set) Contains(o Set) bool {
	for _, item := range o {
		if !s.has(item) {
			return false
		}
	}
	return true
}

// Equal compares as sets.
func (s Set) Equal(o Set) bool { return slices.Equal(s, o) }

// String is Mesos's form, "{a, b}".
func (s Set) String() string { return string(s.append(nil)) }

func (s Set) append(b []byte) []byte {
	b = append(b, '{')
	for i, item := range s {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, item...)
	}
	return append(b, '}')
}

// Proto is the wire type.
func (s Set) Proto() *mesos.Value_Set { return &mesos.Value_Set{Item: slices.Clone(s)} }

func (s Set) has(item string) bool {
	_, found := slices.BinarySearch(s, item)
	return found
}
