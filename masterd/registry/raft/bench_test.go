package raft_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

// BenchmarkAdmit admits 20,000 agents that come at once, each with a write of
// its own, as after a failover of the first master of a cluster.
func BenchmarkAdmit(b *testing.B) {
	const agents = 20_000
	total, err := resources.ParseProto("cpus:64;mem:262144;disk:1000000;ports:[31000-32000]", "*")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		s, err := raft.Open(raft.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		for !<-s.Leadership() {
		}
		term, _, err := s.Lead(b.Context(), storetest.Master("a"))
		if err != nil {
			b.Fatal(err)
		}
		writes, longest := 0, time.Duration(0)
		w := registry.NewWriter(term, func(d time.Duration) { writes++; longest = max(longest, d) })
		ctx, cancel := context.WithCancel(b.Context())
		go w.Run(ctx)
		b.StartTimer()
		last := make(chan error, 1)
		for i := range agents {
			info := &mesos.AgentInfo{Id: &mesos.AgentID{Value: new(fmt.Sprint(i))}, Hostname: new(fmt.Sprintf("agent-%d.example", i)), Resources: total}
			w.Submit(registry.Write{Operations: []op.Operation{op.AdmitAgent{Info: info}}, Done: func(_ []op.Result, err error) {
				if i == agents-1 {
					last <- err
				}
			}})
		}
		if err := <-last; err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(float64(writes), "writes")
		b.ReportMetric(longest.Seconds(), "longest-s")
		cancel()
		s.Close()
		b.StartTimer()
	}
}
