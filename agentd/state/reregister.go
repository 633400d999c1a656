package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// reregistration tells a master everything that runs here.
func (m *Machine) reregistration() *messages.ReregisterSlaveMessage {
	msg := &messages.ReregisterSlaveMessage{
		Slave:                 checkpointing(m.info),
		Version:               &m.cfg.Version,
		CheckpointedResources: m.checkpointed(),
		AgentCapabilities:     m.cfg.Capabilities,
		ResourceVersionUuid:   m.versionUUID(),
	}
	for _, f := range sorted(m.frameworks) {
		msg.Frameworks = append(msg.Frameworks, f.info)
		for _, r := range sorted(f.runs) {
			msg.Tasks = append(msg.Tasks, tasksOf(r)...)
			if !r.generated && r.phase != Terminated {
				msg.ExecutorInfos = append(msg.ExecutorInfos, r.info)
			}
		}
	}
	for _, f := range m.completed {
		archive := &messages.Archive_Framework{FrameworkInfo: f.info}
		if f.pid != "" {
			archive.Pid = &f.pid
		}
		for _, e := range f.completed {
			archive.Tasks = appendEnded(archive.Tasks, e.Terminated)
			archive.Tasks = appendEnded(archive.Tasks, e.Completed)
		}
		msg.CompletedFrameworks = append(msg.CompletedFrameworks, archive)
	}
	return msg
}

// appendEnded appends the tasks that ended. Those that the end of their framework
// cut off are no news for a master: it ended them itself.
func appendEnded(to, tasks []*mesos.Task) []*mesos.Task {
	for _, t := range tasks {
		if isTerminal(t.GetState()) {
			to = append(to, t)
		}
	}
	return to
}

// tasksOf lists the tasks that a master has to know of.
func tasksOf(r *run) []*mesos.Task {
	var out []*mesos.Task
	for _, t := range sorted(r.launched) {
		out = append(out, t)
	}
	for _, t := range sorted(r.terminated) {
		out = append(out, t)
	}
	for _, q := range r.queued {
		out = append(out, newTask(r.framework, q.info, mesos.TaskState_TASK_STAGING))
	}
	return out
}

// reconcile ends tasks that the master believes to be here.
func (m *Machine) reconcile(msg *messages.ReconcileTasksMessage) {
	f := m.frameworks[msg.GetFrameworkId().GetValue()]
	aware := hasCapability(msg.GetFramework(), mesos.FrameworkInfo_Capability_PARTITION_AWARE)
	for _, s := range msg.GetStatuses() {
		task := s.GetTaskId().GetValue()
		if f != nil && f.owners[task] != nil {
			continue // its updates tell the master what it is
		}
		m.record(nil, m.ownUpdate(msg.GetFrameworkId().GetValue(), "", task,
			orLost(aware, mesos.TaskState_TASK_DROPPED), mesos.TaskStatus_REASON_RECONCILIATION,
			"Reconciliation: task unknown to the agent"))
	}
}
