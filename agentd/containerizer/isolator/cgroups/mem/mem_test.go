package mem

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const mb = int64(isolator.Megabyte)

func isolate(t *testing.T, cfg Config, tree *cgroups.Tree) *Isolator {
	t.Helper()
	i, err := New(cfg, tree)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestPrepare(t *testing.T) {
	tests := map[string]struct {
		cfg    Config
		demand isolator.Demand
		task   bool
		v1     specs.LinuxMemory
		v2     map[string]string
		oom    bool
	}{
		"request is the limit": {
			demand: isolator.Demand{Mem: 64 << 20}, task: true,
			v1: specs.LinuxMemory{Limit: new(64 * mb), Reservation: new(64 * mb)},
			v2: map[string]string{"memory.low": "67108864", "memory.max": "67108864"},
		},
		"at least 32 MB": {
			demand: isolator.Demand{Mem: 1},
			v1:     specs.LinuxMemory{Limit: new(32 * mb), Reservation: new(32 * mb)},
			v2:     map[string]string{"memory.low": "33554432", "memory.max": "33554432"},
		},
		"with swap": {
			cfg:    Config{LimitSwap: true},
			demand: isolator.Demand{Mem: 64 << 20},
			v1:     specs.LinuxMemory{Limit: new(64 * mb), Reservation: new(64 * mb), Swap: new(64 * mb)},
			v2:     map[string]string{"memory.low": "67108864", "memory.max": "67108864", "memory.swap.max": "0"},
		},
		"burstable": {
			demand: isolator.Demand{Mem: 64 << 20, MemLimit: new(128.7)}, task: true,
			v1:  specs.LinuxMemory{Limit: new(128 * mb), Reservation: new(64 * mb)},
			v2:  map[string]string{"memory.low": "67108864", "memory.max": "134217728"},
			oom: true,
		},
		"burstable executor": {
			demand: isolator.Demand{Mem: 64 << 20, MemLimit: new(128.0)},
			v1:     specs.LinuxMemory{Limit: new(128 * mb), Reservation: new(64 * mb)},
			v2:     map[string]string{"memory.low": "67108864", "memory.max": "134217728"},
		},
		"no limit": {
			cfg:    Config{LimitSwap: true},
			demand: isolator.Demand{Mem: 64 << 20, MemLimit: new(math.Inf(1))}, task: true,
			v1:  specs.LinuxMemory{Limit: new(int64(-1)), Reservation: new(64 * mb), Swap: new(int64(-1))},
			v2:  map[string]string{"memory.low": "67108864", "memory.max": "max"},
			oom: true,
		},
	}
	v1 := cgrouptest.FakeV1(t, "/mesos/c1", nil, controller)
	v2 := cgrouptest.FakeV2(t, "/mesos/c1", nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i := isolate(t, test.cfg, v1.Tree())
			spec := &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
			c := &isolator.Container{ID: "c1", Group: v1}
			if test.task {
				c.Config = containerizer.Config{Task: &mesos.TaskInfo{}}
			}
			if err := i.Prepare(c, test.demand, spec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.v1, spec.Linux.Resources.Memory); diff != "" {
				t.Errorf("v1 (-want +got):\n%s", diff)
			}
			if adj := spec.Process.OOMScoreAdj; (adj != nil) != test.oom || adj != nil && (*adj < 900 || *adj > 1000) {
				t.Errorf("OOM score %v", adj)
			}
			c.Group = v2
			if err := i.Prepare(c, test.demand, spec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.v2, spec.Linux.Resources.Unified); diff != "" {
				t.Errorf("v2 (-want +got):\n%s", diff)
			}
		})
	}
}

