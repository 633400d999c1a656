package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// goneText is what a gone agent, and the frameworks that had tasks there, are
// told.
const goneText = "Agent has been marked gone"

// reregisterAgent takes back an agent that has an ID: it restarted, lost its
// connection, was unreachable, or comes from another leader.
func (m *Machine) reregisterAgent(in PeerMessage, msg *messages.ReregisterSlaveMessage) {
	m.stats.Messages[MessageReregisterAgent]++
	info := msg.GetSlave()
	id := AgentID(info.GetId().GetValue())
	if m.former.moves[id] != nil {
		m.debug("an agent that is on the move registered again", "agent_id", id)
		return // it tries again
	}
	if m.former.gone.get(id) != nil {
		m.shutDownAgent(in.From, goneText)
		return
	}
	err := m.checkNewcomer(in, info, msg.GetVersion())
	if err == nil {
		err = checkReregistration(msg)
	}
	if err != nil {
		m.warn("ignoring a reregistration", "agent_id", id, "from", in.From, "reason", err.Error())
		return
	}
	if m.policy.isDown(machineOf(info, in.From)) {
		m.shutDownAgent(in.From, "The machine is down for maintenance")
		return
	}
	switch a := m.agents[id]; {
	case a != nil && machineOf(a.info, a.pid) != machineOf(info, in.From):
		m.shutDownAgent(in.From, "An agent must keep its IP address and hostname")
	case a != nil:
		m.writeReturn(id, a.info, op.UpdateAgent{Info: info}, info, func() { m.returnKnown(in.From, msg) })
	case m.former.recovered.get(id) != nil:
		m.writeReturn(id, m.former.recovered.get(id), op.UpdateAgent{Info: info}, info, func() { m.returnAgent(in.From, msg, true) })
	default:
		m.writeReturn(id, nil, op.MarkReachable{Info: info}, info, func() { m.returnAgent(in.From, msg, false) })
	}
}

// writeReturn writes what changed of an agent to the registry, if anything
// did, and goes on.
func (m *Machine) writeReturn(id AgentID, known *mesos.AgentInfo, o op.Operation, info *mesos.AgentInfo, then func()) {
	if known != nil && proto.Equal(known, info) {
		then()
		return
	}
	move := m.former.moving(id)
	move.reregistering = true
	m.persist(func(results []op.Result) {
		move.reregistering = false
		m.former.settle(id)
		switch err := results[0].Err; {
		case m.former.gone.get(id) != nil || move.gone:
			// An operator was faster. The next attempt is told so.
		case err != nil:
			m.warn("the registry refused an agent that came back", "agent_id", id, "error", err.Error())
		default:
			then()
		}
	}, o)
}

// returnAgent adds an agent that this leader has not registered: it comes from
// another leader (recovered), or was unreachable.
func (m *Machine) returnAgent(from PID, msg *messages.ReregisterSlaveMessage, recovered bool) {
	info := msg.GetSlave()
	if old := m.agentsByPID[from]; old != nil {
		delete(m.agentsByPID, from)
	}
	a := &agent{
		id:              AgentID(info.GetId().GetValue()),
		info:            info,
		pid:             from,
		version:         msg.GetVersion(),
		caps:            agentCapabilitiesOf(msg.GetAgentCapabilities()),
		registered:      m.now,
		reregistered:    m.now,
		resourceVersion: msg.GetResourceVersionUuid(),
	}
	m.setResources(a, msg.GetCheckpointedResources())
	injectAllocations(a.caps, msg)
	wasUnreachable := m.former.unreachable.get(a.id) != nil
	m.resolveUnreachable(a.id, msg.GetTasks())
	m.former.unreachable.drop(a.id)
	m.former.recovered.drop(a.id)
	m.cancelRemoval(a.id, removalRecovery)
	m.stats.AgentReregistrations++
	m.addAgent(a)
	m.recoverFrameworks(msg)
	for _, e := range msg.GetExecutorInfos() {
		m.addExecutor(FrameworkID(e.GetFrameworkId().GetValue()), e, resources.Of(e.GetResources()...), a)
	}
	m.returnTasks(a, msg, recovered, wasUnreachable)
	m.recallCompleted(msg)
	m.announceAgent(a)
	m.sendDrain(a)
	m.send(a.pid, &messages.SlaveReregisteredMessage{SlaveId: info.GetId(), Connection: m.connection()})
	m.info("an agent came back", "agent_id", a.id, "hostname", info.GetHostname(), "pid", a.pid,
		"tasks", len(msg.GetTasks()), "unreachable", wasUnreachable)
	m.shutDownCompleted(a, msg)
	m.updateAgentFrameworks(a, msg)
}

