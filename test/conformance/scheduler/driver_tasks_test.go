package scheduler

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

const lost = mesos.TaskState_TASK_LOST

// TestDriverRunsATask is the whole way of a task: offer, launch, updates with
// their acknowledgements, kill, the end of the executor.
func TestDriverRunsATask(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		a := startAgent(t, master)
		o, at := d.offer()
		if at != a.PID {
			t.Errorf("the agent's PID is %q, want %q", at, a.PID)
		}
		checkPlain(t, o)
		d.launch(o, task(o, "one"))
		run := a.launched()
		if run.GetPid() != d.PID {
			t.Errorf("executors are told that the driver is %q, want %q", run.GetPid(), d.PID)
		}
		for _, r := range run.GetTask().GetResources() {
			if r.GetAllocationInfo().GetRole() != "*" {
				t.Errorf("the agent gets %v, which is not allocated", r)
			}
		}
		uuid := a.update(run, mesos.TaskState_TASK_RUNNING)
		m := d.update("one", mesos.TaskState_TASK_RUNNING)
		if !bytes.Equal(m.GetUpdate().GetUuid(), uuid) || m.GetPid() != a.PID {
			t.Errorf("uuid %x and pid %q, want %x and %q", m.GetUpdate().GetUuid(), m.GetPid(), uuid, a.PID)
		}
		d.acknowledge(m)
		var ack messages.StatusUpdateAcknowledgementMessage
		a.Receive(internal+"StatusUpdateAcknowledgementMessage", &ack)
		if !bytes.Equal(ack.Uuid, uuid) {
			t.Errorf("the agent is acknowledged %x, want %x", ack.Uuid, uuid)
		}
		d.kill("one")
		var kill messages.KillTaskMessage
		a.Receive(internal+"KillTaskMessage", &kill)
		if kill.GetTaskId().GetValue() != "one" || kill.GetFrameworkId().GetValue() != d.id.GetValue() {
			t.Errorf("the agent is told to kill %v", &kill)
		}
		a.update(run, mesos.TaskState_TASK_KILLED)
		d.acknowledge(d.update("one", mesos.TaskState_TASK_KILLED))
		a.Receive(internal+"StatusUpdateAcknowledgementMessage", &ack)

		a.exited(run, 9)
		var exited messages.ExitedExecutorMessage
		d.Receive(internal+"ExitedExecutorMessage", &exited)
		if exited.GetExecutorId().GetValue() != "executor-of-one" || exited.GetStatus() != 9 || exited.GetSlaveId().GetValue() != a.id.GetValue() {
			t.Errorf("the driver is told of the end of %v", &exited)
		}
	})
}

// checkPlain checks an offer for a framework without capabilities: old clients
// compare resources as a whole and know no allocation.
func checkPlain(t *testing.T, o *mesos.Offer) {
	t.Helper()
	if o.AllocationInfo != nil {
		t.Errorf("an offer to a plain framework has %v", o.AllocationInfo)
	}
	for _, r := range o.GetResources() {
		if r.AllocationInfo != nil || r.GetRole() != "*" || len(r.Reservations) > 0 {
			t.Errorf("a resource for a plain framework: %v", r)
		}
	}
}

// exited says that an executor is gone.
func (a *agent) exited(run *messages.RunTaskMessage, status int32) {
	a.Send(a.master, internal+"ExitedExecutorMessage", &messages.ExitedExecutorMessage{
		SlaveId: a.id, FrameworkId: run.GetFramework().GetId(),
		ExecutorId: run.GetTask().GetExecutor().GetExecutorId(), Status: &status,
	})
}

// TestDriverDeclines: what was declined is offered again, what was offered to
// nobody can't be accepted.
func TestDriverDeclines(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		startAgent(t, master)
		o, _ := d.offer()
		d.launch(o)
		second, _ := d.offer()
		if second.GetId().GetValue() == o.GetId().GetValue() {
			t.Errorf("offer %v comes twice", o.GetId())
		}
		d.launch(o, task(o, "one"))
		m := d.update("one", lost)
		s := m.GetUpdate().GetStatus()
		if s.GetReason() != mesos.TaskStatus_REASON_INVALID_OFFERS || s.GetSource() != mesos.TaskStatus_SOURCE_MASTER {
			t.Errorf("status %v", s)
		}
		// Nothing of this is to be acknowledged.
		if len(m.GetUpdate().GetUuid()) != 0 || m.GetPid() != "" {
			t.Errorf("an update of the master's own has uuid %x and pid %q", m.GetUpdate().GetUuid(), m.GetPid())
		}
		d.launch(second, task(second, "/"))
		if s := d.update("/", mesos.TaskState_TASK_ERROR).GetUpdate().GetStatus(); s.GetReason() != mesos.TaskStatus_REASON_TASK_INVALID {
			t.Errorf("status %v", s)
		}
		d.offer()
	})
}

