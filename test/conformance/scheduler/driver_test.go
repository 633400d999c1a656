package scheduler

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// dialect is how a native driver says what it wants: drivers of Mesos 1.x send
// mesos.scheduler.Call for most things, those before a message for each.
type dialect string

const (
	calls dialect = "calls"
	old   dialect = "messages"
)

// inBothDialects runs a test with a driver of each kind.
func inBothDialects(t *testing.T, test func(*testing.T, dialect)) {
	for _, d := range []dialect{calls, old} {
		t.Run(string(d), func(t *testing.T) { test(t, d) })
	}
}

// driver is a native scheduler driver: a libprocess peer, as libmesos is one.
type driver struct {
	*testbed.Peer
	dialect
	t      testing.TB
	master string
	id     *mesos.FrameworkID
	info   *mesos.FrameworkInfo
}

func newDriver(t testing.TB, master *testbed.Master, d dialect) *driver {
	return &driver{
		Peer: testbed.NewPeer(t, "scheduler-1"), dialect: d, t: t, master: "master@" + master.Address,
		info: &mesos.FrameworkInfo{User: new("root"), Name: new(t.Name()), FailoverTimeout: new(3600.0), Checkpoint: new(true)},
	}
}

// startDriver registers a driver.
func startDriver(t testing.TB, master *testbed.Master, d dialect) *driver {
	t.Helper()
	driver := newDriver(t, master, d)
	driver.register(false)
	driver.registered()
	return driver
}

// successor is another instance of the same framework.
func (d *driver) successor() *driver {
	s := *d
	s.Peer = testbed.NewPeer(d.t, "scheduler-2")
	return &s
}

func (d *driver) send(m proto.Message) {
	d.t.Helper()
	d.Send(d.master, string(m.ProtoReflect().Descriptor().FullName()), m)
}

func (d *driver) call(c *v0.Call) {
	d.t.Helper()
	c.FrameworkId = d.id
	d.send(c)
}

// register registers a framework, or registers it again once it has an ID.
func (d *driver) register(failover bool) {
	d.t.Helper()
	d.info.Id = d.id
	switch {
	case d.dialect == calls:
		d.call(&v0.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &v0.Call_Subscribe{FrameworkInfo: d.info, Force: &failover}})
	case d.id == nil:
		d.send(&messages.RegisterFrameworkMessage{Framework: d.info})
	default:
		d.send(&messages.ReregisterFrameworkMessage{Framework: d.info, Failover: &failover})
	}
}

// registered takes the answer. Drivers drop what doesn't come from the leader
// that they detected.
func (d *driver) registered() {
	d.t.Helper()
	var m messages.FrameworkRegisteredMessage
	from := d.Receive(internal+"FrameworkRegisteredMessage", &m).From
	if from != d.master || m.GetMasterInfo().GetPid() != d.master {
		d.t.Errorf("sender %q and pid %q, want %q", from, m.GetMasterInfo().GetPid(), d.master)
	}
	d.id = m.FrameworkId
}

// offer takes offers, of which there must be one; its agent's PID comes along.
func (d *driver) offer() (o *mesos.Offer, agent string) {
	d.t.Helper()
	var m messages.ResourceOffersMessage
	d.Receive(internal+"ResourceOffersMessage", &m)
	if len(m.Offers) != 1 || len(m.Pids) != 1 {
		d.t.Fatalf("%d offers with %d PIDs, want one", len(m.Offers), len(m.Pids))
	}
	return m.Offers[0], m.Pids[0]
}

// launch accepts an offer for tasks; without any it declines.
func (d *driver) launch(o *mesos.Offer, tasks ...*mesos.TaskInfo) {
	d.t.Helper()
	offers, filters := []*mesos.OfferID{o.Id}, &mesos.Filters{RefuseSeconds: new(0.0)}
	switch {
	case d.dialect == old:
		d.send(&messages.LaunchTasksMessage{FrameworkId: d.id, OfferIds: offers, Tasks: tasks, Filters: filters})
	case len(tasks) == 0:
		d.call(&v0.Call{Type: scheduler.Call_DECLINE.Enum(), Decline: &scheduler.Call_Decline{OfferIds: offers, Filters: filters}})
	default:
		d.call(&v0.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{OfferIds: offers, Filters: filters,
			Operations: []*mesos.Offer_Operation{{
				Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks}}}}})
	}
}

