package operator

import (
	"fmt"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func agentObject(id string) object { return object{"agent_id": object{"value": id}} }

// drainOf is how an agent is drained.
func drainOf(c client) string {
	return c.ask("GET_AGENTS").At("agents", 0, "drain_info", "state").Text()
}

func awaitDrain(t *testing.T, c client, state string) {
	t.Helper()
	testbed.Eventually(t, "the agent is "+state, func() error {
		if got := drainOf(c); got != state {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

// TestDrain drains an agent with a task, fails over meanwhile, and brings it
// back.
func TestDrain(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"checkpoint": true}})
		testbed.StartAgent(t, c.master.Address, testbed.Posix)
		offer := f.Offer()
		id := offer.At("agent_id", "value").Text()
		f.Accept(offer, testbed.Launch(testbed.Task(offer, "t", testbed.NewSleeper().Command())))
		f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
		rest := f.Offer().At("id", "value").Text()

		order := agentObject(id)
		order["max_grace_period"] = grace(c, 1)
		c.ok("DRAIN_AGENT", order)
		f.Await("the rest is rescinded", func(v testbed.Value) bool {
			return v.At("rescind", "offer_id", "value").Text() == rest
		})
		killed, _ := f.AwaitUpdate("t", "TASK_KILLED")
		if killed.At("reason").Text() != "REASON_AGENT_DRAINING" {
			t.Errorf("status %v", killed)
		}
		c.refused(400, "REACTIVATE_AGENT", agentObject(id))
		if got := drainOf(c); got != "DRAINING" {
			t.Errorf("the agent is %q while an update is not acknowledged", got)
		}
		if c.encoding == testbed.JSON {
			checkDrained(t, c)
		}

		c.master.Kill()
		c.master.Start()
		f.Resubscribe()
		awaitAgents(t, c.master, 1)
		if got := drainOf(c); got != "DRAINING" {
			t.Errorf("the agent is %q after a failover", got)
		}
		again, _ := f.AwaitUpdate("t", "TASK_KILLED")
		f.Acknowledge(again)
		awaitDrain(t, c, "DRAINED")
		c.ok("REACTIVATE_AGENT", agentObject(id))
		f.Offer()
		c.refused(400, "REACTIVATE_AGENT", agentObject(id))
	})
}

// grace is a max_grace_period: a duration in seconds, which the standard JSON of
// protobuf has as text.
func grace(c client, seconds int) any {
	if c.encoding == testbed.JSON {
		return object{"seconds": seconds}
	}
	return fmt.Sprintf("%ds", seconds)
}

// checkDrained holds a draining agent against what a real Mesos shows.
func checkDrained(t *testing.T, c client) {
	t.Helper()
	// A recording of another agent: only what is about draining is compared.
	for _, s := range []struct{ got, want testbed.Value }{
		{c.master.Get("/slaves").At("slaves", 0), recorded(t, "drained_slaves").At("slaves", 0)},
		{c.master.Get("/state").At("slaves", 0), recorded(t, "drained_slaves").At("slaves", 0)},
		{c.ask("GET_AGENTS").At("agents", 0), recorded(t, "GET_AGENTS_drained").At("get_agents", "agents", 0)},
	} {
		for _, member := range []string{
			"active", "deactivated", "drain_info", "estimated_drain_start_time_seconds", "estimated_drain_start_time",
		} {
			got, want := s.got.At(member), s.want.At(member)
			if got.Kind() != want.Kind() {
				t.Errorf("%s is %v, want %v", member, got, want)
			}
			checkShape(t, got, want, nil)
		}
		if s.got.At("active").True() || !s.got.At("deactivated").True() {
			t.Errorf("a draining agent is active: %v", s.got)
		}
	}
}

// TestDrainMarksGone drains an agent that is not to come back.
func TestDrainMarksGone(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"checkpoint": true}})
		agent := testbed.StartAgent(t, c.master.Address, testbed.Posix)
		offer := f.Offer()
		id := offer.At("agent_id", "value").Text()
		f.Accept(offer, testbed.Launch(testbed.Task(offer, "t", testbed.NewSleeper().Command())))
		f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
		order := agentObject(id)
		order["mark_gone"] = true
		c.ok("DRAIN_AGENT", order)
		status, _ := f.AwaitUpdate("t", "TASK_GONE_BY_OPERATOR")
		f.Acknowledge(status)
		awaitAgents(t, c.master, 0)
		agent.AwaitEnd()
		c.refused(400, "DRAIN_AGENT", agentObject(id))
		c.ok("MARK_AGENT_GONE", agentObject(id))
	})
}

// TestDeactivate keeps an agent from being offered, also by the next leader.
func TestDeactivate(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		f := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"checkpoint": true}})
		testbed.StartAgent(t, c.master.Address, testbed.Posix)
		offer := f.Offer()
		id := offer.At("agent_id", "value").Text()
		for _, call := range []string{"DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT"} {
			c.refused(400, call, agentObject("nobody"))
		}
		c.ok("DEACTIVATE_AGENT", agentObject(id))
		f.Await("RESCIND", testbed.Type("RESCIND"))
		c.ok("DEACTIVATE_AGENT", agentObject(id))
		c.master.Kill()
		c.master.Start()
		f.Resubscribe()
		awaitAgents(t, c.master, 1)
		shown := c.ask("GET_AGENTS").At("agents", 0)
		if shown.At("active").True() || !shown.At("deactivated").True() || shown.At("drain_info").Exists() {
			t.Errorf("agent %v", shown)
		}
		c.ok("REACTIVATE_AGENT", agentObject(id))
		f.Offer()
	})
}

// TestDrainUnderMaintenance refuses what the schedule has other plans for.
func TestDrainUnderMaintenance(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	c := client{t, master, testbed.JSON}
	testbed.StartAgent(t, master.Address, testbed.Posix)
	awaitAgents(t, master, 1)
	id := c.ask("GET_AGENTS").At("agents", 0, "agent_info", "id", "value").Text()
	c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule(window(inAnHour(), here)))
	c.refused(400, "DRAIN_AGENT", agentObject(id))
	c.ok("UPDATE_MAINTENANCE_SCHEDULE", schedule())
	c.ok("DRAIN_AGENT", agentObject(id))
	awaitDrain(t, c, "DRAINED") // there was nothing to drain
}
