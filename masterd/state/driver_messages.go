package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// The messages that drivers sent before there was mesos.scheduler.Call, and
// that many send still.

func (m *Machine) driverRegister(in PeerMessage, msg *messages.RegisterFrameworkMessage) {
	if msg.GetFramework().GetId().GetValue() != "" {
		m.send(in.From, frameworkError("A framework that registers has no ID yet"))
		return
	}
	m.subscribe(subscription{
		conn: Connection{PID: in.From}, principal: in.Principal, info: msg.GetFramework(),
	}, nil)
}

func (m *Machine) driverReregister(in PeerMessage, msg *messages.ReregisterFrameworkMessage) {
	if msg.GetFramework().GetId().GetValue() == "" {
		m.send(in.From, frameworkError("A framework that registers again needs its ID"))
		return
	}
	m.subscribe(subscription{
		conn: Connection{PID: in.From}, principal: in.Principal, info: msg.GetFramework(), force: msg.GetFailover(),
	}, nil)
}

func (m *Machine) driverUnregister(in PeerMessage, msg *messages.UnregisterFrameworkMessage) {
	if f := m.driver(in, msg.GetFrameworkId()); f != nil {
		m.stats.Messages[MessageUnregisterFramework]++
		m.removeFramework(f)
	}
}

// driverDeactivate lets a driver that was aborted get no more offers.
func (m *Machine) driverDeactivate(in PeerMessage, msg *messages.DeactivateFrameworkMessage) {
	m.stats.Messages[MessageDeactivateFramework]++
	if f := m.driver(in, msg.GetFrameworkId()); f != nil && f.connected && f.active {
		m.deactivate(f, true)
	}
}

func (m *Machine) driverRequest(in PeerMessage, msg *messages.ResourceRequestMessage) {
	if f := m.driver(in, msg.GetFrameworkId()); f != nil {
		m.stats.Messages[MessageResourceRequest]++
		m.emit(AllocRequest{Framework: f.id, Requests: msg.GetRequests()})
	}
}

// driverLaunch accepts offers; without tasks it declines them.
func (m *Machine) driverLaunch(in PeerMessage, msg *messages.LaunchTasksMessage) {
	f := m.driver(in, msg.GetFrameworkId())
	if f == nil {
		return
	}
	if len(msg.GetTasks()) == 0 {
		m.decline(f, msg.GetOfferIds(), msg.GetFilters())
		return
	}
	m.accept(f, &scheduler.Call_Accept{
		OfferIds: msg.OfferIds,
		Filters:  msg.Filters,
		Operations: []*mesos.Offer_Operation{{
			Type:   mesos.Offer_Operation_LAUNCH.Enum(),
			Launch: &mesos.Offer_Operation_Launch{TaskInfos: msg.Tasks},
		}},
	})
}

func (m *Machine) driverRevive(in PeerMessage, msg *messages.ReviveOffersMessage) {
	if f := m.driver(in, msg.GetFrameworkId()); f != nil {
		m.revive(f, msg.GetRoles())
	}
}

func (m *Machine) driverKill(in PeerMessage, msg *messages.KillTaskMessage) {
	if f := m.driver(in, msg.GetFrameworkId()); f != nil {
		m.kill(f, &scheduler.Call_Kill{TaskId: msg.TaskId})
	}
}

func (m *Machine) driverAcknowledge(in PeerMessage, msg *messages.StatusUpdateAcknowledgementMessage) {
	f := m.driver(in, msg.GetFrameworkId())
	if f == nil || len(msg.GetUuid()) != uuidSize {
		m.stats.InvalidStatusUpdateAcks++
		return
	}
	m.acknowledge(f, &scheduler.Call_Acknowledge{AgentId: msg.SlaveId, TaskId: msg.TaskId, Uuid: msg.Uuid})
}

func (m *Machine) driverMessage(in PeerMessage, msg *messages.FrameworkToExecutorMessage) {
	f := m.driver(in, msg.GetFrameworkId())
	if f == nil {
		m.stats.InvalidFrameworkToExecutor++
		return
	}
	m.messageExecutor(f, &scheduler.Call_Message{AgentId: msg.SlaveId, ExecutorId: msg.ExecutorId, Data: msg.Data})
}

func (m *Machine) driverReconcile(in PeerMessage, msg *messages.ReconcileTasksMessage) {
	f := m.driver(in, msg.GetFrameworkId())
	if f == nil {
		return
	}
	tasks := make([]*scheduler.Call_Reconcile_Task, 0, len(msg.GetStatuses()))
	for _, s := range msg.GetStatuses() {
		tasks = append(tasks, &scheduler.Call_Reconcile_Task{TaskId: s.TaskId, AgentId: s.AgentId})
	}
	m.reconcile(f, tasks)
}
