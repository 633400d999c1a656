package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// doneTasks hold what a plain list of keys and IDs would, in the same order.
func TestDoneTasks(t *testing.T) {
	type entry struct {
		key uint64
		id  TaskID
	}
	rapid.Check(t, func(t *rapid.T) {
		var d doneTasks
		var model []entry
		next := uint64(0)
		id := rapid.Custom(func(t *rapid.T) TaskID { return TaskID(fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "id"))) })
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				next++
				e := entry{next, id.Draw(t, "pushed")}
				d.push(e.key, e.id)
				model = append(model, e)
			},
			"shift": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				d.shift(model[0].id)
				model = model[1:]
			},
			"remove": func(t *rapid.T) {
				gone := id.Draw(t, "removed")
				var want []uint64
				model = slices.DeleteFunc(slices.Clone(model), func(e entry) bool {
					if e.id == gone {
						want = append(want, e.key)
					}
					return e.id == gone
				})
				if diff := cmp.Diff(want, slices.Clone(d.remove(gone))); diff != "" {
					t.Fatalf("removed (-want +got):\n%s", diff)
				}
			},
			"": func(t *rapid.T) {
				keys, byID := []uint64{}, map[TaskID][]uint64{}
				for _, e := range model {
					keys = append(keys, e.key)
					byID[e.id] = append(byID[e.id], e.key)
				}
				if diff := cmp.Diff(keys, append([]uint64{}, d.keys...)); diff != "" {
					t.Fatalf("keys (-want +got):\n%s", diff)
				}
				if len(byID) != len(d.byID) {
					t.Fatalf("%d IDs, want %d", len(d.byID), len(byID))
				}
				for id, keys := range byID {
					if !slices.Equal(keys, d.byID[id]) {
						t.Fatalf("%s: %v, want %v", id, d.byID[id], keys)
					}
				}
			},
		})
	})
}
