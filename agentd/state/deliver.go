package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// queue gives the tasks to the executor, or keeps them until it subscribes.
func (m *Machine) queue(l *launch, r *run) {
	for _, t := range l.tasks {
		m.dropLeftovers(taskKey{r.framework.id, t.GetTaskId().GetValue()})
		if r.checkpoint && len(r.completed) > 0 {
			m.do(TaskReused{AgentID: m.agentID(), FrameworkID: r.framework.id, ExecutorID: r.id, Container: r.container, TaskID: t.GetTaskId().GetValue()})
		}
		if r.checkpoint {
			m.checkpoint(TaskRecord{Run: m.runID(r), Task: newTask(r.framework, t, mesos.TaskState_TASK_STAGING)})
		}
		r.queued = append(r.queued, queuedTask{info: t, group: l.group})
		r.framework.owners[t.GetTaskId().GetValue()] = r
	}
	if r.phase == Active {
		m.resizeThenDeliver(r, queuedOf(l))
	}
}

func queuedOf(l *launch) []queuedTask {
	out := make([]queuedTask, len(l.tasks))
	for i, t := range l.tasks {
		out[i] = queuedTask{info: t, group: l.group}
	}
	return out
}

// resize is what waits for a container to get more resources: the delivery of
// tasks to its executor.
type resize struct {
	run    *run
	queued []queuedTask
}

// resizeThenDeliver gives a container what its tasks need, and its executor then
// those that wait. Only new tasks need something to be published: after a restart
// providers may not be back when executors are.
func (m *Machine) resizeThenDeliver(r *run, queued []queuedTask) {
	token := m.token()
	m.resizes[token] = resize{run: r, queued: queued}
	update := UpdateContainer{Token: token, Container: r.container, Resources: r.resources(), Limits: m.limits(r)}
	if len(queued) == 0 {
		m.do(update)
		return
	}
	m.published(r, update.Resources, update)
}

// deliver sends tasks that are still queued to the executor.
func (m *Machine) deliver(next resize, err error) {
	r := next.run
	if r.phase == Terminated {
		return
	}
	if err != nil {
		m.destroyAfterFailure(r, err)
		return
	}
	if r.framework.terminating || r.phase != Active {
		m.debug("tasks not sent: executor is ending", fields(r)...)
		return
	}
	var sent *mesos.TaskGroupInfo
	for _, q := range next.queued {
		i := r.queuedAt(q.info.GetTaskId().GetValue())
		if i < 0 {
			continue // killed meanwhile
		}
		r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
		r.launched[q.info.GetTaskId().GetValue()] = newTask(r.framework, q.info, mesos.TaskState_TASK_STAGING)
		switch {
		case q.group == nil:
			m.inform("task sent to executor", append(fields(r), "task_id", q.info.GetTaskId().GetValue())...)
			m.event(r, launchEvent(q.info))
		case q.group != sent:
			sent = q.group
			m.inform("task group sent to executor", append(fields(r), "tasks", len(sent.GetTasks()))...)
			m.event(r, launchGroupEvent(sent))
		}
	}
}

// launched takes in that a container runs, or doesn't.
func (m *Machine) launched(in ContainerLaunched) {
	r := m.containers[in.Container]
	if in.Err != nil {
		m.counters.ContainerLaunchErrors++
		m.log(Error, "launching container failed", "container_id", in.Container, "error", in.Err.Error())
		if r == nil || r.phase == Terminated {
			return
		}
		if r.pending == nil {
			r.pending = &pendingTermination{
				state:   mesos.TaskState_TASK_FAILED,
				reason:  mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
				message: "Failed to launch container: " + in.Err.Error(),
			}
		}
		m.terminate(r, Termination{}, nil)
		return
	}
	switch {
	case r == nil:
		m.do(DestroyContainer{Container: in.Container})
	case r.phase == Stopping || r.framework.terminating:
		m.do(DestroyContainer{Container: in.Container})
	default:
		r.status = in.Status
	}
}
