package state

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const testDriver = "executor(1)@10.0.0.2:40000"

func (r *rig) fromDriver(pid string, msg proto.Message) []Effect {
	out := r.step(pid+": "+message(msg), MasterMessage{From: pid, Message: msg})
	r.answer()
	return out
}

func registerDriver(executorID string) *messages.RegisterExecutorMessage {
	return &messages.RegisterExecutorMessage{
		FrameworkId: testFramework().Id, ExecutorId: &mesos.ExecutorID{Value: &executorID},
	}
}

func reregisterDriver(executorID string, tasks ...*mesos.TaskInfo) *messages.ReregisterExecutorMessage {
	return &messages.ReregisterExecutorMessage{
		FrameworkId: testFramework().Id, ExecutorId: &mesos.ExecutorID{Value: &executorID}, Tasks: tasks,
	}
}

func driverUpdate(task string, state mesos.TaskState, uuid byte) *messages.StatusUpdateMessage {
	return &messages.StatusUpdateMessage{Update: &messages.StatusUpdate{
		FrameworkId: testFramework().Id, ExecutorId: &mesos.ExecutorID{Value: new("e1")}, SlaveId: &mesos.AgentID{Value: new(testAgent)},
		Uuid: testUUID(uuid), Timestamp: new(1.5),
		Status: &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: &task}, State: &state, AgentId: &mesos.AgentID{Value: new(testAgent)}},
	}}
}

// driverTask is a task with an executor of its own.
func driverTask(id string) *mesos.TaskInfo {
	t := commandTask(id)
	t.Command = nil
	t.Executor = &mesos.ExecutorInfo{
		ExecutorId: &mesos.ExecutorID{Value: new("e1")}, FrameworkId: testFramework().Id,
		Command: &mesos.CommandInfo{Value: new("./executor")},
	}
	return t
}

func (r *rig) kill(task string) {
	r.fromMaster(&messages.KillTaskMessage{FrameworkId: testFramework().Id, TaskId: &mesos.TaskID{Value: &task}})
}

// TestDriverTranscripts are the stories of executors that speak by the native driver.
func TestDriverTranscripts(t *testing.T) {
	launched := func(r *rig) {
		r.start()
		r.fromMaster(runTask(driverTask("t1")))
		r.containerRuns(r.launchedContainer())
	}
	// back brings the agent back while the executor lives.
	back := func(r *rig, retry time.Duration) {
		d := &disk{}
		r.onStep = d.apply
		launched(r)
		r.fromDriver(testDriver, registerDriver("e1"))
		r.out.Reset()
		r.restart(d)
		r.m.cfg.ReconnectRetry = retry
		id := r.m.frameworks["m-0000"].runs["e1"].container
		r.step("containers recovered", ContainersRecovered{Statuses: map[string]*mesos.ContainerStatus{
			id: {ContainerId: &mesos.ContainerID{Value: &id}},
		}})
	}
	stories := map[string]func(*rig){
		"life": func(r *rig) {
			launched(r)
			r.fromDriver(testDriver, registerDriver("e1"))
			r.fromDriver(testDriver, driverUpdate("t1", mesos.TaskState_TASK_RUNNING, 1))
			r.fromDriver("executor(1)@10.9.9.9:1", driverUpdate("t1", mesos.TaskState_TASK_FAILED, 2))
			r.fromDriver(testDriver, registerDriver("e1")) // a driver registers once
			r.kill("t1")
			r.fromDriver(testDriver, driverUpdate("t1", mesos.TaskState_TASK_KILLED, 3))
		},
		"a stranger registers": func(r *rig) {
			launched(r)
			r.fromDriver(testDriver, registerDriver("e9"))
			r.fromDriver(testDriver, reregisterDriver("e9"))
		},
		"its only task was killed": func(r *rig) {
			launched(r)
			r.kill("t1")
			r.fromDriver(testDriver, registerDriver("e1"))
		},
		"it sends TASK_STAGING": func(r *rig) {
			launched(r)
			r.fromDriver(testDriver, registerDriver("e1"))
			r.fromDriver(testDriver, driverUpdate("t1", mesos.TaskState_TASK_STAGING, 1))
		},
		"it comes back": func(r *rig) {
			back(r, 0)
			r.fromDriver("executor(1)@10.0.0.2:40001", reregisterDriver("e1", driverTask("t1")))
			r.fromDriver("executor(1)@10.0.0.2:40001", reregisterDriver("e1", driverTask("t1"))) // nobody asked
		},
		"it comes back twice": func(r *rig) {
			back(r, time.Second)
			r.fire(Timer{Kind: TimerExecutorReconnect, Container: r.m.frameworks["m-0000"].runs["e1"].container})
			r.fromDriver(testDriver, reregisterDriver("e1", driverTask("t1")))
			r.fire(Timer{Kind: TimerExecutorReconnect, Container: r.m.frameworks["m-0000"].runs["e1"].container})
			r.fromDriver(testDriver, reregisterDriver("e1", driverTask("t1")))
		},
		"its task did not reach it": func(r *rig) {
			back(r, 0)
			r.fromDriver(testDriver, reregisterDriver("e1"))
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			story(r)
			r.check()
		})
	}
}