// Limits go up but not down.
func TestUpdate(t *testing.T) {
	g := cgrouptest.FakeV1(t, "/mesos/c1", map[string]string{"memory/memory.limit_in_bytes": "67108864\n"}, controller)
	i := isolate(t, Config{}, g.Tree())
	for request, want := range map[int64]*specs.LinuxMemory{
		32 * mb:  {Reservation: new(32 * mb)},
		128 * mb: {Reservation: new(128 * mb), Limit: new(128 * mb)},
	} {
		var r specs.LinuxResources
		if err := i.Update(&isolator.Container{Group: g}, isolator.Demand{Mem: uint64(request)}, &r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Memory); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestUsage(t *testing.T) {
	v1 := cgrouptest.FakeV1(t, "/mesos/c1", map[string]string{
		"memory/memory.stat": "cache 1\nrss 2\ntotal_cache 8192\ntotal_rss 10829824\ntotal_mapped_file 0\n" +
			"total_swap 0\ntotal_unevictable 0\n",
		"memory/memory.usage_in_bytes":          "12763136\n",
		"memory/memory.kmem.usage_in_bytes":     "1585152\n",
		"memory/memory.kmem.tcp.usage_in_bytes": "0\n",
		"memory/memory.memsw.usage_in_bytes":    "12763137\n",
	}, controller)
	v2 := cgrouptest.FakeV2(t, "/mesos/c1", map[string]string{
		"memory.stat":         "anon 10829824\nfile 8192\nkernel 1585152\nsock 0\nfile_mapped 0\nunevictable 0\n",
		"memory.current":      "12763136\n",
		"memory.swap.current": "0\n",
	})
	want := func() *mesos.ResourceStatistics {
		return &mesos.ResourceStatistics{
			MemTotalBytes: new(uint64(12763136)), MemRssBytes: new(uint64(10829824)), MemAnonBytes: new(uint64(10829824)),
			MemFileBytes: new(uint64(8192)), MemCacheBytes: new(uint64(8192)), MemKmemUsageBytes: new(uint64(1585152)),
			MemKmemTcpUsageBytes: new(uint64(0)), MemMappedFileBytes: new(uint64(0)), MemSwapBytes: new(uint64(0)),
			MemUnevictableBytes: new(uint64(0)),
		}
	}
	swap := want()
	swap.MemTotalMemswBytes = new(uint64(12763137))
	tests := map[string]struct {
		cfg   Config
		group *cgroups.Group
		want  *mesos.ResourceStatistics
	}{
		"v1":           {Config{}, v1, want()},
		"v1 with swap": {Config{LimitSwap: true}, v1, swap},
		"v2":           {Config{}, v2, want()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := &mesos.ResourceStatistics{}
			i := isolate(t, test.cfg, test.group.Tree())
			if err := i.Usage(&isolator.Container{Group: test.group}, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// On v2 the watch is of a plain file, as inotify sees it.
func TestWatchV2(t *testing.T) {
	g := cgrouptest.FakeV2(t, "/mesos/c1", map[string]string{
		"memory.events": "low 0\noom 0\noom_kill 0\n", "memory.max": "33554432\n", "memory.stat": "anon 33000000\n",
	})
	i := isolate(t, Config{}, g.Tree())
	c := &isolator.Container{ID: "c1", Group: g}
	if err := i.Attach(c, false); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := i.Watch(short, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if l := i.Limited(c); l != nil {
		t.Errorf("limited: %v", l)
	}
	if err := i.Cleanup(c); err != nil {
		t.Fatal(err)
	}

	if err := i.Attach(c, true); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		events := filepath.Join(g.Tree().Hierarchies()[0].Dir, g.Path(), "memory.events")
		_ = os.WriteFile(events, []byte("low 0\noom 1\noom_kill 1\n"), 0o644)
	}()
	l, err := i.Watch(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(l.Message, "Memory limit exceeded: Requested: 32MB Maximum Used: 32MB\n") ||
		l.Resources[0].GetScalar().GetValue() != 32 {
		t.Errorf("%+v", l)
	}
	if err := i.Cleanup(c); err != nil {
		t.Error(err)
	}
}

// The kernel's own killing, on whatever version of cgroups there is.
func TestRootOutOfMemory(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	g := tree.Group(root + "/c1")
	i := isolate(t, Config{}, tree)
	c := &isolator.Container{ID: "c1", Group: g}
	spec := &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
	if err := i.Prepare(c, isolator.Demand{Mem: 32 << 20}, spec); err != nil {
		t.Fatal(err)
	}
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	if err := g.Set(spec.Linux.Resources); err != nil {
		t.Fatal(err)
	}
	if limit, err := hardLimit(g); err != nil || limit != 32<<20 {
		t.Errorf("limit %d, error %v", limit, err)
	}
	if err := i.Attach(c, false); err != nil {
		t.Fatal(err)
	}
	if l := i.Limited(c); l != nil {
		t.Errorf("limited from the beginning: %v", l)
	}
	// Memory that can't be swapped out or dropped: a file of a memory file system.
	cmd := exec.Command("/bin/sh", "-c", "read go; head -c 100000000 /dev/zero | tail -c 90000000 | wc -c")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("go\n"))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l, err := i.Watch(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if l.Reason != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY ||
		!strings.HasPrefix(l.Message, "Memory limit exceeded: Requested: 32MB Maximum Used: 32MB\n") {
		t.Errorf("%+v", l)
	}
	if used := l.Resources[0].GetScalar().GetValue(); used < 31 || used > 33 {
		t.Errorf("%v MB", used)
	}
	_ = cmd.Wait()
	if i.Limited(c) == nil {
		t.Error("not limited afterwards")
	}
	s := &mesos.ResourceStatistics{}
	if err := i.Usage(c, s); err != nil || s.MemTotalBytes == nil {
		t.Errorf("%v, error %v", s, err)
	}
	if err := errors.Join(i.Cleanup(c), g.Destroy(ctx)); err != nil {
		t.Error(err)
	}
}

// TestRootPressure counts what the kernel tells of a container that has more of files in
// memory than it may, also when the agent has begun to look only then.
func TestRootPressure(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	if tree.Version() != cgroups.V1 {
		t.Skip("cgroup v2 has no levels of pressure")
	}
	g := tree.Group(root + "/c1")
	i := isolate(t, Config{}, tree)
	c := &isolator.Container{ID: "c1", Group: g}
	spec := &specs.Spec{Process: &specs.Process{}, Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
	if err := i.Prepare(c, isolator.Demand{Mem: 32 << 20}, spec); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Create(), g.Set(spec.Linux.Resources), i.Attach(c, true)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `read go; while :; do head -c 90000000 /dev/zero > "$0"; done`, filepath.Join(t.TempDir(), "file"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("go\n"))
	s := &mesos.ResourceStatistics{}
	for end := time.Now().Add(20 * time.Second); s.GetMemLowPressureCounter() == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err := i.Usage(c, s); err != nil {
			t.Fatal(err)
		}
	}
	low, medium, critical := s.GetMemLowPressureCounter(), s.GetMemMediumPressureCounter(), s.GetMemCriticalPressureCounter()
	if low == 0 || medium > low || critical > medium || s.MemCriticalPressureCounter == nil {
		t.Errorf("pressure: low %d, medium %d, critical %d", low, medium, critical)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(i.Cleanup(c), g.Destroy(ctx)); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}
