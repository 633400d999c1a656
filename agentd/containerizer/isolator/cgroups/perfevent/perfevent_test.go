package perfevent

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		output string
		want   map[string]*mesos.PerfStatistics
		err    string
	}{
		"2.6.39": {
			output: "123,cycles,mesos/a\n0.5,task-clock,mesos/a\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {Cycles: new(uint64(123)), TaskClock: new(0.5)}},
		},
		"3.14": {
			output: "123,,cycles,mesos/a\n0.5,msec,task-clock,mesos/b\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {Cycles: new(uint64(123))}, "mesos/b": {TaskClock: new(0.5)}},
		},
		"4.1": {
			output: "5,,L1-dcache-loads,mesos/a,1000,100.00\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {L1DcacheLoads: new(uint64(5))}},
		},
		"4.6": {
			output: "3306,,context-switches,mesos/a,372389495,100.00,8.878,K/sec\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {ContextSwitches: new(uint64(3306))}},
		},
		"commas too many": {
			output: "7,,page-faults,mesos/a,372389495,100.00,,,,\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {PageFaults: new(uint64(7))}},
		},
		"what the machine can't": {
			output: "<not supported>,,cycles,mesos/a,0,100.00,,\n<not counted>,,instructions,mesos/a,0,100.00,,\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {Instructions: new(uint64(0))}},
		},
		"derived": {
			output: "9,,cycles,mesos/a,1,100.00,,\n,,,,,,0.5,insn per cycle\n",
			want:   map[string]*mesos.PerfStatistics{"mesos/a": {Cycles: new(uint64(9))}},
		},
		"nothing":              {want: map[string]*mesos.PerfStatistics{}},
		"a number of columns":  {output: "1,2,3,4,5\n", err: "number of columns: 5"},
		"more behind":          {output: "7,,page-faults,mesos/a,3,100.00,,,,x\n", err: "number of columns: 10"},
		"an event of no field": {output: "1,,unicorns,mesos/a\n", err: `unknown event "unicorns"`},
		"not a number":         {output: "many,,cycles,mesos/a\n", err: "invalid syntax"},
		"not an event":         {output: "1,,duration,mesos/a\n", err: "unknown event"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.output)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("3306,,context-switches,mesos/a,372389495,100.00,8.878,K/sec\n")
	f.Add("<not counted>,,instructions,mesos/a,0,100.00,,\n")
	f.Fuzz(func(t *testing.T, output string) {
		got, err := parse(output)
		if err == nil && len(got) > strings.Count(output, "\n")+1 {
			t.Errorf("%d groups in %q", len(got), output)
		}
	})
}

