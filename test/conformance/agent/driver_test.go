package agent

import (
	"testing"

	"github.com/google/uuid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

const internal = "mesos.internal."

// driver is what an executor of the native driver is to an agent.
type driver struct {
	*testbed.Peer
	agent     string
	id        *mesos.ExecutorID
	framework *mesos.FrameworkID
}

func (d *driver) update(task *mesos.TaskInfo, state mesos.TaskState) *messages.StatusUpdate {
	id := uuid.New()
	return &messages.StatusUpdate{
		FrameworkId: d.framework, ExecutorId: d.id, SlaveId: task.GetAgentId(), Timestamp: new(1.0), Uuid: id[:],
		Status: &mesos.TaskStatus{
			TaskId: task.GetTaskId(), State: &state, AgentId: task.GetAgentId(), Timestamp: new(1.0),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: id[:],
		},
	}
}

// report sends an update and waits for its acknowledgement.
func (d *driver) report(t *testing.T, task *mesos.TaskInfo, state mesos.TaskState) {
	t.Helper()
	u := d.update(task, state)
	d.Send(d.agent, internal+"StatusUpdateMessage", &messages.StatusUpdateMessage{Update: u, Pid: new(d.PID)})
	var ack messages.StatusUpdateAcknowledgementMessage
	d.Receive(internal+"StatusUpdateAcknowledgementMessage", &ack)
	if string(ack.GetUuid()) != string(u.GetUuid()) || ack.GetTaskId().GetValue() != task.GetTaskId().GetValue() {
		t.Errorf("acknowledgement %v of %v", &ack, u)
	}
}

// An executor that speaks the messages of the native driver lives its whole life,
// through a restart of its agent.
func TestDriverExecutor(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--executor_reregistration_timeout=15secs")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	launch := func(task string) {
		offer := f.Offer()
		info := testbed.Task(offer, task, "")
		delete(info, "command")
		info["executor"] = testbed.Object{
			"executor_id": testbed.Object{"value": "driver"}, "framework_id": testbed.Object{"value": f.ID},
			"command": testbed.Object{"shell": true, "value": "sleep 1000"},
		}
		f.Accept(offer, testbed.Launch(info))
	}
	launch("one")
	d := &driver{Peer: testbed.NewPeer(t, "executor(1)"), agent: "slave(1)@" + a.Address,
		id: &mesos.ExecutorID{Value: new("driver")}, framework: &mesos.FrameworkID{Value: &f.ID}}
	testbed.Eventually(t, "the agent launches the executor", func() error {
		if len(a.Get("/state").At("frameworks", 0, "executors").List()) == 0 {
			return errorf("there is none")
		}
		return nil
	})
	d.Send(d.agent, internal+"RegisterExecutorMessage", &messages.RegisterExecutorMessage{FrameworkId: d.framework, ExecutorId: d.id})
	var registered messages.ExecutorRegisteredMessage
	d.Receive(internal+"ExecutorRegisteredMessage", &registered)
	if registered.GetExecutorInfo().GetExecutorId().GetValue() != "driver" || registered.GetSlaveInfo().GetHostname() != "localhost" {
		t.Errorf("registered with %v", &registered)
	}
	var run messages.RunTaskMessage
	d.Receive(internal+"RunTaskMessage", &run)
	one := run.GetTask()
	d.report(t, one, mesos.TaskState_TASK_RUNNING)
	f.Follow("one", "TASK_RUNNING")

	f.Call("MESSAGE", testbed.Object{
		"agent_id": testbed.Object{"value": one.GetAgentId().GetValue()}, "executor_id": testbed.Object{"value": "driver"}, "data": "aGVsbG8=",
	})
	var down messages.FrameworkToExecutorMessage
	d.Receive(internal+"FrameworkToExecutorMessage", &down)
	if string(down.GetData()) != "hello" {
		t.Errorf("message %v", &down)
	}
	d.Send(d.agent, internal+"ExecutorToFrameworkMessage", &messages.ExecutorToFrameworkMessage{
		SlaveId: one.GetAgentId(), FrameworkId: d.framework, ExecutorId: d.id, Data: []byte("back"),
	})
	if got := f.Await("a message", testbed.Type("MESSAGE")).At("message", "data").Text(); got != "YmFjaw==" {
		t.Errorf("message %q", got)
	}

	// The agent that comes back asks for it.
	a.Kill()
	a.Start()
	var reconnect messages.ReconnectExecutorMessage
	d.Receive(internal+"ReconnectExecutorMessage", &reconnect)
	finished := d.update(one, mesos.TaskState_TASK_FINISHED)
	d.Send(d.agent, internal+"ReregisterExecutorMessage", &messages.ReregisterExecutorMessage{
		ExecutorId: d.id, FrameworkId: d.framework, Updates: []*messages.StatusUpdate{finished},
	})
	d.Receive(internal+"ExecutorReregisteredMessage", &messages.ExecutorReregisteredMessage{})
	f.FollowTo("one", "TASK_FINISHED")
	d.Receive(internal+"StatusUpdateAcknowledgementMessage", &messages.StatusUpdateAcknowledgementMessage{})

	launch("two")
	d.Receive(internal+"RunTaskMessage", &run)
	two := run.GetTask()
	d.report(t, two, mesos.TaskState_TASK_RUNNING)
	f.Follow("two", "TASK_RUNNING")
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "two"}})
	var kill messages.KillTaskMessage
	d.Receive(internal+"KillTaskMessage", &kill)
	d.report(t, two, mesos.TaskState_TASK_KILLED)
	f.FollowTo("two", "TASK_KILLED")

	// Nobody expects another one.
	stranger := testbed.NewPeer(t, "executor(2)")
	stranger.Send(d.agent, internal+"RegisterExecutorMessage", &messages.RegisterExecutorMessage{
		FrameworkId: d.framework, ExecutorId: &mesos.ExecutorID{Value: new("stranger")},
	})
	stranger.Receive(internal+"ShutdownExecutorMessage", &messages.ShutdownExecutorMessage{})
	f.Call("TEARDOWN", nil)
	d.Receive(internal+"ShutdownExecutorMessage", &messages.ShutdownExecutorMessage{})
}
