package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// kill asks an agent to kill a task. For one that is unknown the framework
// learns where it stands, as if it had asked.
func (m *Machine) kill(f *framework, call *scheduler.Call_Kill) {
	m.stats.Messages[MessageKillTask]++
	t := m.tasks[TaskKey{f.id, TaskID(call.GetTaskId().GetValue())}]
	if t == nil {
		m.reconcile(f, []*scheduler.Call_Reconcile_Task{{TaskId: call.TaskId, AgentId: call.AgentId}})
		return
	}
	if call.AgentId != nil && AgentID(call.AgentId.GetValue()) != t.agent.id {
		m.warn("KILL of a task on another agent than it is on", "framework_id", f.id, "task_id", t.key.Task,
			"agent_id", t.agent.id, "named", call.AgentId.GetValue())
		return
	}
	// Kept for when the agent is, or turns out to have been, out of reach.
	t.killed = true
	if !t.agent.connected {
		return
	}
	m.send(t.agent.pid, &messages.KillTaskMessage{
		FrameworkId: f.protoID, TaskId: call.TaskId, KillPolicy: call.KillPolicy,
	})
}
