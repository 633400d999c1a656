package state

import (
	"errors"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// TestTranscripts are the stories of an agent's life, told in testdata.
func TestTranscripts(t *testing.T) {
	stories := map[string]func(*rig){
		"command task finishes": func(r *rig) {
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.subscribe("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.acknowledge("t1", 1)
			r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 2)
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(0))}})
			r.acknowledge("t1", 2)
		},
		"update is retried": func(r *rig) {
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.update("t1", "t1", mesos.TaskState_TASK_KILLING, 2)
			retry := Timer{Kind: TimerRetryUpdate, Framework: "m-0000", Task: "t1"}
			r.fire(retry)
			r.fire(retry)
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1) // the executor repeats itself
			r.acknowledge("t1", 9)                                // not the pending one
			r.acknowledge("t1", 1)
		},
		"executor dies": func(r *rig) {
			id := r.running("t1")
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{
				Status: new(int32(9)), Reason: mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum(),
				Message: "Memory limit exceeded", Limited: []*mesos.Resource{testScalar("mem", 96, "")},
			}})
		},
		"launch fails": func(r *rig) {
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			r.step("container launch failed", ContainerLaunched{
				Container: r.launchedContainer(), Err: errors.New("no such user"),
			})
		},
		"executor never registers": func(r *rig) {
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.fire(Timer{Kind: TimerExecutorRegister, Container: id})
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(9))}})
		},
		"kill": func(r *rig) {
			r.running("t1")
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.fromMaster(killTask("t1"))
			r.update("t1", "t1", mesos.TaskState_TASK_KILLED, 2)
			r.fromMaster(killTask("never-heard-of"))
		},
		"kill before delivery": func(r *rig) {
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			r.containerRuns(r.launchedContainer())
			r.fromMaster(killTask("t1"))
			r.subscribe("t1")
		},
		"master fails over": func(r *rig) {
			r.running("t1")
			r.step("master gone", PeerExited{testMaster})
			r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1)
			r.register()
		},
		"registration backs off": func(r *rig) {
			r.step("recovered: nothing", Recovered{})
			r.step("containers recovered", ContainersRecovered{})
			r.step("master detected", MasterDetected{testMaster})
			for range 8 {
				r.fire(Timer{Kind: TimerRegister})
			}
		},
		"pings": func(r *rig) {
			r.start()
			ping := func(from string, connected bool) {
				r.step("ping from "+from, MasterMessage{From: from, Message: &messages.PingSlaveMessage{Connected: &connected}})
			}
			ping("slave-observer(1)@10.0.0.1:5050", true)
			ping("slave-observer(1)@10.9.9.9:5050", false)
			ping("slave-observer(1)@10.0.0.1:5050", false)
			r.register()
			r.fire(Timer{Kind: TimerPing})
		},
		"framework is shut down": func(r *rig) {
			id := r.running("t1")
			r.fromMaster(&messages.ShutdownFrameworkMessage{FrameworkId: testFramework().Id})
			r.fire(Timer{Kind: TimerExecutorShutdown, Container: id})
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(9))}})
		},
		"agent is shut down": func(r *rig) {
			id := r.running("t1")
			r.fromMaster(&messages.ShutdownMessage{Message: new("removed")})
			r.step("container ended", ContainerTerminated{Container: id, Termination: Termination{Status: new(int32(0))}})
		},
		"task group": func(r *rig) {
			r.start()
			r.fromMaster(runGroup("g1", "g2"))
			id := r.launchedContainer()
			r.containerRuns(id)
			r.subscribe("group")
			r.fromMaster(runGroupAgain("g3", "g4"))
			r.fromMaster(killTask("g3")) // before delivery: kills g4 as well
			r.step("container ended", ContainerTerminated{Container: id, Err: errors.New("lost track of it")})
		},
		"not authorized": func(r *rig) {
			var err error
			r.m.cfg.Authorizer, _, err = acl.Parse([]byte(`{"run_tasks":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}`))
			if err != nil {
				r.t.Fatal(err)
			}
			r.start()
			r.fromMaster(runTask(commandTask("t1")))
			r.fromMaster(runGroup("g1", "g2"))
		},
		"draining": func(r *rig) {
			r.running("t1")
			r.fromMaster(&messages.DrainSlaveMessage{Config: &mesos.DrainConfig{
				MaxGracePeriod: &mesos.DurationInfo{Nanoseconds: new(int64(1e9))}, MarkGone: new(true),
			}})
			r.fromMaster(runTask(commandTask("t2")))
			r.update("t1", "t1", mesos.TaskState_TASK_KILLED, 1)
		},
		"reconciliation": func(r *rig) {
			r.running("t1")
			r.step("master gone", PeerExited{testMaster})
			r.step("master detected", MasterDetected{testMaster})
			r.fromMaster(&messages.SlaveReregisteredMessage{
				SlaveId: &mesos.AgentID{Value: new(testAgent)},
				Reconciliations: []*messages.ReconcileTasksMessage{{
					FrameworkId: testFramework().Id, Framework: testFramework(),
					Statuses: []*mesos.TaskStatus{
						{TaskId: &mesos.TaskID{Value: new("t1")}, State: mesos.TaskState_TASK_RUNNING.Enum()},
						{TaskId: &mesos.TaskID{Value: new("t9")}, State: mesos.TaskState_TASK_RUNNING.Enum()},
					},
				}},
			})
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

// running brings a command task as far as its executor.
func (r *rig) running(task string) (container string) {
	r.start()
	r.fromMaster(runTask(commandTask(task)))
	container = r.launchedContainer()
	r.containerRuns(container)
	r.subscribe(task)
	r.out.Reset()
	return container
}

func killTask(id string) *messages.KillTaskMessage {
	return &messages.KillTaskMessage{FrameworkId: testFramework().Id, TaskId: &mesos.TaskID{Value: &id}}
}

func runGroup(ids ...string) *messages.RunTaskGroupMessage {
	e := &mesos.ExecutorInfo{
		Type: mesos.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesos.ExecutorID{Value: new("group")},
		FrameworkId: testFramework().Id, Resources: []*mesos.Resource{testScalar("cpus", 0.5, "dev")},
	}
	msg := &messages.RunTaskGroupMessage{
		Framework: testFramework(), Executor: e, TaskGroup: &mesos.TaskGroupInfo{}, LaunchExecutor: new(true),
	}
	for _, id := range ids {
		task := commandTask(id)
		task.Executor = e
		msg.TaskGroup.Tasks = append(msg.TaskGroup.Tasks, task)
	}
	return msg
}

func runGroupAgain(ids ...string) *messages.RunTaskGroupMessage {
	msg := runGroup(ids...)
	msg.LaunchExecutor = new(false)
	return msg
}
