package scheduler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestDriverRegisters: a driver repeats itself until it is heard, and goes on
// as the same framework; it gets offers until it says that it is aborted, and
// its end is the end of the framework.
func TestDriverRegisters(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		id := d.id
		d.id = nil
		d.register(false)
		d.registered()
		if d.id.GetValue() != id.GetValue() {
			t.Errorf("registered as %s and then as %s", id.GetValue(), d.id.GetValue())
		}
		if got := d.state(master); got.At("pid").Text() != d.PID || !got.At("active").True() {
			t.Errorf("the framework is shown as %v", got)
		}
		startAgent(t, master)
		o, _ := d.offer()
		d.send(&messages.DeactivateFrameworkMessage{FrameworkId: d.id})
		var rescind messages.RescindResourceOfferMessage
		d.Receive(internal+"RescindResourceOfferMessage", &rescind)
		if rescind.GetOfferId().GetValue() != o.GetId().GetValue() {
			t.Errorf("offer %v is rescinded, want %v", rescind.GetOfferId(), o.GetId())
		}
		if got := d.state(master); got.At("active").True() || !got.At("connected").True() {
			t.Errorf("an aborted driver is shown as %v", got)
		}
		d.stop()
		testbed.Eventually(t, "the framework is completed", func() error {
			if !master.Get("/frameworks").At("completed_frameworks").Find(d.id.GetValue(), "id").Exists() {
				return fmt.Errorf("it is %v", d.state(master))
			}
			return nil
		})
		d.register(false)
		if got := d.failed(); !strings.Contains(got, "removed") {
			t.Errorf("a completed framework is told %q", got)
		}
	})
}

// TestDriverFailsOver: another instance takes over with failover only, the one
// before is told, and what it still says is not heard.
func TestDriverFailsOver(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		next := d.successor()
		next.register(false)
		if got := next.failed(); !strings.Contains(got, "failed over") {
			t.Errorf("without failover it is told %q", got)
		}
		next.register(true)
		next.registered()
		if got := d.failed(); got != "Framework failed over" {
			t.Errorf("the one before is told %q", got)
		}
		if next.id.GetValue() != d.id.GetValue() {
			t.Errorf("%s failed over to %s", d.id.GetValue(), next.id.GetValue())
		}
		d.stop()
		d.Close()
		next.reconcile("sync") // an answer: what came before is done
		next.update("sync", lost)
		if got := next.state(master); got.At("pid").Text() != next.PID || !got.At("connected").True() {
			t.Errorf("after the end of the one before: %v", got)
		}
	})
}

// TestDriverReregisters: after a change of leader a driver keeps its ID and is
// registered; later, at the same place, it is registered again.
func TestDriverReregisters(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t)
		d := startDriver(t, master, dialect)
		id := d.id.GetValue()
		master.Kill()
		master.Start()
		d = d.successorAtTheSamePlace()
		d.register(false)
		d.registered()
		if d.id.GetValue() != id {
			t.Errorf("%s became %s", id, d.id.GetValue())
		}
		d.register(false)
		var again messages.FrameworkReregisteredMessage
		d.Receive(internal+"FrameworkReregisteredMessage", &again)
		if again.GetFrameworkId().GetValue() != id {
			t.Errorf("%s is registered again as %s", id, again.GetFrameworkId().GetValue())
		}
	})
}

// successorAtTheSamePlace forgets connections that broke with the master.
func (d *driver) successorAtTheSamePlace() *driver {
	s := *d
	s.Peer = testbed.NewPeer(d.t, "scheduler-1")
	return &s
}

// TestDriverDisappears: the end of a driver's process gives its framework the
// failover timeout, without one its end.
func TestDriverDisappears(t *testing.T) {
	for name, timeout := range map[string]float64{"with a timeout": 3600, "without": 0} {
		t.Run(name, func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory")
			d := newDriver(t, master, old)
			d.info.FailoverTimeout = &timeout
			d.register(false)
			d.registered()
			a := startAgent(t, master)
			o, _ := d.offer()
			d.launch(o, task(o, "one"))
			a.launched()
			d.Close()
			if timeout == 0 {
				var shutdown messages.ShutdownFrameworkMessage
				a.Receive(internal+"ShutdownFrameworkMessage", &shutdown)
				if shutdown.GetFrameworkId().GetValue() != d.id.GetValue() {
					t.Errorf("%v is shut down", shutdown.GetFrameworkId())
				}
				return
			}
			testbed.Eventually(t, "the framework is disconnected", func() error {
				if got := d.state(master); !got.Exists() || got.At("connected").True() || got.At("active").True() {
					return fmt.Errorf("it is %v", got)
				}
				return nil
			})
		})
	}
}

// TestDriverIsRefused: what makes a driver abort.
func TestDriverIsRefused(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory", "--roles=web")
	for name, change := range map[string]func(*driver){
		"a role that is not allowed": func(d *driver) { d.info.Role = new("db") },
		"a bad role":                 func(d *driver) { d.info.Role = new("/") },
		"no duration":                func(d *driver) { d.info.FailoverTimeout = new(1e300) },
	} {
		t.Run(name, func(t *testing.T) {
			inBothDialects(t, func(t *testing.T, dialect dialect) {
				d := newDriver(t, master, dialect)
				change(d)
				d.register(false)
				if d.failed() == "" {
					t.Error("no reason is given")
				}
			})
		})
	}
	t.Run("registering with an ID", func(t *testing.T) {
		d := startDriver(t, master, old)
		d.send(&messages.RegisterFrameworkMessage{Framework: d.info})
		d.info.Id = d.id
		d.send(&messages.RegisterFrameworkMessage{Framework: d.info})
		if !strings.Contains(d.failed(), "ID") {
			t.Error("another reason is given")
		}
	})
	t.Run("a bad update", func(t *testing.T) {
		d := startDriver(t, master, calls)
		d.info.Id, d.info.User = d.id, new("another")
		d.call(&v0.Call{Type: scheduler.Call_UPDATE_FRAMEWORK.Enum(),
			UpdateFramework: &scheduler.Call_UpdateFramework{FrameworkInfo: d.info}})
		if !strings.Contains(d.failed(), "another") {
			t.Error("another reason is given")
		}
	})
}

// TestDriverOverItsRate: messages over the capacity are dropped with an error,
// those within it wait, and other principals go on.
func TestDriverOverItsRate(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory",
			`--rate_limits={"limits":[{"principal":"slow","qps":0.01,"capacity":2}]}`)
		slow := newDriver(t, master, dialect)
		slow.info.Principal = new("slow")
		slow.register(false)
		slow.registered()
		for range 4 {
			slow.revive()
		}
		if slow.failed() == "" {
			t.Error("no reason is given")
		}
		free := newDriver(t, master, dialect)
		free.info.Principal = new("free")
		free.register(false)
		free.registered()
		for range 50 {
			free.revive()
		}
		free.reconcile("sync")
		free.update("sync", lost)
		metrics := master.Get("/metrics/snapshot")
		for name, want := range map[string]float64{
			"frameworks/slow/messages_received": 4, "frameworks/slow/messages_processed": 1,
			"frameworks/free/messages_received": 51, "frameworks/free/messages_processed": 51,
		} {
			if got := metrics.At(name).Number(); got != want {
				t.Errorf("%s is %g, want %g", name, got, want)
			}
		}
	})
}
