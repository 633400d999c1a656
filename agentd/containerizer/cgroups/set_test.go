package cgroups_test

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
)

func expect(t *testing.T, g *cgroups.Group, controller string, want map[string]string) {
	t.Helper()
	for file, v := range want {
		if got, err := g.Read(controller, file); err != nil || got != v {
			t.Errorf("%s is %q, want %q; error %v", file, got, v, err)
		}
	}
}

func TestSetV1(t *testing.T) {
	g := cgrouptest.FakeV1(t, "/mesos/c1", map[string]string{
		"cpu/cpu.shares": "1024", "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000",
		"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.soft_limit_in_bytes": "9223372036854771712",
		"memory/memory.memsw.limit_in_bytes": "9223372036854771712",
	}, "cpu", "memory")
	err := g.Set(&specs.LinuxResources{
		CPU:    &specs.LinuxCPU{Shares: new(uint64(512)), Quota: new(int64(50000)), Period: new(uint64(100000))},
		Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20)), Swap: new(int64(64 << 20)), Reservation: new(int64(32 << 20))},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, g, "cpu", map[string]string{"cpu.shares": "512", "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"})
	expect(t, g, "memory", map[string]string{"memory.limit_in_bytes": "67108864",
		"memory.memsw.limit_in_bytes": "67108864", "memory.soft_limit_in_bytes": "33554432"})
	// What is not named stays.
	if err := g.Set(&specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: new(uint64(2))}}); err != nil {
		t.Fatal(err)
	}
	expect(t, g, "cpu", map[string]string{"cpu.shares": "2", "cpu.cfs_quota_us": "50000"})
	if err := g.Set(nil); err != nil {
		t.Error(err)
	}
}

func TestSetV2(t *testing.T) {
	g := cgrouptest.FakeV2(t, "/mesos/c1", map[string]string{"cpu.weight": "100", "cpu.max": "max 100000", "memory.max": "max"})
	if err := g.Set(&specs.LinuxResources{Unified: map[string]string{"cpu.weight": "50", "memory.max": "67108864"}}); err != nil {
		t.Fatal(err)
	}
	expect(t, g, "cpu", map[string]string{"cpu.weight": "50", "cpu.max": "max 100000"})
	expect(t, g, "memory", map[string]string{"memory.max": "67108864"})
	if err := g.Set(&specs.LinuxResources{Unified: map[string]string{"io.weight": "1"}}); err == nil {
		t.Error("a controller that is missing is no error")
	}
}

// The kernel refuses a limit of memory over that of memory and swap, so raising
// and lowering both need opposite orders. Real files, if the machine counts swap.
func TestRootSetSwap(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	g := tree.Group(root + "/c1")
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Destroy(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := g.Read("memory", "memory.memsw.limit_in_bytes"); err != nil {
		t.Skip("needs v1 with swap accounting")
	}
	for _, limit := range []int64{64 << 20, 128 << 20, 32 << 20, -1} {
		if err := g.Set(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}); err != nil {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}
