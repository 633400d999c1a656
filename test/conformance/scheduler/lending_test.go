package scheduler

import (
	"fmt"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// lend has an agent say what it lends.
func (a *agent) lend(cpus float64) {
	a.t.Helper()
	r := scalar("cpus", cpus)
	r.Revocable = &mesos.Resource_RevocableInfo{}
	a.Send(a.master, internal+"UpdateSlaveMessage", &messages.UpdateSlaveMessage{
		SlaveId: a.id, UpdateOversubscribedResources: new(true), OversubscribedResources: []*mesos.Resource{r},
	})
}

// revocableCPUs is what an offer has of revocable and of other cpus.
func revocableCPUs(offer testbed.Value) (revocable, others float64) {
	for _, r := range offer.At("resources").List() {
		switch {
		case r.At("name").Text() != "cpus":
		case r.At("revocable").Exists():
			revocable += r.At("scalar", "value").Number()
		default:
			others += r.At("scalar", "value").Number()
		}
	}
	return revocable, others
}

// can is the part of a FrameworkInfo about capabilities.
func can(more ...string) testbed.Object {
	return testbed.Object{"capabilities": capabilities(append(more, "MULTI_ROLE", "PARTITION_AWARE")...)}
}

// offerOfLent takes offers until one holds revocable cpus, which must be so many.
func offerOfLent(f *testbed.Framework, t *testing.T, want float64) testbed.Value {
	t.Helper()
	for {
		offer := f.Offer()
		got, _ := revocableCPUs(offer)
		if got == 0 {
			continue
		}
		if got != want {
			t.Fatalf("offered %g revocable cpus, want %g", got, want)
		}
		return offer
	}
}

// TestLending: what an agent lends is offered to frameworks that take it, at
// once, and every new estimate takes standing offers back.
func TestLending(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := startAgent(t, master)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: can("REVOCABLE_RESOURCES")})
	if got, others := revocableCPUs(f.Offer()); got != 0 || others != 4 {
		t.Fatalf("offered %g revocable cpus and %g others before anything is lent", got, others)
	}
	for _, cpus := range []float64{1, 3, 2} { // the first, more, less
		agent.lend(cpus)
		offer := offerOfLent(f, t, cpus).At("id", "value").Text()
		if cpus == 2 {
			break
		}
		agent.lend(cpus + 0.5)
		f.Await("RESCIND of "+offer, func(v testbed.Value) bool {
			return v.At("type").Text() == "RESCIND" && v.At("rescind", "offer_id", "value").Text() == offer
		})
		offerOfLent(f, t, cpus+0.5)
	}
	testbed.Eventually(t, "the metrics are true", func() error {
		if got := master.Get("/metrics/snapshot").At("master/cpus_revocable_total").Number(); got != 2 {
			return fmt.Errorf("%g revocable cpus", got)
		}
		return nil
	})
}

// TestLendingAcrossFailover: what a framework is offered depends on what its
// present scheduler says it can do.
func TestLendingAcrossFailover(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := startAgent(t, master)
	agent.lend(2)
	plain := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: can()})
	if got, others := revocableCPUs(plain.Offer()); got != 0 || others != 4 {
		t.Fatalf("offered %g revocable cpus and %g others to a framework that takes none", got, others)
	}
	again := func(info testbed.Object) *testbed.Framework {
		full := testbed.Object{"user": "root", "name": t.Name(), "roles": testbed.List{"*"}, "failover_timeout": 3600.0}
		full["capabilities"] = info["capabilities"]
		f := testbed.NewFramework(t, master, full)
		f.ID = plain.ID
		f.Resubscribe()
		return f
	}
	able := again(can("REVOCABLE_RESOURCES"))
	offerOfLent(able, t, 2)
	unable := again(can())
	for range 2 {
		offer := unable.Offer()
		if got, _ := revocableCPUs(offer); got != 0 {
			t.Fatalf("offered %g revocable cpus after the failover to a scheduler that takes none", got)
		}
		unable.Call("DECLINE", testbed.Object{"offer_ids": testbed.List{offer.At("id").Raw()}, "filters": testbed.Object{"refuse_seconds": 0.0}})
	}
}
