// Package cpu is the isolator "cgroups/cpu": containers get CPU time in
// proportion to the cpus that they request, at most as much as their limit, and
// the time that they use is measured. It works on cgroup v1 (controllers cpu and
// cpuacct) and v2 (cpu).
package cpu

import (
	"fmt"
	"math"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/cpu"

// The numbers of Mesos, of which operators know the shares.
const (
	sharesPerCPU          = 1024 // also the kernel's default for one group
	sharesPerCPURevocable = 10
	minShares             = 2      // the kernel's
	period                = 100000 // microseconds; the kernel's default
	minQuota              = 1000   // microseconds; the kernel's
	// v2 has weights from 1 to 10000 with a default of 100.
	weightPerCPU          = 100
	weightPerCPURevocable = 1
	minWeight, maxWeight  = 1, 10000
)

// ticksPerSecond is USER_HZ, in which cpuacct counts on all architectures that
// Go supports.
const ticksPerSecond = 100

// Config are the agent's flags.
type Config struct {
	// EnableCFS limits containers without a limit of their own to the cpus that
	// they request (--cgroups_enable_cfs).
	EnableCFS bool
	// RevocableLowPriority gives containers with revocable cpus little weight
	// (--revocable_cpu_low_priority).
	RevocableLowPriority bool
	// CountTasks adds numbers of processes and threads to statistics
	// (--cgroups_cpu_enable_pids_and_tids_count).
	CountTasks bool
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator. The error says which controller is missing.
func New(cfg Config, tree *cgroups.Tree) (*Isolator, error) {
	needed := []string{"cpu"}
	if tree.Version() == cgroups.V1 {
		needed = append(needed, "cpuacct")
	}
	for _, c := range needed {
		if !tree.Has(c) {
			return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, c)
		}
	}
	return &Isolator{cfg: cfg}, nil
}

// Name implements isolator.Isolator.
func (i *Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, d isolator.Demand, spec *specs.Spec) error {
	return i.Update(c, d, spec.Linux.Resources)
}

// Update implements isolator.Isolator.
func (i *Isolator) Update(c *isolator.Container, d isolator.Demand, r *specs.LinuxResources) error {
	if c.Group.Tree().Version() == cgroups.V2 {
		if r.Unified == nil {
			r.Unified = map[string]string{}
		}
		r.Unified["cpu.weight"] = strconv.FormatUint(i.weight(d), 10)
		r.Unified["cpu.max"] = maxOf(i.quota(d))
		return nil
	}
	r.CPU = &specs.LinuxCPU{Shares: new(i.shares(d))}
	if quota := i.quota(d); quota != nil {
		r.CPU.Quota, r.CPU.Period = quota, new(uint64(period))
	}
	return nil
}

func (i *Isolator) shares(d isolator.Demand) uint64 {
	per := float64(sharesPerCPU)
	if d.RevocableCPUs && i.cfg.RevocableLowPriority {
		per = sharesPerCPURevocable
	}
	return uint64(max(per*d.CPUs, minShares))
}

func (i *Isolator) weight(d isolator.Demand) uint64 {
	per := float64(weightPerCPU)
	if d.RevocableCPUs && i.cfg.RevocableLowPriority {
		per = weightPerCPURevocable
	}
	return uint64(min(max(per*d.CPUs, minWeight), maxWeight))
}

// Weight is what a group that is not a container's weighs as so many cpus. On v2
// it is converted as OCI runtimes and the kubelet convert shares, since theirs are
// the groups beside it: the range of shares, 2 to 262144, is mapped to that of weights.
func Weight(tree *cgroups.Tree, cpus float64) *specs.LinuxResources {
	shares := (&Isolator{}).shares(isolator.Demand{CPUs: cpus})
	if tree.Version() == cgroups.V1 {
		return &specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &shares}}
	}
	const maxShares = 262144
	weight := minWeight + (min(shares, maxShares)-minShares)*(maxWeight-minWeight)/(maxShares-minShares)
	return &specs.LinuxResources{Unified: map[string]string{"cpu.weight": strconv.FormatUint(weight, 10)}}
}

// quota is the time in microseconds that a container may run in each period;
// -1 is no limit, nil leaves it as it is.
func (i *Isolator) quota(d isolator.Demand) *int64 {
	cpus := d.CPUs
	switch {
	case d.CPULimit != nil && math.IsInf(*d.CPULimit, 1):
		return new(int64(-1))
	case d.CPULimit != nil:
		cpus = *d.CPULimit
	case !i.cfg.EnableCFS:
		return nil
	}
	return new(int64(max(cpus*period, minQuota)))
}

// maxOf is the quota as cpu.max of v2 wants it.
func maxOf(quota *int64) string {
	if quota == nil || *quota < 0 {
		return "max " + strconv.Itoa(period)
	}
	return strconv.FormatInt(*quota, 10) + " " + strconv.Itoa(period)
}

// Usage implements isolator.Isolator.
func (i *Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	if i.cfg.CountTasks {
		processes, threads, err := c.Group.Count()
		if err != nil {
			return err
		}
		s.Processes, s.Threads = new(uint32(processes)), new(uint32(threads))
	}
	if c.Group.Tree().Version() == cgroups.V2 {
		return i.usageV2(c.Group, s)
	}
	return i.usageV1(c.Group, s)
}

func (i *Isolator) usageV1(g *cgroups.Group, s *mesos.ResourceStatistics) error {
	acct, err := g.ReadStat("cpuacct", "cpuacct.stat")
	if err != nil {
		return err
	}
	s.CpusUserTimeSecs = seconds(acct.Get("user"), ticksPerSecond)
	s.CpusSystemTimeSecs = seconds(acct.Get("system"), ticksPerSecond)
	if !i.cfg.EnableCFS {
		return nil
	}
	stat, err := g.ReadStat("cpu", "cpu.stat")
	if err != nil {
		return err
	}
	s.CpusNrPeriods, s.CpusNrThrottled = count(stat.Get("nr_periods")), count(stat.Get("nr_throttled"))
	s.CpusThrottledTimeSecs = seconds(stat.Get("throttled_time"), 1e9)
	return nil
}

func (i *Isolator) usageV2(g *cgroups.Group, s *mesos.ResourceStatistics) error {
	stat, err := g.ReadStat("cpu", "cpu.stat")
	if err != nil {
		return err
	}
	s.CpusUserTimeSecs = seconds(stat.Get("user_usec"), 1e6)
	s.CpusSystemTimeSecs = seconds(stat.Get("system_usec"), 1e6)
	s.CpusNrPeriods, s.CpusNrThrottled = count(stat.Get("nr_periods")), count(stat.Get("nr_throttled"))
	s.CpusThrottledTimeSecs = seconds(stat.Get("throttled_usec"), 1e6)
	return nil
}

func seconds(v *uint64, perSecond float64) *float64 {
	if v == nil {
		return nil
	}
	return new(float64(*v) / perSecond)
}

func count(v *uint64) *uint32 {
	if v == nil {
		return nil
	}
	return new(uint32(min(*v, math.MaxUint32)))
}
