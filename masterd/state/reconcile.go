package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// reconcile tells a framework where its tasks stand: those it names, or all
// that are known.
func (m *Machine) reconcile(f *framework, tasks []*scheduler.Call_Reconcile_Task) {
	m.stats.Messages[MessageReconcileTasks]++
	if len(tasks) == 0 {
		for t := range f.tasks.all() {
			m.sendEvent(f, updateEvent(m.statusOf(t.info, latestState(t.info))))
		}
		return
	}
	for _, named := range tasks {
		if status := m.answerReconcile(f, named); status != nil {
			m.sendEvent(f, updateEvent(status))
		}
	}
}

// lastSent is the state that a framework was told last. That of the task may
// be ahead, while an update waits for its acknowledgement.
func lastSent(t *mesos.Task) mesos.TaskState {
	if t.StatusUpdateState != nil {
		return *t.StatusUpdateState
	}
	return t.GetState()
}

func latestState(t *mesos.Task) report {
	r := reconciliation(lastSent(t), "Latest task state")
	r.observed = true
	return r
}

func reconciliation(state mesos.TaskState, what string) report {
	return report{
		state:   state,
		reason:  mesos.TaskStatus_REASON_RECONCILIATION.Enum(),
		message: "Reconciliation: " + what,
	}
}

// answerReconcile says where a task stands by what is known of its agent. It
// says nothing as long as an agent that may have it can still come back.
func (m *Machine) answerReconcile(f *framework, named *scheduler.Call_Reconcile_Task) *mesos.TaskStatus {
	if t := m.tasks[TaskKey{f.id, TaskID(named.GetTaskId().GetValue())}]; t != nil {
		return m.statusOf(t.info, latestState(t.info))
	}
	id := AgentID(named.GetAgentId().GetValue())
	hasAgent := named.AgentId != nil
	var r report
	switch {
	case hasAgent && m.former.recovered.get(id) != nil, !hasAgent && len(m.former.recovered.where) > 0:
		return nil
	case hasAgent && m.agents[id] != nil:
		r = reconciliation(f.lostState(mesos.TaskState_TASK_GONE), "Task is unknown to the agent")
	case hasAgent && m.former.unreachable.get(id) != nil:
		r = reconciliation(f.lostState(mesos.TaskState_TASK_UNREACHABLE), "Task is unreachable")
		r.unreachable = since(&m.former.unreachable, id)
	case hasAgent && m.former.gone.get(id) != nil:
		r = reconciliation(f.lostState(mesos.TaskState_TASK_GONE_BY_OPERATOR), "Task is gone")
	default:
		r = reconciliation(f.lostState(mesos.TaskState_TASK_UNKNOWN), "Task is unknown")
	}
	return m.status(named.TaskId, named.AgentId, r)
}