func (d *driver) kill(task string) {
	d.t.Helper()
	id := &mesos.TaskID{Value: &task}
	if d.dialect == old {
		d.send(&messages.KillTaskMessage{FrameworkId: d.id, TaskId: id})
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_KILL.Enum(), Kill: &scheduler.Call_Kill{TaskId: id}})
}

func (d *driver) revive() {
	d.t.Helper()
	if d.dialect == old {
		d.send(&messages.ReviveOffersMessage{FrameworkId: d.id})
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_REVIVE.Enum()})
}

// reconcile asks for tasks, or for all.
func (d *driver) reconcile(tasks ...string) {
	d.t.Helper()
	message, call := &messages.ReconcileTasksMessage{FrameworkId: d.id}, &scheduler.Call_Reconcile{}
	for _, task := range tasks {
		id := &mesos.TaskID{Value: &task}
		message.Statuses = append(message.Statuses, &mesos.TaskStatus{TaskId: id, State: mesos.TaskState_TASK_RUNNING.Enum()})
		call.Tasks = append(call.Tasks, &scheduler.Call_Reconcile_Task{TaskId: id})
	}
	if d.dialect == old {
		d.send(message)
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_RECONCILE.Enum(), Reconcile: call})
}

// update takes the next update, which must be of the task and state.
func (d *driver) update(task string, want mesos.TaskState) *messages.StatusUpdateMessage {
	d.t.Helper()
	var m messages.StatusUpdateMessage
	d.Receive(internal+"StatusUpdateMessage", &m)
	s := m.GetUpdate().GetStatus()
	if s.GetTaskId().GetValue() != task || s.GetState() != want {
		d.t.Fatalf("update %v, want %s of %s", s, want, task)
	}
	return &m
}

// acknowledge answers an update of an agent.
func (d *driver) acknowledge(m *messages.StatusUpdateMessage) {
	d.t.Helper()
	u := m.GetUpdate()
	if d.dialect == old {
		d.send(&messages.StatusUpdateAcknowledgementMessage{
			FrameworkId: d.id, SlaveId: u.SlaveId, TaskId: u.GetStatus().TaskId, Uuid: u.Uuid})
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_ACKNOWLEDGE.Enum(), Acknowledge: &scheduler.Call_Acknowledge{
		AgentId: u.SlaveId, TaskId: u.GetStatus().TaskId, Uuid: u.Uuid}})
}

// message says something to an executor.
func (d *driver) message(agent *mesos.AgentID, executor, data string) {
	d.t.Helper()
	id := &mesos.ExecutorID{Value: &executor}
	if d.dialect == old {
		d.send(&messages.FrameworkToExecutorMessage{FrameworkId: d.id, SlaveId: agent, ExecutorId: id, Data: []byte(data)})
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_MESSAGE.Enum(), Message: &scheduler.Call_Message{AgentId: agent, ExecutorId: id, Data: []byte(data)}})
}

// stop ends the framework.
func (d *driver) stop() {
	d.t.Helper()
	if d.dialect == old {
		d.send(&messages.UnregisterFrameworkMessage{FrameworkId: d.id})
		return
	}
	d.call(&v0.Call{Type: scheduler.Call_TEARDOWN.Enum()})
}

// failed takes the error that makes a driver abort.
func (d *driver) failed() string {
	d.t.Helper()
	var m messages.FrameworkErrorMessage
	d.Receive(internal+"FrameworkErrorMessage", &m)
	return m.GetMessage()
}

// task is a task with an executor of its own for the agent of an offer.
func task(o *mesos.Offer, id string) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: o.AgentId,
		Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		Executor: &mesos.ExecutorInfo{
			ExecutorId: &mesos.ExecutorID{Value: new("executor-of-" + id)}, Command: &mesos.CommandInfo{Value: new("run")},
			Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
		},
	}
}

// frameworkState is what /frameworks says of it.
func (d *driver) state(master *testbed.Master) testbed.Value {
	d.t.Helper()
	return master.Get("/frameworks").At("frameworks").Find(d.id.GetValue(), "id")
}
