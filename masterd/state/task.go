package state

import (
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// task is a task on a registered agent that its framework may still hear of:
// it lives, or its last update is not acknowledged.
type task struct {
	key       TaskKey
	info      *mesos.Task
	framework *framework
	agent     *agent
	resources resources.Resources

	// killed is set once its framework wants it dead. An agent that comes back
	// with it is told again.
	killed bool

	inFramework, onAgent *node[task]

	// shared says that readers may hold info: it is replaced before the next
	// change.
	shared bool
	dirty  mark
}

// unreachableTask is a task on an unreachable agent.
type unreachableTask struct {
	key       TaskKey
	info      *mesos.Task
	framework *framework
	agent     AgentID

	inFramework, onAgent *node[unreachableTask]
}

// terminal says whether a task in this state has ended for good.
func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// knownState says whether a state is one of Mesos 1.11. Enums of the wire may
// hold anything.
func knownState(s mesos.TaskState) bool {
	_, ok := mesos.TaskState_name[int32(s)]
	return ok
}

// released says whether a task in this state holds no resources.
func released(s mesos.TaskState) bool {
	return terminal(s) || s == mesos.TaskState_TASK_UNREACHABLE
}

// newTask is what the master keeps of a launched task.
func newTask(info *mesos.TaskInfo, f *framework) *mesos.Task {
	t := &mesos.Task{
		Name:        info.Name,
		TaskId:      info.TaskId,
		FrameworkId: f.protoID,
		AgentId:     info.AgentId,
		State:       mesos.TaskState_TASK_STAGING.Enum(),
		Resources:   info.Resources,
		Limits:      info.Limits,
		Labels:      info.Labels,
		Discovery:   info.Discovery,
		Container:   info.Container,
		HealthCheck: info.HealthCheck,
		KillPolicy:  info.KillPolicy,
	}
	if e := info.Executor; e != nil {
		t.ExecutorId = e.ExecutorId
	}
	if u := info.GetCommand().GetUser(); u != "" {
		t.User = info.Command.User
	} else if u := info.GetExecutor().GetCommand().GetUser(); u != "" {
		t.User = info.Executor.Command.User
	}
	return t
}

// copyTask is a shallow copy with a list of statuses of its own.
func copyTask(t *mesos.Task) *mesos.Task {
	return &mesos.Task{
		Name:              t.Name,
		TaskId:            t.TaskId,
		FrameworkId:       t.FrameworkId,
		ExecutorId:        t.ExecutorId,
		AgentId:           t.AgentId,
		State:             t.State,
		Resources:         t.Resources,
		Statuses:          slices.Clone(t.Statuses),
		StatusUpdateState: t.StatusUpdateState,
		StatusUpdateUuid:  t.StatusUpdateUuid,
		Labels:            t.Labels,
		Discovery:         t.Discovery,
		Container:         t.Container,
		User:              t.User,
		HealthCheck:       t.HealthCheck,
		KillPolicy:        t.KillPolicy,
		Limits:            t.Limits,
	}
}

// change returns the task's record for writing.
func (m *Machine) change(t *task) *mesos.Task {
	if t.shared {
		t.info, t.shared = copyTask(t.info), false
	}
	m.published.tasks.add(t, &t.dirty)
	return t.info
}

// addTask adds a task and counts its resources as in use. The allocator is
// told by the caller.
func (m *Machine) addTask(info *mesos.Task, used resources.Resources, f *framework, a *agent) *task {
	t := &task{
		key:       TaskKey{f.id, TaskID(info.GetTaskId().GetValue())},
		info:      info,
		framework: f,
		agent:     a,
		resources: used,
	}
	m.tasks[t.key] = t
	t.inFramework, t.onAgent = f.tasks.add(t), a.tasks.add(t)
	if !released(info.GetState()) {
		m.use(f, a, used)
		f.stats.ActiveTasks[info.GetState()]++
	}
	m.published.tasks.add(t, &t.dirty)
	m.touchFramework(f)
	m.publishTaskAdded(t)
	return t
}

// removeTask moves a task to the completed ones.
func (m *Machine) removeTask(t *task) {
	m.unlist(t)
	m.completeTask(t.framework, t.info)
}

// unlist takes a task off its framework and agent.
func (m *Machine) unlist(t *task) {
	if !released(t.info.GetState()) {
		// The caller ended it first, or its agent has forgotten it.
		m.release(t)
	}
	delete(m.tasks, t.key)
	t.framework.tasks.remove(t.inFramework)
	t.agent.tasks.remove(t.onAgent)
	m.checkLater(t.agent)
	m.published.tasks.forget(&t.dirty)
	m.published.taskTable.drop(t.key)
	m.touchFramework(t.framework)
}

// release gives the resources of a task back.
func (m *Machine) release(t *task) {
	m.unuse(t.framework, t.agent, t.resources)
	m.recoverResources(t.framework.id, t.agent, t.resources, nil)
}

// updateTask takes a status over. latest is the state that the agent knows the
// task to be in, which is ahead of the status while updates wait for their
// acknowledgement; nil means that of the status.
func (m *Machine) updateTask(t *task, status *mesos.TaskStatus, latest *mesos.TaskState) {
	state := status.GetState()
	if latest != nil {
		state = *latest
	}
	old := t.info.GetState()
	info := m.change(t)
	if !terminal(old) && old != state {
		m.countState(t, old, state)
		info.State = &state
	}
	m.addStatus(t, status)
	if !released(old) && released(state) {
		m.release(t)
		m.countEnd(state, status)
	}
}

// addStatus appends a status, or replaces the last one if it was of the same
// state. Payload is for the framework, not for our memory.
func (m *Machine) addStatus(t *task, status *mesos.TaskStatus) {
	kept := status
	if len(status.GetData()) > 0 {
		kept = copyStatus(status)
		kept.Data = nil
	}
	info := t.info
	last := len(info.Statuses) - 1
	repeated := last >= 0 && info.Statuses[last].GetState() == status.GetState()
	if repeated {
		info.Statuses[last] = kept
	} else {
		info.Statuses = append(info.Statuses, kept)
	}
	if !repeated || checkResult(status.GetReason()) {
		m.publishTaskUpdated(t, status)
	}
}

// checkResult says whether a status reports the outcome of a check, which
// operators want to see though the state stays the same.
func checkResult(r mesos.TaskStatus_Reason) bool {
	return r == mesos.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED ||
		r == mesos.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED
}

// countState keeps a framework's gauges of active and counters of ended tasks.
func (m *Machine) countState(t *task, from, to mesos.TaskState) {
	s := t.framework.stats
	s.ActiveTasks[from]--
	if terminal(to) {
		s.TerminalTasks[to]++
	} else {
		s.ActiveTasks[to]++
	}
	m.touchFramework(t.framework)
}

// countEnd counts a task that ended by its state and reason. The status may be of
// an earlier state, if the agent says that it is ahead: then the reason is not
// that of the end.
func (m *Machine) countEnd(state mesos.TaskState, status *mesos.TaskStatus) {
	if !terminal(state) {
		return
	}
	m.stats.TerminalTasks[state]++
	if status.Reason != nil && status.GetState() == state {
		m.stats.countReason(TaskReason{state, status.GetSource(), status.GetReason()})
	}
}
