package allocator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// cluster has agents of 24 cpus whose ports are in 16 pieces, as after some use.
func cluster(tb testing.TB, agents, frameworks int, roleOf func(int) string) *Hierarchical {
	tb.Helper()
	h, err := New(DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	var ports []string
	for i := range 16 {
		ports = append(ports, fmt.Sprintf("%d-%d", 31000+60*i, 31040+60*i))
	}
	text := "cpus:24;mem:131072;disk:1048576;ports:[" + strings.Join(ports, ",") + "]"
	for i := range frameworks {
		if _, err := h.AddFramework(Framework{Active: true, Info: &mesos.FrameworkInfo{
			Id: &mesos.FrameworkID{Value: new(fmt.Sprintf("framework-%04d", i))}, Roles: []string{roleOf(i)},
			Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
		}}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	for i := range agents {
		id := fmt.Sprintf("agent-%05d", i)
		if _, err := h.AddAgent(Agent{
			Info: &mesos.AgentInfo{Id: &mesos.AgentID{Value: &id}, Hostname: &id}, Total: resources.MustParse(text),
			Capabilities: []mesos.AgentInfo_Capability_Type{
				mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
			},
		}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return h
}

func declineAll(tb testing.TB, h *Hierarchical, proposals []Proposal, f *mesos.Filters, now time.Time) {
	tb.Helper()
	for _, p := range proposals {
		if err := h.Recover(p.Framework, p.Agent, p.Resources.Allocate(p.Role), f, now); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkCycle is a cycle in which every agent is proposed, after all proposals of the one before were
// declined with filters that stay: so there are more filters every time.
func BenchmarkCycle(b *testing.B) {
	for _, size := range []struct{ agents, frameworks int }{{1000, 100}, {5000, 500}, {10000, 1000}} {
		for name, roleOf := range map[string]func(int) string{
			"one role":       func(int) string { return "role" },
			"role each":      func(i int) string { return fmt.Sprintf("role-%04d", i) },
			"ten roles deep": func(i int) string { return fmt.Sprintf("org-%d/team-%d", i%10, i%100) },
		} {
			b.Run(fmt.Sprintf("%d agents, %d frameworks, %s", size.agents, size.frameworks, name), func(b *testing.B) {
				h := cluster(b, size.agents, size.frameworks, roleOf)
				// Filters of the last fifty rounds are in force: with more, the smallest cluster would
				// come to where every framework refuses every agent.
				now, filters := time.Unix(0, 0), &mesos.Filters{RefuseSeconds: new(50 * 60.0)}
				b.ReportAllocs()
				for b.Loop() {
					proposals := h.Allocate(now)
					b.StopTimer()
					if len(proposals) != size.agents {
						b.Fatalf("%d proposals", len(proposals))
					}
					declineAll(b, h, proposals, filters, now)
					now = now.Add(time.Minute)
					b.StartTimer()
				}
			})
		}
	}
}

// BenchmarkRefusedByAll is a cycle over all agents in which every framework refused every agent.
func BenchmarkRefusedByAll(b *testing.B) {
	const agents, frameworks = 2000, 200
	h := cluster(b, agents, frameworks, func(int) string { return "role" })
	now, forever := time.Unix(0, 0), &mesos.Filters{RefuseSeconds: new(1e9)}
	for range frameworks {
		declineAll(b, h, h.Allocate(now), forever, now)
	}
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			h.nominateAll()
			if p := h.Allocate(now); len(p) > 0 {
				b.Fatalf("%d proposals", len(p))
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			for _, a := range h.agents {
				a.ruledOut = nil
			}
			h.nominateAll()
			if p := h.Allocate(now); len(p) > 0 {
				b.Fatalf("%d proposals", len(p))
			}
		}
	})
}

// BenchmarkIdle is a cycle in which nothing changed.
func BenchmarkIdle(b *testing.B) {
	h := cluster(b, 10000, 1000, func(int) string { return "role" })
	now := time.Unix(0, 0)
	h.Allocate(now)
	b.ReportAllocs()
	for b.Loop() {
		if p := h.Allocate(now); len(p) > 0 {
			b.Fatalf("%d proposals", len(p))
		}
	}
}

// BenchmarkIdleUnderMaintenance is an idle cycle while all agents are scheduled and all frameworks were
// asked.
func BenchmarkIdleUnderMaintenance(b *testing.B) {
	h := cluster(b, 10000, 1000, func(int) string { return "role" })
	now := time.Unix(0, 0)
	h.Allocate(now)
	for id := range h.agents {
		if _, err := h.UpdateUnavailability(id, &mesos.Unavailability{Start: &mesos.TimeInfo{Nanoseconds: new(int64(1))}}); err != nil {
			b.Fatal(err)
		}
	}
	h.Allocate(now)
	if asked := len(h.InverseOffers(now)); asked != 10000 {
		b.Fatalf("%d are asked", asked)
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(h.Allocate(now))+len(h.InverseOffers(now)) > 0 {
			b.Fatal("something is proposed")
		}
	}
}

// BenchmarkDecline is what declining one proposal costs.
func BenchmarkDecline(b *testing.B) {
	h := cluster(b, 1000, 100, func(int) string { return "role" })
	now := time.Unix(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		now = now.Add(10 * time.Second)
		proposals := h.Allocate(now)
		b.StartTimer()
		declineAll(b, h, proposals, &mesos.Filters{}, now)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/decline")
}

// BenchmarkQuota has 3,000 roles with a guarantee each, on 3,000 agents.
func BenchmarkQuota(b *testing.B) {
	const n = 3000
	build := func() *Hierarchical {
		h := cluster(b, n, n, func(i int) string { return fmt.Sprintf("role-%04d", i) })
		var quotas []*quota.QuotaConfig
		for i := range n {
			amounts := map[string]*mesos.Value_Scalar{"cpus": {Value: new(24.0)}, "mem": {Value: new(131072.0)}}
			quotas = append(quotas, &quota.QuotaConfig{Role: new(fmt.Sprintf("role-%04d", i)), Guarantees: amounts, Limits: amounts})
		}
		h.UpdateQuota(quotas)
		return h
	}
	now := time.Unix(0, 0)
	b.Run("full", func(b *testing.B) {
		h := build()
		b.ReportAllocs()
		for b.Loop() {
			proposals := h.Allocate(now)
			b.StopTimer()
			if len(proposals) != n {
				b.Fatalf("%d proposals", len(proposals))
			}
			declineAll(b, h, proposals, nil, now)
			b.StartTimer()
		}
	})
	b.Run("empty", func(b *testing.B) {
		h := build()
		h.Allocate(now)
		for b.Loop() {
			h.Allocate(now)
		}
	})
}

// BenchmarkReserve is what 20 pairs of RESERVE and UNRESERVE of one framework cost among 200 roles.
func BenchmarkReserve(b *testing.B) {
	h := cluster(b, 200, 200, func(i int) string { return fmt.Sprintf("role-%04d", i) })
	now := time.Unix(0, 0)
	p := h.Allocate(now)[0]
	held := p.Resources.Allocate(p.Role)
	free := resources.MustParse("cpus:1;mem:128").Allocate(p.Role)
	reserved, err := free.PushReservation(&mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &p.Role,
	})
	if err != nil {
		b.Fatal(err)
	}
	after := held.Subtract(free).Add(reserved)
	b.ReportAllocs()
	for b.Loop() {
		for range 20 {
			if err := h.UpdateAllocation(p.Framework, p.Agent, held, []resources.Conversion{{Consumed: free, Converted: reserved}}); err != nil {
				b.Fatal(err)
			}
			if err := h.UpdateAllocation(p.Framework, p.Agent, after, []resources.Conversion{{Consumed: reserved, Converted: free}}); err != nil {
				b.Fatal(err)
			}
			h.Allocate(now)
		}
	}
}
