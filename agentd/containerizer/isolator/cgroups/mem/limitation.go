package mem

import (
	"strings"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// ranOut says whether the kernel killed a process because the group had
// reached its limit.
func ranOut(g *cgroups.Group) bool {
	if g.Tree().Version() == cgroups.V2 {
		events, err := g.ReadStat(controller, "memory.events")
		return err == nil && events["oom"] > 0 && events["oom_kill"] > 0
	}
	failures, err := g.ReadUint(controller, "memory.failcnt")
	return err == nil && failures > 0 && killsV1(g) > 0
}

// killsV1 adds up the group and those below it: v1 counts a kill where the process
// was, not where the limit is.
func killsV1(g *cgroups.Group) uint64 {
	var kills uint64
	if stat, err := g.ReadStat(controller, "memory.oom_control"); err == nil {
		kills = stat["oom_kill"]
	}
	children, err := g.Tree().List(g.Path())
	if err != nil {
		return kills
	}
	for _, name := range children {
		kills += killsV1(g.Child(name))
	}
	return kills
}

// limitation describes what happened as far as the kernel still tells. Clients
// know the beginning of the message.
func limitation(g *cgroups.Group) *isolator.Limitation {
	var m strings.Builder
	m.WriteString("Memory limit exceeded: ")
	if limit, err := hardLimit(g); err == nil {
		m.WriteString("Requested: " + flags.Bytes(limit).String() + " ")
	}
	used, known := mostUsed(g)
	if known {
		m.WriteString("Maximum Used: " + flags.Bytes(used).String())
	}
	if stat, err := g.Read(controller, "memory.stat"); err == nil {
		m.WriteString("\n\nMEMORY STATISTICS: \n" + stat + "\n")
	}
	return &isolator.Limitation{
		Reason:  mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY,
		Message: m.String(),
		Resources: []*mesos.Resource{{
			Name:   new("mem"),
			Type:   mesos.Value_SCALAR.Enum(),
			Scalar: &mesos.Value_Scalar{Value: new(float64(used) / isolator.Megabyte)},
		}},
	}
}

// mostUsed is the peak; on v2 before Linux 5.19, which doesn't tell it, the limit,
// since that was reached.
func mostUsed(g *cgroups.Group) (uint64, bool) {
	if g.Tree().Version() == cgroups.V1 {
		v, err := g.ReadUint(controller, "memory.max_usage_in_bytes")
		return v, err == nil
	}
	v, err := g.ReadUint(controller, "memory.peak")
	if err != nil {
		v, err = hardLimit(g)
	}
	return v, err == nil
}
