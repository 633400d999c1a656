package httpapi

import (
	"slices"
	"testing"
)

// With --roles these are the roles, with those above them; without it, all that are used.
func TestKnownRoles(t *testing.T) {
	v := viewOf(t, 0)
	v.Weights = map[string]float64{"dev/web": 3, "prod": 2}
	for name, c := range map[string]struct {
		allowed map[string]bool
		want    []string
		weights []float64
	}{
		"all":         {nil, []string{"dev", "dev/web", "prod"}, []float64{1, 3, 2}},
		"some":        {map[string]bool{"*": true, "prod": true, "ops/a/b": true}, []string{"*", "ops", "ops/a", "ops/a/b", "prod"}, []float64{1, 1, 1, 1, 2}},
		"the default": {map[string]bool{"*": true}, []string{"*"}, []float64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			v.Roles = c.allowed
			var got []string
			var weights []float64
			for _, r := range knownRoles(v, visible{}) {
				got, weights = append(got, r.name), append(weights, r.weight)
			}
			if !slices.Equal(got, c.want) || !slices.Equal(weights, c.weights) {
				t.Errorf("roles %q with weights %v, want %q with %v", got, weights, c.want, c.weights)
			}
		})
	}
}
