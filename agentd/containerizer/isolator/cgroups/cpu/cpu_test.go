package cpu

import (
	"errors"
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestUpdate(t *testing.T) {
	tests := map[string]struct {
		cfg    Config
		demand isolator.Demand
		v1     specs.LinuxCPU
		v2     map[string]string
	}{
		"request only": {
			demand: isolator.Demand{CPUs: 1.5},
			v1:     specs.LinuxCPU{Shares: new(uint64(1536))},
			v2:     map[string]string{"cpu.weight": "150", "cpu.max": "max 100000"},
		},
		"next to nothing": {
			demand: isolator.Demand{CPUs: 0.001},
			v1:     specs.LinuxCPU{Shares: new(uint64(2))},
			v2:     map[string]string{"cpu.weight": "1", "cpu.max": "max 100000"},
		},
		"request is the limit": {
			cfg:    Config{EnableCFS: true},
			demand: isolator.Demand{CPUs: 0.5},
			v1:     specs.LinuxCPU{Shares: new(uint64(512)), Quota: new(int64(50000)), Period: new(uint64(100000))},
			v2:     map[string]string{"cpu.weight": "50", "cpu.max": "50000 100000"},
		},
		"smallest quota": {
			cfg:    Config{EnableCFS: true},
			demand: isolator.Demand{CPUs: 0.001},
			v1:     specs.LinuxCPU{Shares: new(uint64(2)), Quota: new(int64(1000)), Period: new(uint64(100000))},
			v2:     map[string]string{"cpu.weight": "1", "cpu.max": "1000 100000"},
		},
		"limit of its own": {
			demand: isolator.Demand{CPUs: 1, CPULimit: new(2.5)},
			v1:     specs.LinuxCPU{Shares: new(uint64(1024)), Quota: new(int64(250000)), Period: new(uint64(100000))},
			v2:     map[string]string{"cpu.weight": "100", "cpu.max": "250000 100000"},
		},
		"no limit in spite of the flag": {
			cfg:    Config{EnableCFS: true},
			demand: isolator.Demand{CPUs: 1, CPULimit: new(math.Inf(1))},
			v1:     specs.LinuxCPU{Shares: new(uint64(1024)), Quota: new(int64(-1)), Period: new(uint64(100000))},
			v2:     map[string]string{"cpu.weight": "100", "cpu.max": "max 100000"},
		},
		"revocable": {
			cfg:    Config{RevocableLowPriority: true},
			demand: isolator.Demand{CPUs: 4, RevocableCPUs: true},
			v1:     specs.LinuxCPU{Shares: new(uint64(40))},
			v2:     map[string]string{"cpu.weight": "4", "cpu.max": "max 100000"},
		},
		"more than v2 has": {
			demand: isolator.Demand{CPUs: 512},
			v1:     specs.LinuxCPU{Shares: new(uint64(524288))},
			v2:     map[string]string{"cpu.weight": "10000", "cpu.max": "max 100000"},
		},
	}
	v1 := cgrouptest.FakeV1(t, "/mesos/c1", nil, "cpu", "cpuacct")
	v2 := cgrouptest.FakeV2(t, "/mesos/c1", nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := New(test.cfg, v1.Tree())
			if err != nil {
				t.Fatal(err)
			}
			spec := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{}}}
			if err := i.Prepare(&isolator.Container{Group: v1}, test.demand, spec); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.v1, spec.Linux.Resources.CPU); diff != "" {
				t.Errorf("v1 (-want +got):\n%s", diff)
			}
			var r specs.LinuxResources
			if err := i.Update(&isolator.Container{Group: v2}, test.demand, &r); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.v2, r.Unified); diff != "" {
				t.Errorf("v2 (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	v1 := cgrouptest.FakeV1(t, "/mesos/c1", map[string]string{
		"cpuacct/cpuacct.stat": "user 39\nsystem 6\n",
		"cpu/cpu.stat":         "nr_periods 4\nnr_throttled 2\nthrottled_time 1500000000\n",
	}, "cpu", "cpuacct")
	v2 := cgrouptest.FakeV2(t, "/mesos/c1", map[string]string{
		"cpu.stat": "usage_usec 450000\nuser_usec 390000\nsystem_usec 60000\nnr_periods 4\nnr_throttled 2\nthrottled_usec 1500000\n",
	})
	times := mesos.ResourceStatistics{CpusUserTimeSecs: new(0.39), CpusSystemTimeSecs: new(0.06)}
	throttled := mesos.ResourceStatistics{CpusUserTimeSecs: new(0.39), CpusSystemTimeSecs: new(0.06),
		CpusNrPeriods: new(uint32(4)), CpusNrThrottled: new(uint32(2)), CpusThrottledTimeSecs: new(1.5)}
	tests := map[string]struct {
		cfg   Config
		group *cgroups.Group
		want  *mesos.ResourceStatistics
	}{
		"v1":          {Config{}, v1, &times},
		"v1 with CFS": {Config{EnableCFS: true}, v1, &throttled},
		"v2":          {Config{}, v2, &throttled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := New(test.cfg, test.group.Tree())
			if err != nil {
				t.Fatal(err)
			}
			got := &mesos.ResourceStatistics{}
			if err := i.Usage(&isolator.Container{Group: test.group}, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoController(t *testing.T) {
	g := cgrouptest.FakeV1(t, "/mesos/c1", nil, "cpu")
	if _, err := New(Config{}, g.Tree()); !errors.Is(err, cgroups.ErrNoController) {
		t.Errorf("error %v", err)
	}
}

func TestWeight(t *testing.T) {
	v1 := cgrouptest.FakeV1(t, "/mesos", nil, "cpu", "cpuacct").Tree()
	v2 := cgrouptest.FakeV2(t, "/mesos", nil).Tree()
	for cpus, want := range map[float64][2]string{0.001: {"2", "1"}, 1: {"1024", "39"}, 4: {"4096", "157"}, 1000: {"1024000", "10000"}} {
		if got := strconv.FormatUint(*Weight(v1, cpus).CPU.Shares, 10); got != want[0] {
			t.Errorf("v1, %v cpus: %s, want %s", cpus, got, want[0])
		}
		if got := Weight(v2, cpus).Unified["cpu.weight"]; got != want[1] {
			t.Errorf("v2, %v cpus: %s, want %s", cpus, got, want[1])
		}
	}
}
