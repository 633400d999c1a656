package sim

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

var (
	seeds = flag.Int("seeds", 140, "how many seeds to try; SIM_SEEDS does the same")
	watch = flag.String("watch", "", "print the lines of the trace that hold this text")
	from  = flag.Uint64("seed", 1, "the first seed")
)

func TestMain(m *testing.M) {
	// A run lives on little memory and leaves much behind.
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// TestSeeds runs one simulation per seed. A failure says its seed; run it
// again with -seed N -seeds 1.
func TestSeeds(t *testing.T) {
	n := *seeds
	if env := os.Getenv("SIM_SEEDS"); env != "" {
		var err error
		if n, err = strconv.Atoi(env); err != nil {
			t.Fatalf("SIM_SEEDS: %v", err)
		}
	}
	total := runSeedsOf(t, DefaultConfig, *from, n)
	t.Logf("%d seeds: %+v", n, total)
	if n >= 100 && (total.Launched == 0 || total.Ended == 0 || total.AgentCrashes == 0 ||
		total.MasterFailovers == 0 || total.FrameworkCrashes == 0 || total.Cuts == 0 || total.Unreachable == 0 ||
		total.Stalls == 0 || total.Repeated == 0 || total.Overtaken == 0 || total.Suppressed == 0 ||
		total.RoleChanges == 0 || total.Removed == 0 ||
		total.Policies == 0 || total.ShutDowns == 0 || total.Operations == 0 ||
		total.Resized == 0 || total.Shared == 0 || total.Mounted == 0) {
		t.Errorf("something never happened: %+v", total)
	}
}

// runSeedsOf runs seeds on all processors and adds up what happened. It stops
// with the first failure.
func runSeedsOf(t *testing.T, of func(seed uint64) Config, first uint64, n int) Stats {
	var (
		work  errgroup.Group
		next  atomic.Uint64
		mu    sync.Mutex
		total Stats
	)
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= uint64(n) {
					return nil
				}
				stats, err := Run(watched(t, of(first+i)))
				if err != nil {
					next.Store(uint64(n))
					return err
				}
				mu.Lock()
				total.add(stats)
				mu.Unlock()
			}
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	return total
}

func watched(t *testing.T, cfg Config) Config {
	if *watch != "" {
		cfg.Trace = func(line string) {
			if strings.Contains(line, *watch) {
				t.Log(line)
			}
		}
	}
	return cfg
}

func (s *Stats) add(o Stats) {
	s.Events += o.Events
	s.Launched += o.Launched
	s.Ended += o.Ended
	s.AgentCrashes += o.AgentCrashes
	s.MasterFailovers += o.MasterFailovers
	s.FrameworkCrashes += o.FrameworkCrashes
	s.Cuts += o.Cuts
	s.Unreachable += o.Unreachable
	s.Stalls += o.Stalls
	s.Repeated += o.Repeated
	s.Overtaken += o.Overtaken
	s.Suppressed += o.Suppressed
	s.RoleChanges += o.RoleChanges
	s.Removed += o.Removed
	s.Policies += o.Policies
	s.ShutDowns += o.ShutDowns
	s.MasterStats.add(o.MasterStats)
	s.Operations += o.Operations
	s.Resized += o.Resized
	s.Shared += o.Shared
	s.Mounted += o.Mounted
}

// TestRepeatable: a seed is a whole story.
func TestRepeatable(t *testing.T) {
	first, err := Run(DefaultConfig(7))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Run(DefaultConfig(7))
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("seed 7 was %+v and is %+v", first, second)
	}
}
