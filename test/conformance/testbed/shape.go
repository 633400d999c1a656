package testbed

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shape is the members of JSON with their types, elements of arrays as one:
// "tasks[].statuses[].timestamp" → "double". A number that is a double in one
// element and an integer in another has both, joined by "|".
type Shape map[string]string

// ShapeOf returns the shape of a value. Objects at the paths in maps have members
// that are data, such as attributes: they are taken as values.
func ShapeOf(v Value, maps ...string) Shape {
	s := Shape{}
	s.add("", v, maps)
	return s
}

func (s Shape) add(path string, v Value, maps []string) {
	if path != "" {
		s.note(path, v.Kind())
	}
	if slices.Contains(maps, path) {
		return
	}
	for name, member := range v.Members() {
		s.add(strings.TrimPrefix(path+"."+name, "."), member, maps)
	}
	for _, element := range v.List() {
		s.add(path+"[]", element, maps)
	}
}

func (s Shape) note(path, kind string) {
	kinds := append(strings.FieldsFunc(s[path], func(r rune) bool { return r == '|' }), kind)
	slices.Sort(kinds)
	s[path] = strings.Join(slices.Compact(kinds), "|")
}

// Differences compares with the shape that is wanted. Paths that begin with one
// of optional may be missing or new, not of another type.
func (s Shape) Differences(want Shape, optional ...string) []string {
	var out []string
	free := func(path string) bool {
		return slices.ContainsFunc(optional, func(o string) bool {
			return path == o || strings.HasPrefix(path, o+".") || strings.HasPrefix(path, o+"[")
		})
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		got, ok := s[path]
		switch {
		case !ok && !free(path):
			out = append(out, fmt.Sprintf("missing: %s (%s)", path, want[path]))
		case ok && !within(got, want[path]):
			out = append(out, fmt.Sprintf("type of %s: got %s, want %s", path, got, want[path]))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(s)) {
		if _, ok := want[path]; !ok && !free(path) {
			out = append(out, fmt.Sprintf("unknown: %s (%s)", path, s[path]))
		}
	}
	return out
}

// within says whether all kinds in got are among those in want.
func within(got, want string) bool {
	wanted := strings.Split(want, "|")
	for kind := range strings.SplitSeq(got, "|") {
		if !slices.Contains(wanted, kind) {
			return false
		}
	}
	return true
}
