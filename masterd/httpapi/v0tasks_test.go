package httpapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

func TestNumber(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "5": 5, "+5": 5, "-5": -5, "007": 7, "0x1f": 31, "0X1F": 31, "-0x2": -2, "2147483647": 2147483647,
		"": 100, " 5": 100, "5.0": 100, "1e2": 100, "many": 100, "0x": 100, "0x1.8": 100, "1_0": 100, "2147483648": 100,
	} {
		if got := number(text, 100); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// A ranking has the tasks that sorting all of them would have.
func TestRanking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.IntRange(0, 50), 0, 3*rankSlack).Draw(t, "times")
		r := ranking{ascending: rapid.Bool().Draw(t, "ascending"), bounded: rapid.Bool().Draw(t, "bounded")}
		r.most = rapid.IntRange(0, 300).Draw(t, "most")
		all := make([]int, len(times)) // places
		for i := range times {
			all[i] = i
			place := r.from(i, len(times))
			r.add(float64(times[place]), state.Table[mesos.Task]{}, place)
		}
		slices.SortStableFunc(all, func(x, y int) int { return cmp.Compare(times[x], times[y]) })
		if !r.ascending {
			slices.Reverse(all)
		}
		if r.bounded {
			all = all[:min(r.most, len(all))]
		}
		got := []int{}
		for _, ranked := range r.best() {
			got = append(got, ranked.place)
		}
		if diff := gocmp.Diff(all, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The tallies of /state-summary are those that counting one task after the other
// gives, in order.
func TestSummaryCounts(t *testing.T) {
	v := viewOf(t, 20)
	type sums struct {
		states map[string]int
		others map[string]bool
	}
	want := map[string]sums{}
	of := func(id string) sums {
		if _, ok := want[id]; !ok {
			want[id] = sums{map[string]int{}, map[string]bool{}}
		}
		return want[id]
	}
	for _, table := range taskTables(v) {
		for task := range table.All() {
			agent, framework := task.GetAgentId().GetValue(), task.GetFrameworkId().GetValue()
			for id, other := range map[string]string{agent: framework, framework: agent} {
				of(id).states[task.GetState().String()]++
				of(id).others[other] = true
			}
		}
	}
	var got struct{ Slaves, Frameworks []map[string]any }
	if err := json.Unmarshal(composed((&API{}).composeSummary, v, asked{}), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Slaves) != v.Agents.Len() || len(got.Frameworks) != v.Frameworks.Len() {
		t.Fatalf("%d agents and %d frameworks", len(got.Slaves), len(got.Frameworks))
	}
	for _, shown := range append(got.Slaves, got.Frameworks...) {
		id := shown["id"].(string)
		others := shown["framework_ids"]
		if others == nil {
			others = shown["slave_ids"]
		}
		if text := fmt.Sprint(slices.Sorted(maps.Keys(want[id].others))); fmt.Sprint(others) != text {
			t.Errorf("%s shares tasks with %v, want %s", id, others, text)
		}
		for _, name := range countedNames {
			if n := want[id].states[name]; shown[name] != float64(n) {
				t.Errorf("%s has %v in %s, want %d", id, shown[name], name, n)
			}
		}
	}
}

func BenchmarkTasksFirstPage(b *testing.B) { benchEndpoint(b, composeTasks, asked{}) }