func TestVersions(t *testing.T) {
	for version, want := range map[string]bool{
		"perf version 6.1.187\n": true, "perf version 2.6.39\n": true, "perf version 3.10.0-327.el7.x86_64.debug\n": true,
		"perf version 2.6.38\n": false, "perf version 2.6\n": false, "perf version 4.18.rc1.g0a1b\n": true, "perf version\n": false, "": false,
	} {
		if got := recent(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestRefused(t *testing.T) {
	tree := cgrouptest.FakeV2(t, "/c", nil).Tree()
	good := Config{Events: []string{"task-clock"}, Interval: time.Minute, Duration: 10 * time.Second}
	long, unknown, absent := good, good, good
	long.Duration = 2 * time.Minute
	unknown.Events = []string{"unicorns"}
	absent.Command = "/no/such/perf"
	failing := good
	failing.Command = script(t, `[ "$1" = --version ] && { echo perf version 6.1; exit; }; echo no event task-clock >&2; exit 129`)
	old := good
	old.Command = script(t, "echo perf version 2.6.32")
	for want, cfg := range map[string]Config{
		"not longer than the interval": long, "Mesos has no statistic": unknown, "no such file": absent,
		"no event task-clock": failing, "has to be 2.6.39": old,
	} {
		if _, err := New(t.Context(), cfg, tree); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want one with %q", err, want)
		}
	}
	if _, err := New(t.Context(), old, tree); !errors.Is(err, ErrPerf) {
		t.Errorf("an old perf: %v", err)
	}
	if _, err := New(t.Context(), Config{}, cgrouptest.FakeV1(t, "/c", nil, "cpu").Tree()); !errors.Is(err, cgroups.ErrNoController) {
		t.Errorf("without a hierarchy: %v", err)
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "perf")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func usage(t *testing.T, i *Isolator, c *isolator.Container) *mesos.PerfStatistics {
	t.Helper()
	s := &mesos.ResourceStatistics{}
	if err := i.Usage(c, s); err != nil {
		t.Fatal(err)
	}
	return s.GetPerf()
}

// TestNothingToCount: without events there is a statistic that says nothing.
func TestNothingToCount(t *testing.T) {
	g := cgrouptest.FakeV2(t, "/mesos/c", nil)
	i, err := New(t.Context(), Config{Command: "/no/such/perf"}, g.Tree())
	if err != nil {
		t.Fatal(err)
	}
	c := &isolator.Container{ID: "c", Group: g}
	if err := i.Attach(c, false); err != nil {
		t.Fatal(err)
	}
	got := usage(t, i, c)
	got.Timestamp = nil
	if diff := cmp.Diff(&mesos.PerfStatistics{Duration: new(0.0)}, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

// TestCommandLine: one perf counts every event in every group, and its failure is passed by.
func TestCommandLine(t *testing.T) {
	g := cgrouptest.FakeV2(t, "/mesos/c", nil)
	dir := t.TempDir()
	cfg := Config{
		Events: []string{"cycles", "page-faults"}, Interval: 20 * time.Millisecond, Duration: 5 * time.Millisecond, Log: logr.Discard(),
		Command: script(t, `[ "$1" = --version ] && { echo perf version 6.1; exit; }
[ "$2" = --event ] && exit 0
echo "$@" >> `+dir+`/calls
[ -e `+dir+`/good ] || { touch `+dir+`/good; exit 1; }
echo "42,,cycles,mesos/c,1,100.00,,"; echo "7,,page-faults,mesos/c,1,100.00,,"`),
	}
	i, err := New(t.Context(), cfg, g.Tree())
	if err != nil {
		t.Fatal(err)
	}
	c := &isolator.Container{ID: "c", Group: g}
	if err := i.Attach(c, false); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return usage(t, i, c).GetCycles() == 42 })
	got := usage(t, i, c)
	if got.GetPageFaults() != 7 || got.GetDuration() != 0.005 || got.GetTimestamp() == 0 {
		t.Errorf("statistics %v", got)
	}
	if err := i.Cleanup(c); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { i.mu.Lock(); defer i.mu.Unlock(); return !i.counting })
	if usage(t, i, c) != nil {
		t.Error("a container that has ended has statistics")
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	const want = "stat --all-cpus --field-separator , --log-fd 1 --event cycles --cgroup mesos/c --event page-faults --cgroup mesos/c -- sleep 0.005"
	if first, _, _ := strings.Cut(string(calls), "\n"); err != nil || first != want {
		t.Errorf("perf was called with %q, %v", first, err)
	}
}

func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it didn't come to that")
		}
	}
}

// TestRootCounts has the real perf count what a process in a real group does.
func TestRootCounts(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	cfg := Config{Events: []string{"task-clock", "page-faults"}, Interval: time.Second, Duration: 500 * time.Millisecond, Log: logr.Discard()}
	i, err := New(t.Context(), cfg, tree)
	if errors.Is(err, ErrPerf) || errors.Is(err, cgroups.ErrNoController) {
		t.Skipf("needs perf: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	var containers []*isolator.Container
	for _, id := range []containerizer.ID{"busy", "idle"} {
		g := tree.Group(filepath.Join(root, string(id)))
		if err := g.Create(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := g.Destroy(ctx); err != nil {
				t.Error(err)
			}
		})
		containers = append(containers, &isolator.Container{ID: id, Group: g})
	}
	cmd := exec.Command("/bin/sh", "-c", "while :; do /bin/true; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := containers[0].Group.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	for _, c := range containers {
		if err := i.Attach(c, false); err != nil {
			t.Fatal(err)
		}
	}
	waitUntil(t, func() bool { return usage(t, i, containers[0]).GetTaskClock() > 0 })
	busy, idle := usage(t, i, containers[0]), usage(t, i, containers[1])
	if busy.GetTaskClock() <= 0 || busy.GetPageFaults() == 0 || busy.GetDuration() != 0.5 {
		t.Errorf("the busy one has %v", busy)
	}
	if idle.TaskClock == nil || idle.GetTaskClock() != 0 || idle.GetPageFaults() != 0 {
		t.Errorf("the idle one has %v", idle)
	}
	for _, c := range containers {
		if err := i.Cleanup(c); err != nil {
			t.Fatal(err)
		}
	}
}