// recoverFrameworks adds the frameworks that only the agent knows.
func (m *Machine) recoverFrameworks(msg *messages.ReregisterSlaveMessage) {
	for _, info := range msg.GetFrameworks() {
		id := FrameworkID(info.GetId().GetValue())
		if m.frameworks[id] == nil && !m.completed.has(id) {
			m.recoverFramework(info)
		}
	}
}

// returnTasks adds the tasks of an agent that came back, but for those of
// frameworks that ended: these are shut down.
func (m *Machine) returnTasks(a *agent, msg *messages.ReregisterSlaveMessage, recovered, wasUnreachable bool) {
	for _, info := range msg.GetTasks() {
		f := m.frameworks[FrameworkID(info.GetFrameworkId().GetValue())]
		if f == nil {
			continue
		}
		if old := m.tasks[TaskKey{f.id, TaskID(info.GetTaskId().GetValue())}]; old != nil {
			m.warn("an agent came back with a task whose ID is in use", "agent_id", a.id,
				"framework_id", f.id, "task_id", info.GetTaskId().GetValue(), "usedOn", old.agent.id)
			continue
		}
		if info.GetState() == mesos.TaskState_TASK_UNREACHABLE {
			continue // no agent says so of its own
		}
		t := m.addTask(info, resources.Of(info.GetResources()...), f, a)
		if !recovered {
			m.uncomplete(t)
			m.tellReturn(t, wasUnreachable)
		}
	}
}

// tellReturn tells a framework that a task it may have given up is there.
func (m *Machine) tellReturn(t *task, wasUnreachable bool) {
	message := "The agent came back"
	if wasUnreachable {
		message = "The agent is reachable again"
	}
	m.sendEvent(t.framework, updateEvent(m.statusOf(t.info, report{
		state:    t.info.GetState(),
		reason:   mesos.TaskStatus_REASON_AGENT_REREGISTERED.Enum(),
		message:  message,
		observed: true,
	})))
}

// recallCompleted remembers the completed tasks that an agent remembers, for
// frameworks that are known.
func (m *Machine) recallCompleted(msg *messages.ReregisterSlaveMessage) {
	for _, archived := range msg.GetCompletedFrameworks() {
		f := m.frameworks[FrameworkID(archived.GetFrameworkInfo().GetId().GetValue())]
		if f == nil {
			continue
		}
		for _, t := range archived.GetTasks() {
			// An agent that was shut down does not wait for the end of what it
			// ran, and is no witness of it.
			if terminal(t.GetState()) {
				m.completeTask(f, t)
			}
		}
	}
}

// shutDownCompleted ends frameworks on an agent that ended while it was away.
func (m *Machine) shutDownCompleted(a *agent, msg *messages.ReregisterSlaveMessage) {
	for _, info := range msg.GetFrameworks() {
		if f := m.completed.byID[FrameworkID(info.GetId().GetValue())]; f != nil {
			m.send(a.pid, shutdownFramework(f))
		}
	}
}

// updateAgentFrameworks tells an agent what is new of its frameworks. It
// resends their unacknowledged updates then.
func (m *Machine) updateAgentFrameworks(a *agent, msg *messages.ReregisterSlaveMessage) {
	for _, info := range msg.GetFrameworks() {
		if f := m.frameworks[FrameworkID(info.GetId().GetValue())]; f != nil {
			m.send(a.pid, updateFrameworkMessage(f))
		}
	}
}

// injectAllocations fills in the roles that the tasks and executors of an
// agent without MULTI_ROLE are allocated to: their frameworks have one each.
func injectAllocations(caps agentCapabilities, msg *messages.ReregisterSlaveMessage) {
	if caps.multiRole {
		return
	}
	roles := map[string]string{}
	for _, f := range msg.GetFrameworks() {
		if r := rolesOf(f); len(r) == 1 {
			roles[f.GetId().GetValue()] = r[0]
		}
	}
	for _, t := range msg.GetTasks() {
		allocate(t.GetResources(), roles[t.GetFrameworkId().GetValue()])
	}
	for _, e := range msg.GetExecutorInfos() {
		allocate(e.GetResources(), roles[e.GetFrameworkId().GetValue()])
	}
}
