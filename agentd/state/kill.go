package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func (m *Machine) killTask(msg *messages.KillTaskMessage) {
	task := msg.GetTaskId().GetValue()
	f := m.frameworks[msg.GetFrameworkId().GetValue()]
	if m.phase == Recovering || m.phase == Terminating || f == nil || f.terminating {
		m.warn("kill ignored: the agent or the framework is not running",
			"framework_id", msg.GetFrameworkId().GetValue(), "task_id", task)
		return
	}
	r := f.owners[task]
	if r == nil {
		// Never launched here, or over and acknowledged.
		m.update(m.ownUpdate(f.id, "", task,
			orLost(f.partitionAware(), mesos.TaskState_TASK_DROPPED),
			mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "Cannot find executor"), nil)
		return
	}
	m.kill(r, task, msg.GetKillPolicy())
}

// kill kills a task that is queued or launched.
func (m *Machine) kill(r *run, task string, policy *mesos.KillPolicy) {
	switch {
	case r.phase == Stopping || r.phase == Terminated:
		m.inform("kill ignored: executor is ending", append(fields(r), "task_id", task)...)
	case r.queuedAt(task) >= 0:
		m.killQueued(r, task)
		// An executor that was never given a task would wait for one for ever.
		if r.phase == Active && len(r.queued) == 0 && !r.everSent() {
			m.shutdownRun(r)
		}
	case r.phase == Registering:
		// Recovered: the executor gets the kill when the framework repeats it.
		m.inform("kill ignored: executor has not come back yet", append(fields(r), "task_id", task)...)
	default:
		m.inform("killing task", append(fields(r), "task_id", task)...)
		m.event(r, killEvent(task, policy))
	}
}

// killQueued ends a task that the executor doesn't have, with the rest of its group.
func (m *Machine) killQueued(r *run, task string) {
	group := r.groupOf(task)
	message := "Killed before delivery to the executor"
	if len(group) > 1 {
		message = "A task within the task group was killed before delivery to the executor"
	}
	for _, t := range group {
		m.update(m.ownUpdate(r.framework.id, r.id, t.GetTaskId().GetValue(), mesos.TaskState_TASK_KILLED,
			mesos.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH, message), nil)
	}
}
