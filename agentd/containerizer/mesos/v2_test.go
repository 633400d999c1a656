package mesos

import (
	"slices"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// TestRootV2 runs a container with every isolator of cgroups where there is v2 alone, and
// looks at what the kernel makes of it, and the agent of what the kernel says.
func TestRootV2(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		cfg.Isolation = []string{"cgroups/all"}
		cfg.CPU.EnableCFS = true
		cfg.CPU.CountTasks = true
		m := agent(t, cfg)
		if m.tree.Version() != cgroups.V2 {
			t.Skip("needs pure cgroup v2")
		}
		c := sh(t, cfg, "c1", `head -c1 /dev/zero | wc -c; (: < /dev/kmsg) 2>&- || echo refused
			dd if=/dev/zero of=big bs=1M count=8 conv=fsync 2>&-; echo up; sleep 600`)
		c.Limits = map[string]*mesos.Value_Scalar{"cpus": {Value: new(1.5)}, "mem": {Value: new(96.0)}}
		launch(t, m, c)
		if got, want := printed(t, c.Sandbox, "1\nrefused\nup\n"), "1\nrefused\nup\n"; got != want {
			t.Fatalf("it printed %q, want %q", got, want)
		}
		kernel := map[string]string{
			"cpu.weight": "50", "cpu.max": "150000 100000", "memory.low": "67108864", "memory.max": "100663296",
		}
		expectFiles(t, m, c.ID, kernel)
		expectUsage(t, m, c.ID)

		if err := m.Update(deadline(t), c.ID, []*mesos.Resource{scalar("cpus", 2), scalar("mem", 128)}, nil); err != nil {
			t.Fatal(err)
		}
		kernel = map[string]string{"cpu.weight": "200", "cpu.max": "200000 100000", "memory.low": "134217728", "memory.max": "134217728"}
		expectFiles(t, m, c.ID, kernel)

		// The next life of the agent goes on with it.
		again := agent(t, cfg)
		if _, err := again.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
			t.Fatal(err)
		}
		expectUsage(t, again, c.ID)
		// A container of its own group, in the executor's: bounded by it, and counted in it.
		child := below(c, "child", `(: < /dev/kmsg) 2>&- || echo refused; grep -c mesos/child /proc/self/cgroup`)
		launch(t, again, child)
		wait(t, again, child.ID)
		if got, want := read(t, child, "stdout"), "refused\n1\n"; got != want {
			t.Errorf("nested: it printed %q, want %q", got, want)
		}
	})
}

func expectFiles(t *testing.T, m *Containerizer, id containerizer.ID, want map[string]string) {
	t.Helper()
	got := files(t, m, id)
	for file, v := range want {
		if got[file] != v {
			t.Errorf("%s is %q, want %q", file, got[file], v)
		}
	}
	g := m.tree.Group(m.groupPath(id))
	text, err := g.Read("cpu", "cgroup.controllers")
	if err != nil {
		t.Fatal(err)
	}
	for _, controller := range []string{"cpuset", "cpu", "io", "memory", "pids"} {
		if m.tree.Has(controller) && !slices.Contains(strings.Fields(text), controller) {
			t.Errorf("the container has the controllers %s, and not %s", text, controller)
		}
	}
	if n, err := g.ReadUint("pids", "pids.current"); err != nil || n == 0 {
		t.Errorf("%d processes in it, %v", n, err)
	}
}

func expectUsage(t *testing.T, m *Containerizer, id containerizer.ID) {
	t.Helper()
	s, err := m.Usage(deadline(t), id)
	if err != nil {
		t.Fatal(err)
	}
	if s.GetProcesses() == 0 || s.GetThreads() == 0 || s.CpusUserTimeSecs == nil || s.CpusNrPeriods == nil ||
		s.GetMemTotalBytes() == 0 || s.GetMemRssBytes() == 0 || s.MemFileBytes == nil {
		t.Errorf("usage %v", s)
	}
}
