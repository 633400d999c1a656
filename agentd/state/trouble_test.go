package state

import (
	"errors"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// fail gives the containerizer's error to every update of the last step.
func (r *rig) fail(err error) {
	for _, e := range r.last {
		if u, ok := e.(UpdateContainer); ok {
			r.step("container update failed", ContainerUpdated{Token: u.Token, Err: err})
		}
	}
}

func messageCall(executorID, data string) *executor.Call {
	return &executor.Call{
		Type: executor.Call_MESSAGE.Enum(), FrameworkId: testFramework().Id, ExecutorId: &mesos.ExecutorID{Value: &executorID},
		Message: &executor.Call_Message{Data: []byte(data)},
	}
}

// unaware makes a launch one of a framework that doesn't know of partitions.
func unaware(m *messages.RunTaskMessage) *messages.RunTaskMessage {
	m.Framework.Capabilities = nil
	return m
}

// TestTroubleTranscripts are the stories in which something is wrong, or out of turn.
func TestTroubleTranscripts(t *testing.T) {
	broken := errors.New("no such cgroup")
	killed := Termination{Status: new(int32(9))}
	stories := map[string]func(*rig){
		"container can't grow for a task": func(r *rig) {
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.call(1, subscribeCall("t1"))
			r.fail(broken)
			r.step("container ended", ContainerTerminated{Container: id, Termination: killed})
		},
		"container can't shrink after a task": func(r *rig) {
			id := r.running("t1")
			r.call(0, updateCall("t1", "t1", mesos.TaskState_TASK_FINISHED, 1))
			r.fail(broken)
			r.step("container ended", ContainerTerminated{Container: id, Termination: killed})
		},
		"container can't grow and its framework knows only loss": func(r *rig) {
			r.start()
			r.fromMaster(unaware(runTask(commandTask("t1"))))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.call(1, subscribeCall("t1"))
			r.fail(broken)
			r.step("container ended", ContainerTerminated{Container: id, Termination: killed})
		},
		"task ends twice": func(r *rig) {
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 1)
			r.update("t1", "t1", mesos.TaskState_TASK_KILLED, 2)
			r.acknowledge("t1", 1)
		},
		"updates of a task that is complete": func(r *rig) {
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 1)
			r.acknowledge("t1", 1)
			r.out.Reset()
			r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 1) // acknowledged again, and no more
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 2)
			r.update("t1", "t1", mesos.TaskState_TASK_FAILED, 3)
			r.fire(taskKey{"m-0000", "t1"}.timer())
			r.acknowledge("t1", 2)
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 2) // likewise
			r.acknowledge("t1", 3)
			r.update("t1", "t1", mesos.TaskState_TASK_FAILED, 3) // likewise
			if n := len(r.m.streams); n > 0 {
				r.t.Errorf("%d streams are left", n)
			}
		},
		"updates of a task that was complete before a restart": func(r *rig) {
			d := &disk{}
			r.onStep = d.apply
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 1)
			r.acknowledge("t1", 1)
			r.restart(d)
			r.step("containers recovered", ContainersRecovered{})
			r.out.Reset()
			again := subscribeCall("t1")
			again.Subscribe.UnacknowledgedUpdates = []*executor.Call_Update{
				updateCall("t1", "t1", mesos.TaskState_TASK_FINISHED, 1).Update, updateCall("t1", "t1", mesos.TaskState_TASK_LOST, 2).Update,
			}
			r.call(2, again)
			r.register()
		},
		"a task's ID is used again before a late update of the first is acknowledged": func(r *rig) {
			d := &disk{}
			r.onStep = d.apply
			r.start()
			r.fromMaster(runTask(driverTask("t1")))
			r.containerRuns(r.launchedContainer())
			r.subscribe("e1")
			r.update("e1", "t1", mesos.TaskState_TASK_FINISHED, 1)
			r.acknowledge("t1", 1)
			r.update("e1", "t1", mesos.TaskState_TASK_FAILED, 2) // not acknowledged
			r.out.Reset()
			again := runTask(driverTask("t1"))
			again.LaunchExecutor = new(false)
			r.fromMaster(again)
			r.answer()
			r.update("e1", "t1", mesos.TaskState_TASK_RUNNING, 3)
			r.acknowledge("t1", 2) // too late
			r.restart(d)
			if got := len(r.m.frameworks["m-0000"].runs["e1"].launched); got != 1 {
				r.t.Errorf("%d tasks run after a restart, want the second of the ID", got)
			}
		},
		"acknowledgement of another master": func(r *rig) {
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.step("other master", MasterMessage{From: "master@10.0.0.9:5050", Message: &messages.StatusUpdateAcknowledgementMessage{
				SlaveId: &mesos.AgentID{Value: new(testAgent)}, FrameworkId: testFramework().Id,
				TaskId: &mesos.TaskID{Value: new("t1")}, Uuid: testUUID(1),
			}})
			r.acknowledge("t1", 1)
		},
		"messages find the framework": func(r *rig) {
			d := &disk{}
			r.onStep = d.apply
			r.start()
			native := runTask(commandTask("t1"))
			native.Pid = new("scheduler(1)@10.0.0.7:9999")
			r.fromMaster(native)
			r.containerRuns(r.launchedContainer())
			r.subscribe("t1")
			r.out.Reset()
			r.call(0, messageCall("t1", "to the driver"))
			r.fromMaster(&messages.UpdateFrameworkMessage{FrameworkId: testFramework().Id, FrameworkInfo: testFramework(), Pid: new("")})
			r.call(0, messageCall("t1", "to one that speaks HTTP by now"))
			r.restart(d)
			r.step("containers recovered", ContainersRecovered{})
			again := subscribeCall("t1")
			again.Subscribe.UnacknowledgedTasks = []*mesos.TaskInfo{commandTask("t1")}
			r.call(2, again)
			r.call(0, messageCall("t1", "too early"))
			r.register()
			r.call(0, messageCall("t1", "after a restart"))
			r.fromMaster(&messages.FrameworkToExecutorMessage{
				SlaveId: &mesos.AgentID{Value: new(testAgent)}, FrameworkId: testFramework().Id,
				ExecutorId: &mesos.ExecutorID{Value: new("t1")}, Data: []byte("down"),
			})
			r.fromMaster(&messages.FrameworkToExecutorMessage{
				SlaveId: &mesos.AgentID{Value: new(testAgent)}, FrameworkId: testFramework().Id,
				ExecutorId: &mesos.ExecutorID{Value: new("nobody")}, Data: []byte("down"),
			})
		},
		"all tasks of a live executor are killed before it gets them": func(r *rig) {
			r.start()
			r.fromMaster(runGroup("g1", "g2"))
			r.containerRuns(r.launchedContainer())
			r.call(1, subscribeCall("group"))
			grow := r.last
			r.fromMaster(killTask("g1")) // its container has not grown yet
			r.answer()
			r.last = grow
			r.answer()
		},
		"one of two groups of an executor is killed": func(r *rig) {
			r.start()
			r.fromMaster(runGroup("g1", "g2"))
			id := r.launchedContainer()
			r.fromMaster(runGroupAgain("g3"))
			r.fromMaster(killTask("g2"))
			r.containerRuns(id)
			r.subscribe("group")
		},
		"a group for an executor that ends": func(r *rig) {
			r.start()
			r.fromMaster(runGroup("g1"))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.subscribe("group")
			r.fromMaster(&messages.ShutdownExecutorMessage{
				FrameworkId: testFramework().Id, ExecutorId: &mesos.ExecutorID{Value: new("group")},
			})
			r.fromMaster(runGroupAgain("g2"))
			r.step("container ended", ContainerTerminated{Container: id, Termination: killed})
			r.fromMaster(runGroupAgain("g3")) // the master thinks it lives
		},
		"executor ends before it registers": func(r *rig) {
			r.start()
			r.fromMaster(runTask(driverTask("t1")))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(256))}})
		},
		"resources have changed": func(r *rig) {
			r.start()
			outdated := runTask(commandTask("t1"))
			outdated.ResourceVersionUuids = []*messages.ResourceVersionUUID{{Uuid: &mesos.UUID{Value: testUUID(77)}}}
			r.fromMaster(outdated)
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
