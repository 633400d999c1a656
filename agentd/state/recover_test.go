package state

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// disk plays the checkpoints: it keeps what records add up to.
type disk struct {
	snapshot Snapshot
}

// apply takes the checkpoints out of effects.
func (d *disk) apply(effects []Effect) {
	for _, e := range effects {
		if c, ok := e.(Checkpoint); ok {
			d.record(c.Record)
		}
	}
}

func (d *disk) record(r Record) {
	s := &d.snapshot
	switch r := r.(type) {
	case AgentRecord:
		s.Agent = r.Info
	case ForgetAgentRecord:
		s.Agent, s.Frameworks = nil, nil
	case FrameworkRecord:
		f := d.framework(r.Info.GetId().GetValue())
		f.Info, f.PID = r.Info, r.PID
	case ExecutorRecord:
		f := d.framework(r.FrameworkID)
		e := ExecutorSnapshot{Info: r.Info, Generated: r.Generated, Container: r.Container}
		for i := range f.Executors {
			if proto.Equal(f.Executors[i].Info.GetExecutorId(), r.Info.GetExecutorId()) {
				f.Executors[i] = e
				return
			}
		}
		f.Executors = append(f.Executors, e)
	case ExecutorPIDRecord:
		d.run(r.Run).PID = r.PID
	case CompletedRecord:
		d.run(r.Run).Completed = true
	case TaskRecord:
		e := d.run(r.Run)
		e.Tasks = slices.DeleteFunc(e.Tasks, func(t TaskSnapshot) bool { return proto.Equal(t.Task.GetTaskId(), r.Task.GetTaskId()) })
		e.Tasks = append(e.Tasks, TaskSnapshot{Task: r.Task})
	case UpdateRecord:
		t := d.task(r.Run, r.TaskID)
		t.Updates = append(t.Updates, r.Update)
	case AcknowledgementRecord:
		t := d.task(r.Run, r.TaskID)
		t.Acknowledged = append(t.Acknowledged, r.UUID)
	case ResourcesRecord:
		s.Operations, s.Target = r.Operations, nil
		if r.Target {
			s.Target = append([]*mesos.Resource{}, r.Resources...)
		} else {
			s.Resources = r.Resources
		}
	case ProvidersRecord:
		s.Providers, s.GoneProviders = r.Known, r.Gone
	case DrainRecord:
		s.Drain = r.Config
	}
}

func (d *disk) framework(id string) *FrameworkSnapshot {
	s := &d.snapshot
	for i := range s.Frameworks {
		if s.Frameworks[i].Info.GetId().GetValue() == id {
			return &s.Frameworks[i]
		}
	}
	s.Frameworks = append(s.Frameworks, FrameworkSnapshot{Info: &mesos.FrameworkInfo{Id: &mesos.FrameworkID{Value: &id}}})
	return &s.Frameworks[len(s.Frameworks)-1]
}

func (d *disk) run(r RunID) *ExecutorSnapshot {
	f := d.framework(r.FrameworkID)
	for i := range f.Executors {
		if f.Executors[i].Container == r.Container {
			return &f.Executors[i]
		}
	}
	panic("checkpoint of a run that was not checkpointed: " + r.Container)
}

func (d *disk) task(r RunID, id string) *TaskSnapshot {
	e := d.run(r)
	for i := range e.Tasks {
		if e.Tasks[i].Task.GetTaskId().GetValue() == id {
			return &e.Tasks[i]
		}
	}
	panic("checkpoint of a task that was not checkpointed: " + id)
}

// restart makes a new machine of what the disk has, as after a crash.
func (r *rig) restart(d *disk, change ...func(*Snapshot)) {
	r.t.Helper()
	cfg := testConfig()
	cfg.Random = &counter{n: 100}
	m, err := New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.m = m
	s := d.snapshot
	for _, f := range change {
		f(&s)
	}
	r.step("recovered: "+summary(s), Recovered{Snapshot: &s})
}

