package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// reregisterTimeout marks an agent unreachable that lost its connection and
// did not register again.
func (m *Machine) reregisterTimeout(id AgentID) {
	a := m.agents[id]
	if a == nil || a.connected {
		return
	}
	m.scheduleRemoval(removal{agent: id, cause: removalDisconnected, info: a.info})
}

// markUnreachable writes an agent off until it comes back: one that is
// registered, or one that only the registry knows. It is not on the move.
func (m *Machine) markUnreachable(info *mesos.AgentInfo, cause string) {
	id := AgentID(info.GetId().GetValue())
	move := m.former.moving(id)
	move.unreachable = true
	when := m.timeInfo()
	m.warn("marking an agent unreachable", "agent_id", id, "hostname", info.GetHostname(), "cause", cause)
	m.persist(func(results []op.Result) {
		move.unreachable = false
		m.former.settle(id)
		if err := results[0].Err; err != nil {
			m.warn("the registry refused to mark an agent unreachable", "agent_id", id, "error", err.Error())
			return
		}
		m.markedUnreachable(info, when, cause)
	}, op.MarkUnreachable{ID: info.GetId(), Since: when})
}

func (m *Machine) markedUnreachable(info *mesos.AgentInfo, when *mesos.TimeInfo, cause string) {
	id := AgentID(info.GetId().GetValue())
	m.stats.UnreachableCompleted++
	m.stats.AgentRemovals++
	m.stats.RemovalsUnhealthy++
	m.former.unreachable.put(id, &FormerAgent{
		ID: id, Since: timeOf(when), Drain: m.policy.draining[id], Deactivated: m.policy.deactivated[id],
	})
	if a := m.agents[id]; a != nil {
		m.parkTasks(a, when, cause)
		return
	}
	m.former.recovered.drop(id)
	m.stats.RecoveryAgentRemovals++
	m.tellLost(info.GetId())
}

// parkTasks removes an unreachable agent and keeps its tasks for the day it
// comes back. Frameworks that are not partition-aware are told that they are
// lost.
func (m *Machine) parkTasks(a *agent, when *mesos.TimeInfo, cause string) {
	m.stopAllocating(a)
	m.leaveOperations(a, mesos.OperationState_OPERATION_UNREACHABLE, "Agent was marked unreachable")
	for t := range a.tasks.all() {
		m.leaveTask(t, report{
			state:       t.framework.lostState(mesos.TaskState_TASK_UNREACHABLE),
			reason:      mesos.TaskStatus_REASON_AGENT_REMOVED.Enum(),
			message:     cause,
			unreachable: when,
		}, true)
	}
	m.dropAgent(a)
}

// leaveTask takes a task off an agent that is removed, to the unreachable or
// to the completed tasks, and tells its framework.
func (m *Machine) leaveTask(t *task, r report, unreachable bool) {
	status := m.statusOf(t.info, r)
	m.updateTask(t, status, nil)
	if unreachable {
		m.parkTask(t)
	} else {
		m.removeTask(t)
	}
	m.sendEvent(t.framework, updateEvent(status))
}

// parkTask moves a task to the unreachable ones.
func (m *Machine) parkTask(t *task) {
	m.unlist(t)
	f, agentID := t.framework, t.agent.id
	if m.cfg.MaxUnreachableTasksPerFramework == 0 {
		return
	}
	if old := f.unreachable[t.key.Task]; old != nil {
		m.dropUnreachable(old)
	}
	u := &unreachableTask{key: t.key, info: t.info, framework: f, agent: agentID}
	onAgent := m.former.tasks[agentID]
	if onAgent == nil {
		onAgent = &list[unreachableTask]{}
		m.former.tasks[agentID] = onAgent
	}
	f.unreachable[t.key.Task] = u
	u.inFramework, u.onAgent = f.unreachableList.add(u), onAgent.add(u)
	m.published.unreachableTasks.put(u.key, u.info)
	if f.unreachableList.length > m.cfg.MaxUnreachableTasksPerFramework {
		m.dropUnreachable(f.unreachableList.head.value)
	}
}

// dropUnreachable forgets an unreachable task.
func (m *Machine) dropUnreachable(u *unreachableTask) {
	delete(u.framework.unreachable, u.key.Task)
	u.framework.unreachableList.remove(u.inFramework)
	if onAgent := m.former.tasks[u.agent]; onAgent != nil {
		onAgent.remove(u.onAgent)
		if onAgent.length == 0 {
			delete(m.former.tasks, u.agent)
		}
	}
	m.published.unreachableTasks.drop(u.key)
	if state := u.info.GetState(); !terminal(state) {
		u.framework.stats.ActiveTasks[state]--
		m.touchFramework(u.framework)
	}
}

// resolveUnreachable takes the tasks of an agent that came back off the
// unreachable ones. Those that it doesn't list never got there, or are long
// gone: their frameworks learn that when they ask, and the record says it.
func (m *Machine) resolveUnreachable(id AgentID, back []*mesos.Task) {
	tasks := m.former.tasks[id]
	if tasks == nil {
		return
	}
	listed := make(map[TaskKey]bool, len(back))
	for _, t := range back {
		listed[TaskKey{FrameworkID(t.GetFrameworkId().GetValue()), TaskID(t.GetTaskId().GetValue())}] = true
	}
	for u := range tasks.all() {
		if listed[u.key] {
			m.dropUnreachable(u)
			continue
		}
		m.endUnreachable(u, m.statusOf(u.info, reconciliation(
			u.framework.lostState(mesos.TaskState_TASK_GONE), "Task is unknown to the agent")))
	}
}

// forgetUnreachable forgets the tasks and operations of an unreachable agent.
func (m *Machine) forgetUnreachable(id AgentID) {
	m.recountOperations(id)
	if tasks := m.former.tasks[id]; tasks != nil {
		for u := range tasks.all() {
			m.dropUnreachable(u)
		}
	}
}

// endUnreachable moves an unreachable task to the completed ones with a final
// status.
func (m *Machine) endUnreachable(u *unreachableTask, status *mesos.TaskStatus) {
	m.dropUnreachable(u)
	info := copyTask(u.info)
	if !terminal(info.GetState()) {
		u.framework.stats.TerminalTasks[status.GetState()]++
		info.State = status.State
	}
	if n := len(info.Statuses); n > 0 && info.Statuses[n-1].GetState() == status.GetState() {
		info.Statuses = info.Statuses[:n-1] // clients take the last of a state
	}
	info.Statuses = append(info.Statuses, status)
	m.completeTask(u.framework, info)
	m.touchFramework(u.framework)
}
