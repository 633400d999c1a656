package firstlight

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// driver is a native scheduler driver, as frameworks link it in.
type driver struct {
	*testbed.Peer
	t      *testing.T
	master string
	id     *mesos.FrameworkID
}

func (d *driver) send(name string, m proto.Message) { d.Send(d.master, name, m) }

func nativeInfo(name string) *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{User: new("root"), Name: new(name), FailoverTimeout: new(3600.0)}
}

// registered takes the answer to a registration.
func (d *driver) registered() {
	d.t.Helper()
	var m messages.FrameworkRegisteredMessage
	from := d.Receive("mesos.internal.FrameworkRegisteredMessage", &m).From
	d.id = m.GetFrameworkId()
	// Drivers drop messages of anybody but the leader that they detected.
	if from != d.master || m.GetMasterInfo().GetPid() != d.master {
		d.t.Errorf("sender %q and pid %q of the master, want %q", from, m.GetMasterInfo().GetPid(), d.master)
	}
}

func (d *driver) offer() *mesos.Offer {
	d.t.Helper()
	for {
		var m messages.ResourceOffersMessage
		d.Receive("mesos.internal.ResourceOffersMessage", &m)
		if len(m.GetPids()) != len(m.GetOffers()) {
			d.t.Errorf("%d offers with %d pids", len(m.GetOffers()), len(m.GetPids()))
		}
		if len(m.GetOffers()) > 0 {
			return m.GetOffers()[0]
		}
	}
}

// nativeTask is a task of a command.
func nativeTask(offer *mesos.Offer, id, command string) *mesos.TaskInfo {
	scalar := func(name string, value float64) *mesos.Resource {
		return &mesos.Resource{Name: new(name), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(value)}}
	}
	return &mesos.TaskInfo{
		Name: new(id), TaskId: &mesos.TaskID{Value: new(id)}, AgentId: offer.GetAgentId(),
		Command: &mesos.CommandInfo{Value: new(command)}, Resources: []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
	}
}

// follow takes updates and acknowledges them to whom they say.
func (d *driver) follow(task string, states ...mesos.TaskState) {
	d.t.Helper()
	for _, want := range states {
		var m messages.StatusUpdateMessage
		d.Receive("mesos.internal.StatusUpdateMessage", &m)
		status := m.GetUpdate().GetStatus()
		if status.GetTaskId().GetValue() != task || status.GetState() != want {
			d.t.Fatalf("update: got %v, want %v of %s", status, want, task)
		}
		if len(m.GetUpdate().GetUuid()) != 16 || m.GetPid() == "" {
			d.t.Errorf("update without uuid or pid: %v", &m)
		}
		d.acknowledge(&m)
	}
}

func (d *driver) acknowledge(m *messages.StatusUpdateMessage) {
	d.send("mesos.scheduler.Call", &v0.Call{
		Type: scheduler.Call_ACKNOWLEDGE.Enum(), FrameworkId: d.id,
		Acknowledge: &scheduler.Call_Acknowledge{
			AgentId: m.GetUpdate().GetSlaveId(), TaskId: m.GetUpdate().GetStatus().GetTaskId(), Uuid: m.GetUpdate().GetUuid(),
		},
	})
}

var whole = []mesos.TaskState{mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_FINISHED}

// The driver of Mesos 1.x registers and acknowledges by mesos.scheduler.Call, and
// a second driver with the same ID takes over.
func TestNativeDriver(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	d := &driver{Peer: testbed.NewPeer(t, "scheduler-0001"), t: t, master: "master@" + master.Address}
	d.send("mesos.scheduler.Call", &v0.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &v0.Call_Subscribe{FrameworkInfo: nativeInfo("driver")},
	})
	d.registered()
	offer := d.offer()
	if got, want := offer.GetUrl().GetAddress().GetPort(), agent.Port(); got == 0 || want == "" {
		t.Errorf("port of the offer: %d, want %s", got, want)
	}
	d.send("mesos.scheduler.Call", &v0.Call{
		Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: d.id,
		Accept: &scheduler.Call_Accept{
			OfferIds: []*mesos.OfferID{offer.GetId()},
			Operations: []*mesos.Offer_Operation{{Type: mesos.Offer_Operation_LAUNCH.Enum(),
				Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{nativeTask(offer, "native", "true")}}}},
			Filters: &mesos.Filters{RefuseSeconds: new(0.0)},
		},
	})
	d.follow("native", whole...)

	framework := master.Get("/frameworks").At("frameworks").Find(d.id.GetValue(), "id")
	if got := framework.At("pid").Text(); got != d.PID {
		t.Errorf("pid of the framework: got %q, want %q", got, d.PID)
	}

	second := &driver{Peer: testbed.NewPeer(t, "scheduler-0002"), t: t, master: d.master}
	info := nativeInfo("driver")
	info.Id = d.id
	second.send("mesos.scheduler.Call", &v0.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: d.id, Subscribe: &v0.Call_Subscribe{FrameworkInfo: info, Force: new(true)},
	})
	second.registered()
	d.Receive("mesos.internal.FrameworkErrorMessage", &messages.FrameworkErrorMessage{})
	if second.id.GetValue() != d.id.GetValue() {
		t.Errorf("ID after failover: got %v, want %v", second.id, d.id)
	}
	second.offer()
}

// Older drivers have a message for everything. One whose process ends is
// disconnected.
func TestOldDriver(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	d := &driver{Peer: testbed.NewPeer(t, "scheduler(1)"), t: t, master: "master@" + master.Address}
	d.send("mesos.internal.RegisterFrameworkMessage", &messages.RegisterFrameworkMessage{Framework: nativeInfo("old driver")})
	d.registered()
	launch := func(id, command string) {
		t.Helper()
		offer := d.offer()
		d.send("mesos.internal.LaunchTasksMessage", &messages.LaunchTasksMessage{
			FrameworkId: d.id, Tasks: []*mesos.TaskInfo{nativeTask(offer, id, command)},
			Filters: &mesos.Filters{RefuseSeconds: new(0.0)}, OfferIds: []*mesos.OfferID{offer.GetId()},
		})
	}
	launch("old", "true")
	d.follow("old", whole...)

	// A launch without tasks declines.
	offer := d.offer()
	d.send("mesos.internal.LaunchTasksMessage", &messages.LaunchTasksMessage{
		FrameworkId: d.id, Filters: &mesos.Filters{RefuseSeconds: new(0.0)}, OfferIds: []*mesos.OfferID{offer.GetId()},
	})
	sleeper := testbed.NewSleeper()
	launch("killed", sleeper.Command())
	d.follow("killed", mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING)
	d.send("mesos.internal.KillTaskMessage", &messages.KillTaskMessage{FrameworkId: d.id, TaskId: &mesos.TaskID{Value: new("killed")}})
	d.follow("killed", mesos.TaskState_TASK_KILLED)
	sleeper.AwaitEnd(t)

	d.Close()
	testbed.Eventually(t, "the framework is disconnected", func() error {
		framework := master.Get("/frameworks").At("frameworks").Find(d.id.GetValue(), "id")
		if !framework.Exists() || framework.At("connected").True() {
			return errorOf(framework)
		}
		return nil
	})
}
