package sim

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// mastersConfig is a run with several masters. Most are small; one of a hundred
// has fifty agents and ten frameworks, and takes as long as the others together.
func mastersConfig(seed uint64) Config {
	cfg := Config{Seed: seed, Masters: 3, Agents: 4, Frameworks: 3, Trouble: 3 * time.Minute, Peace: 45 * time.Minute}
	if seed%3 == 0 {
		cfg.Masters = 5
	}
	cfg.Sessions, cfg.Operator = seed%4 == 1, seed%2 == 0
	if seed%100 == 0 {
		cfg.Agents, cfg.Frameworks = 50, 10
	}
	return cfg
}

// TestMasters runs one simulation of several masters per seed. A failure says
// its seed; run it again with -seed N -seeds 1.
func TestMasters(t *testing.T) {
	n := max(*seeds/2, 1)
	if env := os.Getenv("SIM_SEEDS"); env != "" {
		var err error
		if n, err = strconv.Atoi(env); err != nil {
			t.Fatalf("SIM_SEEDS: %v", err)
		}
	}
	total := runSeedsOf(t, mastersConfig, *from, n)
	t.Logf("%d seeds: %+v", n, total)
	if n >= 50 && (total.Elections == 0 || total.Deposed == 0 || total.MasterCrashes == 0 || total.WriteCrashes == 0 ||
		total.Freezes == 0 || total.Gone == 0 || total.Late == 0 || total.Launched == 0 || total.Unreachable == 0) {
		t.Errorf("something never happened: %+v", total)
	}
}

func TestMastersRepeatable(t *testing.T) {
	first, err := Run(mastersConfig(7))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Run(mastersConfig(7))
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("seed 7 was %+v and is %+v", first, second)
	}
}
