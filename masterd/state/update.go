package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// uuidSize is the length of a UUID in bytes.
const uuidSize = 16

// statusUpdate passes an update of an agent on to the framework and takes it
// over. It is not stored until acknowledged: the agent sends it again.
func (m *Machine) statusUpdate(msg *messages.StatusUpdateMessage) {
	m.stats.Messages[MessageStatusUpdate]++
	update := msg.GetUpdate()
	status := update.GetStatus()
	a := m.agents[AgentID(update.GetSlaveId().GetValue())]
	if a == nil || len(update.GetUuid()) != uuidSize {
		m.stats.InvalidStatusUpdates++
		m.warn("a status update of an unknown agent or without a UUID",
			"agent_id", update.GetSlaveId().GetValue(), "task_id", status.GetTaskId().GetValue())
		return
	}
	if !knownState(status.GetState()) {
		m.stats.InvalidStatusUpdates++
		m.warn("a status update with a state that is not known", "agent_id", a.id,
			"task_id", status.GetTaskId().GetValue(), "state", int32(status.GetState()))
		return
	}
	if latest := update.LatestState; latest != nil && !knownState(*latest) {
		update.LatestState = nil
	}
	status = normalize(update)
	key := TaskKey{FrameworkID(update.GetFrameworkId().GetValue()), TaskID(status.GetTaskId().GetValue())}
	m.debug("status update", "framework_id", key.Framework, "task_id", key.Task, "agent_id", a.id, "state", status.GetState().String())
	f := m.frameworks[key.Framework]
	t := m.tasks[key]
	if t != nil && t.agent != a {
		t = nil // the ID was used again, elsewhere
	}
	forwarded := f != nil && f.connected
	if forwarded {
		if t != nil {
			info := m.change(t)
			info.StatusUpdateState, info.StatusUpdateUuid = status.State, status.Uuid
		}
		m.sendEvent(f, updateEvent(status))
	}
	if t != nil {
		m.updateTask(t, status, update.LatestState)
		m.settleAwaited(t, status)
	}
	if t == nil || !forwarded {
		m.stats.InvalidStatusUpdates++
		return
	}
	m.stats.ValidStatusUpdates++
}

// normalize returns the status of an update with what the update says beside
// it. The message is ours, so it is changed in place.
func normalize(u *messages.StatusUpdate) *mesos.TaskStatus {
	s := u.GetStatus()
	s.Uuid = u.Uuid
	s.Timestamp = u.Timestamp
	if u.SlaveId != nil {
		s.AgentId = u.SlaveId
	}
	if u.ExecutorId != nil {
		s.ExecutorId = u.ExecutorId
	}
	return s
}

// acknowledge passes a framework's acknowledgement on to the agent. A terminal
// update that is acknowledged was the last of its task.
func (m *Machine) acknowledge(f *framework, call *scheduler.Call_Acknowledge) {
	m.stats.Messages[MessageStatusUpdateAck]++
	a := m.agents[AgentID(call.GetAgentId().GetValue())]
	if a == nil || !a.connected {
		m.stats.InvalidStatusUpdateAcks++
		m.debug("an acknowledgement for an agent that is not connected",
			"framework_id", f.id, "task_id", call.GetTaskId().GetValue(), "agent_id", call.GetAgentId().GetValue())
		return
	}
	if t := m.tasks[TaskKey{f.id, TaskID(call.GetTaskId().GetValue())}]; t != nil && t.agent == a {
		if t.info.StatusUpdateState == nil {
			// It belongs to an update that an earlier master sent. The agent
			// repeats that, and then it is ours.
			m.stats.InvalidStatusUpdateAcks++
			return
		}
		if terminal(t.info.GetStatusUpdateState()) && string(t.info.GetStatusUpdateUuid()) == string(call.GetUuid()) {
			m.removeTask(t)
		}
	}
	m.send(a.pid, &messages.StatusUpdateAcknowledgementMessage{
		SlaveId:     call.AgentId,
		FrameworkId: f.protoID,
		TaskId:      call.TaskId,
		Uuid:        call.Uuid,
	})
	m.stats.ValidStatusUpdateAcks++
	m.checkDrained(a)
}
