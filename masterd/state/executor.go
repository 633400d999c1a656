package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// executor is an executor that was started for a framework. Those that an
// agent starts on its own for command tasks are not known to the master.
type executor struct {
	key       ExecutorKey
	info      *mesos.ExecutorInfo
	framework *framework // nil if it is completed: the executor is on its way out
	agent     *agent
	resources resources.Resources
	// awaited says that its agent did not list it, and a task for it may be on
	// its way there.
	awaited bool

	inFramework, onAgent *node[executor]
}

// addExecutor adds an executor and counts its resources as in use. The
// allocator is told by the caller.
func (m *Machine) addExecutor(id FrameworkID, info *mesos.ExecutorInfo, used resources.Resources, a *agent) *executor {
	e := &executor{
		key:       ExecutorKey{a.id, id, ExecutorID(info.GetExecutorId().GetValue())},
		info:      info,
		framework: m.frameworks[id],
		agent:     a,
		resources: used,
	}
	m.executors[e.key] = e
	e.onAgent = a.executors.add(e)
	if e.framework != nil {
		e.inFramework = e.framework.executors.add(e)
	}
	m.use(e.framework, a, used)
	m.published.executorTable.put(e.key, &Executor{Agent: a.id, Framework: id, Info: info})
	return e
}

// removeExecutor gives the resources of an executor back.
func (m *Machine) removeExecutor(e *executor) {
	delete(m.executors, e.key)
	e.agent.executors.remove(e.onAgent)
	if e.framework != nil {
		e.framework.executors.remove(e.inFramework)
	}
	m.unuse(e.framework, e.agent, e.resources)
	m.recoverResources(e.key.Framework, e.agent, e.resources, nil)
	m.published.executorTable.drop(e.key)
}

// executorExited takes note of the end of an executor and tells its framework.
// What becomes of its tasks is in updates of the agent.
func (m *Machine) executorExited(msg *messages.ExitedExecutorMessage) {
	m.stats.Messages[MessageExitedExecutor]++
	key := ExecutorKey{
		AgentID(msg.GetSlaveId().GetValue()),
		FrameworkID(msg.GetFrameworkId().GetValue()),
		ExecutorID(msg.GetExecutorId().GetValue()),
	}
	e := m.executors[key]
	if e == nil {
		m.debug("an unknown executor exited", "agent_id", key.Agent, "framework_id", key.Framework, "executor_id", key.Executor)
		return
	}
	m.info("an executor exited", "agent_id", key.Agent, "framework_id", key.Framework, "executor_id", key.Executor,
		"status", msg.GetStatus())
	m.removeExecutor(e)
	if e.framework != nil {
		m.sendEvent(e.framework, &scheduler.Event{
			Type: scheduler.Event_FAILURE.Enum(),
			Failure: &scheduler.Event_Failure{
				AgentId: msg.SlaveId, ExecutorId: msg.ExecutorId, Status: msg.Status,
			},
		})
	}
}

// executorMessage passes on what an executor says to its scheduler.
func (m *Machine) executorMessage(msg *messages.ExecutorToFrameworkMessage) {
	m.stats.Messages[MessageExecutorToFramework]++
	a := m.agents[AgentID(msg.GetSlaveId().GetValue())]
	f := m.frameworks[FrameworkID(msg.GetFrameworkId().GetValue())]
	if a == nil || f == nil || !f.connected {
		m.stats.InvalidExecutorToFramework++
		return
	}
	m.sendEvent(f, &scheduler.Event{
		Type: scheduler.Event_MESSAGE.Enum(),
		Message: &scheduler.Event_Message{
			AgentId: msg.SlaveId, ExecutorId: msg.ExecutorId, Data: msg.Data,
		},
	})
	m.stats.ValidExecutorToFramework++
}

// messageExecutor passes on what a scheduler says to an executor.
func (m *Machine) messageExecutor(f *framework, call *scheduler.Call_Message) {
	m.stats.Messages[MessageFrameworkToExecutor]++
	a := m.agents[AgentID(call.GetAgentId().GetValue())]
	if a == nil || !a.connected {
		m.stats.InvalidFrameworkToExecutor++
		return
	}
	m.send(a.pid, &messages.FrameworkToExecutorMessage{
		SlaveId: call.AgentId, FrameworkId: f.protoID, ExecutorId: call.ExecutorId, Data: call.Data,
	})
	m.stats.ValidFrameworkToExecutor++
}

// shutdownExecutor asks an agent to end an executor.
func (m *Machine) shutdownExecutor(f *framework, call *scheduler.Call_Shutdown) {
	a := m.agents[AgentID(call.GetAgentId().GetValue())]
	if a == nil {
		m.warn("SHUTDOWN of an executor on an unknown agent", "framework_id", f.id,
			"executor_id", call.GetExecutorId().GetValue(), "agent_id", call.GetAgentId().GetValue())
		return
	}
	m.send(a.pid, &messages.ShutdownExecutorMessage{ExecutorId: call.ExecutorId, FrameworkId: f.protoID})
}