// TestDriverSuppresses: no offers until it revives them. There is no older
// message for it.
func TestDriverSuppresses(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	d := startDriver(t, master, calls)
	d.call(&v0.Call{Type: scheduler.Call_SUPPRESS.Enum()})
	startAgent(t, master)
	d.reconcile("sync")
	d.update("sync", lost)
	suppressed := 0.0
	for name, value := range master.Get("/metrics/snapshot").Members() {
		if strings.HasSuffix(name, "/roles/*/suppressed") {
			suppressed += value.Number()
		}
	}
	if suppressed != 1 {
		t.Errorf("%g roles are suppressed, want 1", suppressed)
	}
	d.revive()
	d.offer()
}

// TestDriverReconciles: explicitly and implicitly; a driver hands on updates of
// the master's own without asking for acknowledgements.
func TestDriverReconciles(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		a := startAgent(t, master)
		o, _ := d.offer()
		d.launch(o, task(o, "one"))
		run := a.launched()
		d.reconcile("one")
		d.update("one", mesos.TaskState_TASK_STAGING)
		a.update(run, mesos.TaskState_TASK_RUNNING)
		d.update("one", mesos.TaskState_TASK_RUNNING)
		d.reconcile()
		m := d.update("one", mesos.TaskState_TASK_RUNNING)
		if m.GetUpdate().GetStatus().GetReason() != mesos.TaskStatus_REASON_RECONCILIATION || m.GetPid() != "" || len(m.GetUpdate().GetUuid()) != 0 {
			t.Errorf("an answer to a reconciliation: %v", m)
		}
		d.reconcile("nope")
		d.update("nope", lost)
		d.kill("nope")
		d.update("nope", lost)
	})
}

// TestDriverTalksToExecutors: framework messages go both ways through the
// master.
func TestDriverTalksToExecutors(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		a := startAgent(t, master)
		d.message(a.id, "e", "ping")
		var down messages.FrameworkToExecutorMessage
		a.Receive(internal+"FrameworkToExecutorMessage", &down)
		if string(down.GetData()) != "ping" || down.GetExecutorId().GetValue() != "e" || down.GetFrameworkId().GetValue() != d.id.GetValue() {
			t.Errorf("the agent gets %v", &down)
		}
		a.Send(a.master, internal+"ExecutorToFrameworkMessage", &messages.ExecutorToFrameworkMessage{
			SlaveId: a.id, FrameworkId: d.id, ExecutorId: down.ExecutorId, Data: []byte("pong")})
		var up messages.ExecutorToFrameworkMessage
		d.Receive(internal+"ExecutorToFrameworkMessage", &up)
		if string(up.GetData()) != "pong" || up.GetSlaveId().GetValue() != a.id.GetValue() {
			t.Errorf("the driver gets %v", &up)
		}
	})
}

// TestDriverLosesAnAgent: an agent that goes takes offers and tasks with it,
// and the driver learns all three.
func TestDriverLosesAnAgent(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		a := startAgent(t, master)
		o, _ := d.offer()
		d.launch(o, task(o, "one"))
		a.launched()
		rest, _ := d.offer()
		a.Send(a.master, internal+"UnregisterSlaveMessage", &messages.UnregisterSlaveMessage{SlaveId: a.id})
		s := d.update("one", lost).GetUpdate().GetStatus()
		if s.GetReason() != mesos.TaskStatus_REASON_AGENT_REMOVED {
			t.Errorf("status %v", s)
		}
		var rescind messages.RescindResourceOfferMessage
		d.Receive(internal+"RescindResourceOfferMessage", &rescind)
		if rescind.GetOfferId().GetValue() != rest.GetId().GetValue() {
			t.Errorf("offer %v is rescinded, want %v", rescind.GetOfferId(), rest.GetId())
		}
		var gone messages.LostSlaveMessage
		d.Receive(internal+"LostSlaveMessage", &gone)
		if gone.GetSlaveId().GetValue() != a.id.GetValue() {
			t.Errorf("agent %v is lost, want %v", gone.GetSlaveId(), a.id)
		}
	})
}

// TestDriverAsks: REQUEST has no effect, as in Mesos, and is no mistake.
func TestDriverAsks(t *testing.T) {
	inBothDialects(t, func(t *testing.T, dialect dialect) {
		master := testbed.StartMaster(t, "--registry=in_memory")
		d := startDriver(t, master, dialect)
		requests := []*mesos.Request{{Resources: []*mesos.Resource{scalar("cpus", 1)}}}
		if dialect == old {
			d.send(&messages.ResourceRequestMessage{FrameworkId: d.id, Requests: requests})
		} else {
			d.call(&v0.Call{Type: scheduler.Call_REQUEST.Enum(), Request: &scheduler.Call_Request{Requests: requests}})
		}
		d.reconcile("sync")
		d.update("sync", lost)
		if got := master.Get("/metrics/snapshot").At("master/messages_resource_request").Number(); got != 1 {
			t.Errorf("%g requests are counted", got)
		}
	})
}
