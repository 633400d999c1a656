package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// report is what the master itself has to say about a task. Such updates carry
// no UUID: nobody acknowledges them.
type report struct {
	state   mesos.TaskState
	reason  *mesos.TaskStatus_Reason
	message string
	// unreachable is since when the task's agent is.
	unreachable *mesos.TimeInfo
	// observed adds what the last update of the task said about its health,
	// checks and container.
	observed bool
}

// statusOf makes a status of a report about a known task.
func (m *Machine) statusOf(t *mesos.Task, r report) *mesos.TaskStatus {
	s := m.status(t.GetTaskId(), t.GetAgentId(), r)
	s.ExecutorId = t.ExecutorId
	if !r.observed || len(t.Statuses) == 0 {
		return s
	}
	last := t.Statuses[len(t.Statuses)-1]
	s.Healthy, s.CheckStatus = last.Healthy, last.CheckStatus
	for i := len(t.Statuses) - 1; i >= 0 && s.ContainerStatus == nil; i-- {
		s.ContainerStatus = t.Statuses[i].ContainerStatus
	}
	return s
}

// status makes a status of a report about a task that may not exist. The agent
// may be nil.
func (m *Machine) status(id *mesos.TaskID, agent *mesos.AgentID, r report) *mesos.TaskStatus {
	return &mesos.TaskStatus{
		TaskId:          id,
		AgentId:         agent,
		State:           r.state.Enum(),
		Source:          mesos.TaskStatus_SOURCE_MASTER.Enum(),
		Reason:          r.reason,
		Message:         &r.message,
		Timestamp:       new(m.seconds()),
		UnreachableTime: r.unreachable,
	}
}

// seconds is the time as Mesos has it in doubles.
func (m *Machine) seconds() float64 { return float64(m.now.UnixNano()) / 1e9 }

// timeInfo is the time as Mesos has it in nanoseconds.
func (m *Machine) timeInfo() *mesos.TimeInfo {
	return &mesos.TimeInfo{Nanoseconds: new(m.now.UnixNano())}
}

// copyStatus is a shallow copy.
func copyStatus(s *mesos.TaskStatus) *mesos.TaskStatus {
	return &mesos.TaskStatus{
		TaskId:          s.TaskId,
		State:           s.State,
		Data:            s.Data,
		Message:         s.Message,
		AgentId:         s.AgentId,
		Timestamp:       s.Timestamp,
		ExecutorId:      s.ExecutorId,
		Healthy:         s.Healthy,
		Source:          s.Source,
		Reason:          s.Reason,
		Uuid:            s.Uuid,
		Labels:          s.Labels,
		ContainerStatus: s.ContainerStatus,
		UnreachableTime: s.UnreachableTime,
		CheckStatus:     s.CheckStatus,
		Limitation:      s.Limitation,
	}
}
