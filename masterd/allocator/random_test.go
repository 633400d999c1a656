package allocator

import (
	"fmt"
	"math"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// TestRandomSorterChances lets three roles compete for one agent again and again: with the random
// sorter each comes first as often as its weight says, whatever it holds elsewhere.
func TestRandomSorterChances(t *testing.T) {
	weights := map[string]float64{"one": 1, "two": 2, "five": 5}
	cfg := DefaultConfig()
	cfg.RoleSorter, cfg.FrameworkSorter, cfg.Seed = SorterRandom, SorterRandom, 1
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for role, weight := range weights {
		h.UpdateWeights([]*mesos.WeightInfo{{Role: &role, Weight: &weight}})
		if _, err := h.AddFramework(Framework{Active: true, Info: &mesos.FrameworkInfo{
			Id: &mesos.FrameworkID{Value: &role}, Role: &role,
		}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.AddAgent(Agent{
		Info: &mesos.AgentInfo{Id: &mesos.AgentID{Value: new("a")}}, Total: resources.MustParse("cpus:1"),
	}, nil); err != nil {
		t.Fatal(err)
	}
	const rounds = 8000
	first := map[string]float64{}
	for range rounds {
		p := h.Allocate(time.Unix(0, 0))
		if len(p) != 1 {
			t.Fatalf("%d proposals", len(p))
		}
		first[p[0].Role]++
		if err := h.Recover(p[0].Framework, p[0].Agent, p[0].Resources.Allocate(p[0].Role), nil, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for role, weight := range weights {
		want := rounds * weight / 8
		if off := math.Abs(first[role] - want); off > 4*math.Sqrt(want) { // four standard deviations at least
			t.Errorf("role %s came first %v times of %d, want about %v: %s", role, first[role], rounds, want, fmt.Sprint(first))
		}
	}
}