func summary(s Snapshot) string {
	out := "agent " + s.Agent.GetId().GetValue()
	for _, f := range s.Frameworks {
		for _, e := range f.Executors {
			for _, t := range e.Tasks {
				out += ", task " + t.Task.GetTaskId().GetValue()
			}
		}
	}
	return out
}

// TestRecoveryTranscripts are the stories of agents that were killed.
func TestRecoveryTranscripts(t *testing.T) {
	// live brings a task up and returns what is on the disk.
	live := func(r *rig, until func(*rig)) *disk {
		d := &disk{}
		r.onStep = d.apply
		r.start()
		r.fromMaster(runTask(commandTask("t1")))
		r.containerRuns(r.launchedContainer())
		r.subscribe("t1")
		until(r)
		r.out.Reset()
		return d
	}
	container := func(r *rig) string { return r.m.frameworks["m-0000"].runs["t1"].container }
	recovered := func(r *rig) {
		id := container(r)
		r.step("containers recovered", ContainersRecovered{Statuses: map[string]*mesos.ContainerStatus{
			id: {ContainerId: &mesos.ContainerID{Value: &id}, ExecutorPid: new(uint32(42))},
		}})
	}
	comeBack := func(r *rig, tasks []*mesos.TaskInfo, updates ...*executor.Call_Update) {
		c := subscribeCall("t1")
		c.Subscribe.UnacknowledgedTasks, c.Subscribe.UnacknowledgedUpdates = tasks, updates
		r.call(2, c)
		r.answer()
	}
	stories := map[string]func(*rig){
		"executor comes back": func(r *rig) {
			d := live(r, func(r *rig) { r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1) })
			r.restart(d)
			r.call(3, subscribeCall("t1")) // too early
			recovered(r)
			r.call(0, updateCall("t1", "t1", mesos.TaskState_TASK_FINISHED, 2)) // not before it subscribed
			comeBack(r, []*mesos.TaskInfo{commandTask("t1")}, updateCall("t1", "t1", mesos.TaskState_TASK_RUNNING, 1).Update,
				updateCall("t1", "t1", mesos.TaskState_TASK_FINISHED, 2).Update)
			r.fire(Timer{Kind: TimerExecutorReregister})
			r.register()
			r.acknowledge("t1", 1)
			r.acknowledge("t1", 2)
		},
		"pings while it recovers": func(r *rig) {
			d := live(r, func(r *rig) { r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1) })
			r.restart(d)
			ping := func(connected bool) {
				r.step("ping", MasterMessage{From: "slave-observer(1)@10.0.0.1:5050", Message: &messages.PingSlaveMessage{Connected: &connected}})
			}
			ping(true)
			recovered(r)
			ping(false) // no reason to look for another master: it has not begun to look for one
			comeBack(r, []*mesos.TaskInfo{commandTask("t1")})
			ping(false) // nor now
			r.register()
			ping(true)
		},
		"task was never delivered": func(r *rig) {
			d := live(r, func(*rig) {})
			r.restart(d)
			recovered(r)
			comeBack(r, nil)
			r.fire(Timer{Kind: TimerExecutorReregister})
			r.register()
		},
		"executor stays away": func(r *rig) {
			d := live(r, func(r *rig) { r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1) })
			r.restart(d)
			recovered(r)
			r.fire(Timer{Kind: TimerExecutorReregister})
			r.step("container ended", ContainerTerminated{Container: container(r), Termination: Termination{Status: new(int32(9))}})
		},
		"rebooted": func(r *rig) {
			d := live(r, func(r *rig) { r.update("t1", "t1", mesos.TaskState_TASK_RUNNING, 1) })
			r.restart(d, func(s *Snapshot) { s.Rebooted = true })
			r.step("containers recovered", ContainersRecovered{})
			r.step("container is unknown", ContainerTerminated{Container: container(r), Err: errors.New("unknown container")})
			r.fire(Timer{Kind: TimerExecutorReregister})
			r.register()
		},
		"configuration changed": func(r *rig) {
			d := live(r, func(*rig) {})
			r.restart(d, func(s *Snapshot) {
				s.Agent = withID(s.Agent, s.Agent.Id)
				s.Agent.Hostname = new("other.example")
			})
		},
		"configuration changed at reboot": func(r *rig) {
			d := live(r, func(*rig) {})
			r.restart(d, func(s *Snapshot) {
				s.Rebooted = true
				s.Agent = withID(s.Agent, s.Agent.Id)
				s.Agent.Hostname = new("other.example")
			})
			r.step("containers recovered", ContainersRecovered{})
			r.register()
		},
		"everything was over": func(r *rig) {
			d := live(r, func(r *rig) {
				r.update("t1", "t1", mesos.TaskState_TASK_FINISHED, 1)
				r.acknowledge("t1", 1)
				r.step("container ended", ContainerTerminated{Container: container(r)})
			})
			r.restart(d)
			r.step("containers recovered", ContainersRecovered{})
			r.register()
		},
		"containerizer is broken": func(r *rig) {
			d := live(r, func(*rig) {})
			r.restart(d)
			r.step("containers recovered", ContainersRecovered{Err: errors.New("no cgroups")})
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

// TestOperationTranscripts are the stories of reservations and volumes.
func TestOperationTranscripts(t *testing.T) {
	reserved := func(name string, v float64) *mesos.Resource {
		r := testScalar(name, v, "")
		r.Reservations = []*mesos.Resource_ReservationInfo{{
			Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("dev"),
		}}
		return r
	}
	volume := func() *mesos.Resource {
		r := reserved("disk", 64)
		r.Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v1")},
			Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
		}
		return r
	}
	apply := func(uuid byte, op *mesos.Offer_Operation) *messages.ApplyOperationMessage {
		return &messages.ApplyOperationMessage{
			FrameworkId: testFramework().Id, OperationInfo: op, OperationUuid: &mesos.UUID{Value: testUUID(uuid)},
			ResourceVersionUuid: &messages.ResourceVersionUUID{Uuid: &mesos.UUID{Value: testUUID(99)}},
		}
	}
	reserve := func() *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_RESERVE.Enum(), Id: &mesos.OperationID{Value: new("r")},
			Reserve: &mesos.Offer_Operation_Reserve{Resources: []*mesos.Resource{reserved("disk", 64)}}}
	}
	create := func() *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE.Enum(),
			Create: &mesos.Offer_Operation_Create{Volumes: []*mesos.Resource{volume()}}}
	}
	destroy := func() *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_DESTROY.Enum(),
			Destroy: &mesos.Offer_Operation_Destroy{Volumes: []*mesos.Resource{volume()}}}
	}
	done := func(operation byte, uuid []byte) *messages.AcknowledgeOperationStatusMessage {
		return &messages.AcknowledgeOperationStatusMessage{
			OperationUuid: &mesos.UUID{Value: testUUID(operation)}, StatusUuid: &mesos.UUID{Value: uuid},
		}
	}
	withDisk := func(c *Config) {
		c.Agent.Resources = append(c.Agent.Resources, testScalar("disk", 100, ""))
	}
	stories := map[string]func(*rig){
		"reserve, create, destroy": func(r *rig) {
			r.start()
			r.fromMaster(apply(1, reserve()))
			r.fire(Timer{Kind: TimerRetryOperation, Task: string(testUUID(1))})
			id := r.m.operations[string(testUUID(1))].GetLatestStatus().GetUuid().GetValue()
			r.fromMaster(done(1, id))
			r.fromMaster(apply(2, create()))
			r.fromMaster(apply(3, destroy()))
		},
		"grow, shrink": func(r *rig) {
			r.start()
			r.fromMaster(apply(1, reserve()))
			r.fromMaster(apply(2, create()))
			addition := reserved("disk", 16)
			more := reserve()
			more.Id, more.Reserve.Resources = nil, []*mesos.Resource{reserved("disk", 16)}
			r.fromMaster(apply(3, more))
			r.fromMaster(apply(4, &mesos.Offer_Operation{Type: mesos.Offer_Operation_GROW_VOLUME.Enum(),
				GrowVolume: &mesos.Offer_Operation_GrowVolume{Volume: volume(), Addition: addition}}))
			grown := volume()
			grown.Scalar.Value = new(80.0)
			r.fromMaster(apply(5, &mesos.Offer_Operation{Type: mesos.Offer_Operation_SHRINK_VOLUME.Enum(),
				ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{Volume: grown, Subtract: &mesos.Value_Scalar{Value: new(30.0)}}}))
		},
		"refused task without a run": func(r *rig) {
			r.start()
			task := commandTask("t1")
			v := volume()
			v.AllocationInfo = &mesos.Resource_AllocationInfo{Role: new("dev")}
			task.Resources = append(task.Resources, v)
			r.fromMaster(runTask(task))
			// The framework is gone from here, and the update still waits.
			key := taskKey{testFramework().GetId().GetValue(), "t1"}
			r.fire(key.timer())
			update := r.m.streams[key].pending[0]
			r.fromMaster(&messages.StatusUpdateAcknowledgementMessage{
				SlaveId: r.m.info.Id, FrameworkId: testFramework().Id, TaskId: update.GetStatus().GetTaskId(), Uuid: update.Uuid,
			})
			r.fromMaster(runTask(proto.CloneOf(task)))
			r.fromMaster(&messages.ShutdownFrameworkMessage{FrameworkId: testFramework().Id})
		},
		"more than there is": func(r *rig) {
			r.start()
			op := reserve()
			op.Reserve.Resources[0].Scalar.Value = new(1000.0)
			r.fromMaster(apply(1, op))
		},
		"task with a volume": func(r *rig) {
			r.start()
			task := commandTask("t1")
			v := volume()
			v.AllocationInfo = &mesos.Resource_AllocationInfo{Role: new("dev")}
			task.Resources = append(task.Resources, v)
			r.fromMaster(runTask(proto.Clone(task).(*mesos.TaskInfo))) // before the volume is there
			r.fromMaster(apply(1, reserve()))
			r.fromMaster(apply(2, create()))
			r.fromMaster(runTask(task))
		},
		"crash while a volume is made": func(r *rig) {
			d := &disk{}
			r.onStep = d.apply
			r.start()
			r.fromMaster(apply(1, reserve()))
			r.fromMaster(apply(2, create()))
			d.snapshot.Target, d.snapshot.Resources = d.snapshot.Resources, []*mesos.Resource{reserved("disk", 64)}
			r.out.Reset()
			m, err := New(r.m.cfg)
			if err != nil {
				r.t.Fatal(err)
			}
			r.m = m
			r.step("recovered", Recovered{Snapshot: &d.snapshot})
			r.step("containers recovered", ContainersRecovered{})
			r.register()
		},
		"master without feedback": func(r *rig) {
			r.start()
			r.fromMaster(&messages.CheckpointResourcesMessage{Resources: []*mesos.Resource{reserved("disk", 30)}})
			r.fromMaster(&messages.CheckpointResourcesMessage{})
		},
		"reconciliation": func(r *rig) {
			r.start()
			r.fromMaster(apply(1, reserve()))
			ask := func(uuid byte, framework *mesos.FrameworkID) {
				r.fromMaster(&messages.ReconcileOperationsMessage{
					FrameworkId: framework,
					Operations: []*messages.ReconcileOperationsMessage_Operation{
						{OperationUuid: &mesos.UUID{Value: testUUID(uuid)}, OperationId: &mesos.OperationID{Value: new("r")}},
					},
				})
			}
			ask(1, nil)
			ask(7, nil)
			ask(1, testFramework().Id)
			ask(7, testFramework().Id)
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withDisk)
			story(r)
			r.check()
		})
	}
}
