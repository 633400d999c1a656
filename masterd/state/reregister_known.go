package state

import (
	"bytes"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// returnKnown brings an agent up to date that this leader has registered all
// the time: it restarted, or lost its connection.
func (m *Machine) returnKnown(from PID, msg *messages.ReregisterSlaveMessage) {
	info := msg.GetSlave()
	a := m.agents[AgentID(info.GetId().GetValue())]
	if a == nil {
		return // it was marked unreachable meanwhile and tries again
	}
	crossed := a.crossed(msg)
	checkpointed := a.checkpointed.Proto()
	if a.caps.resourceProvider {
		checkpointed = msg.GetCheckpointedResources()
	}
	if err := (&agent{info: info}).computeResources(checkpointed); err != nil {
		m.shutDownAgent(from, err.Error())
		return
	}
	if m.agentsByPID[a.pid] == a {
		delete(m.agentsByPID, a.pid)
	}
	if a.pid != from {
		m.emit(Unlink{PID: a.pid})
	}
	a.pid, a.version, a.info = from, msg.GetVersion(), info
	a.caps = agentCapabilitiesOf(msg.GetAgentCapabilities())
	a.resourceVersion = msg.GetResourceVersionUuid()
	m.agentsByPID[from] = a
	m.emit(Link{PID: from})
	before := a.total
	// What it lends and what its resource providers have it tells of later.
	later := a.total.Filter(func(it resources.Item) bool { return it.IsRevocable() || it.Provider() != nil })
	m.setResources(a, checkpointed)
	a.total = a.total.Add(later)
	if !a.total.Equal(before) {
		m.rescindAll(a) // there may be less than what they hold
	}
	a.reregistered = m.now
	m.touchAgent(a)
	m.stats.AgentReregistrations++
	m.emit(AllocUpdateAgent{Info: a.info, Capabilities: a.caps.types(), Total: a.total.Proto()})
	m.reconcileAgent(a, msg)
	if crossed {
		m.suspect(a)
	} else {
		m.reconnect(a)
	}
	m.sendDrain(a)
	m.info("an agent registered again", "agent_id", a.id, "pid", a.pid, "tasks", len(msg.GetTasks()))
	m.updateAgentFrameworks(a, msg)
	if !a.caps.resourceProvider {
		// Such an agent doesn't tell what it remembers of reservations: we do.
		m.sendCheckpointed(a)
	}
}

// crossed says whether a registration may have been sent before operations arrived
// that are on their way: what it says of reservations would undo them here and not
// there. A new life of the agent's process knows what arrived.
func (a *agent) crossed(msg *messages.ReregisterSlaveMessage) bool {
	if !bytes.Equal(a.resourceVersion.GetValue(), msg.GetResourceVersionUuid().GetValue()) {
		return false
	}
	for o := range a.operations.all() {
		if o.provider == "" && !settled(o.state()) {
			return true
		}
	}
	return false
}

// suspect keeps an agent disconnected and tells it so, behind the answer to its
// registration. It registers once more then, after whatever was sent to it before.
func (m *Machine) suspect(a *agent) {
	m.info("an agent's registration crossed with operations", "agent_id", a.id)
	if a.connected {
		a.connected = false
		m.deactivateAgent(a)
		m.arm(Timer{TimerReregister, string(a.id)}, m.cfg.AgentReregisterTimeout)
	}
	m.emit(SendMessage{
		From: a.observer.process, To: a.pid, Message: &messages.PingSlaveMessage{Connected: new(false)},
	})
}

// reconnect lets an agent be offered again that was disconnected.
func (m *Machine) reconnect(a *agent) {
	if a.connected {
		return
	}
	m.disarm(Timer{TimerReregister, string(a.id)})
	m.cancelRemoval(a.id, removalDisconnected)
	a.connected = true
	if !m.policy.deactivated[a.id] {
		a.active = true
		m.emit(AllocActivateAgent{Agent: a.id})
	}
}

// reconcileAgent settles the differences between what we believe to be on an
// agent and what it says.
func (m *Machine) reconcileAgent(a *agent, msg *messages.ReregisterSlaveMessage) {
	m.recoverFrameworks(msg)
	known := map[TaskKey]bool{}
	for _, t := range msg.GetTasks() {
		known[TaskKey{FrameworkID(t.GetFrameworkId().GetValue()), TaskID(t.GetTaskId().GetValue())}] = true
	}
	m.send(a.pid, &messages.SlaveReregisteredMessage{
		SlaveId:         a.info.GetId(),
		Connection:      m.connection(),
		Reconciliations: m.missingTasks(a, known),
	})
	m.dropMissingExecutors(a, msg, known)
	m.addUnknown(a, msg)
	m.repeatKills(a, msg)
	m.shutDownCompleted(a, msg)
}

// missingTasks asks an agent about tasks that we sent there and that it didn't
// list: the launch was lost, or crossed with the registration. It answers with
// updates.
func (m *Machine) missingTasks(a *agent, known map[TaskKey]bool) []*messages.ReconcileTasksMessage {
	var order []*messages.ReconcileTasksMessage
	byFramework := map[FrameworkID]*messages.ReconcileTasksMessage{}
	for t := range a.tasks.all() {
		if known[t.key] {
			continue
		}
		r := byFramework[t.framework.id]
		if r == nil {
			r = &messages.ReconcileTasksMessage{FrameworkId: t.framework.protoID, Framework: t.framework.info}
			byFramework[t.framework.id] = r
			order = append(order, r)
		}
		r.Statuses = append(r.Statuses, m.statusOf(t.info, report{
			state:   lastSent(t.info),
			reason:  mesos.TaskStatus_REASON_RECONCILIATION.Enum(),
			message: "Reconciliation request",
		}))
	}
	return order
}

// dropMissingExecutors forgets executors that the agent doesn't list. One with a
// task that isn't listed either may have been started with it since the agent
// wrote its list: what the agent says of the task decides.
func (m *Machine) dropMissingExecutors(a *agent, msg *messages.ReregisterSlaveMessage, known map[TaskKey]bool) {
	listed := map[ExecutorKey]bool{}
	for _, e := range msg.GetExecutorInfos() {
		listed[ExecutorKey{
			a.id, FrameworkID(e.GetFrameworkId().GetValue()), ExecutorID(e.GetExecutorId().GetValue()),
		}] = true
	}
	awaited := a.executorsInUse(known)
	for e := range a.executors.all() {
		e.awaited = !listed[e.key] && awaited[e.key]
		if !listed[e.key] && !e.awaited {
			m.removeExecutor(e)
		}
	}
}

// executorsInUse are those of the tasks on an agent that have not ended, some
// tasks left out.
func (a *agent) executorsInUse(but map[TaskKey]bool) map[ExecutorKey]bool {
	used := map[ExecutorKey]bool{}
	for t := range a.tasks.all() {
		if t.info.ExecutorId != nil && !terminal(t.info.GetState()) && !but[t.key] {
			used[t.executorKey()] = true
		}
	}
	return used
}

func (t *task) executorKey() ExecutorKey {
	return ExecutorKey{t.agent.id, t.framework.id, ExecutorID(t.info.GetExecutorId().GetValue())}
}

// settleAwaited decides about an executor that an agent did not list, by what
// the agent says of a task that it was to be started for: if that never ran,
// the executor isn't there.
func (m *Machine) settleAwaited(t *task, status *mesos.TaskStatus) {
	e := m.executors[t.executorKey()]
	if e == nil || !e.awaited {
		return
	}
	switch status.GetState() {
	case mesos.TaskState_TASK_DROPPED, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_GONE:
		if !t.agent.executorsInUse(nil)[e.key] {
			m.removeExecutor(e)
		}
	default:
		e.awaited = false
	}
}

// addUnknown takes in what runs on an agent without our knowing. A framework
// without checkpointing may have been written off with its connection, and the
// agent never lost it.
func (m *Machine) addUnknown(a *agent, msg *messages.ReregisterSlaveMessage) {
	for _, e := range msg.GetExecutorInfos() {
		id := FrameworkID(e.GetFrameworkId().GetValue())
		key := ExecutorKey{a.id, id, ExecutorID(e.GetExecutorId().GetValue())}
		if m.executors[key] == nil {
			used := resources.Of(e.GetResources()...)
			m.addExecutor(id, e, used, a)
			m.emit(AllocTrack{Framework: id, Agent: a.id, Resources: used.Copied()})
		}
	}
	for _, info := range msg.GetTasks() {
		f := m.frameworks[FrameworkID(info.GetFrameworkId().GetValue())]
		if f == nil || m.tasks[TaskKey{f.id, TaskID(info.GetTaskId().GetValue())}] != nil {
			continue
		}
		if released(info.GetState()) {
			continue // its updates are all there is to it
		}
		used := resources.Of(info.GetResources()...)
		t := m.addTask(info, used, f, a)
		m.emit(AllocTrack{Framework: f.id, Agent: a.id, Resources: used.Copied()})
		m.uncomplete(t)
		m.tellReturn(t, false)
	}
}

// repeatKills tells an agent again to kill what it should have killed.
func (m *Machine) repeatKills(a *agent, msg *messages.ReregisterSlaveMessage) {
	for _, info := range msg.GetTasks() {
		t := m.tasks[TaskKey{FrameworkID(info.GetFrameworkId().GetValue()), TaskID(info.GetTaskId().GetValue())}]
		if t != nil && t.agent == a && t.killed && !terminal(info.GetState()) {
			m.send(a.pid, &messages.KillTaskMessage{FrameworkId: t.framework.protoID, TaskId: info.TaskId})
		}
	}
}
