package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// launch sends a task to its agent, or tells its framework what is wrong with
// it.
func (m *Machine) launch(acc *acceptance, info *mesos.TaskInfo) {
	f, a := acc.f, acc.a
	completeTaskInfo(info, f, acc.role)
	if err := m.mayRun(f, info); err != nil {
		m.refuseTasks(f, []*mesos.TaskInfo{info}, taskError(mesos.TaskStatus_REASON_TASK_UNAUTHORIZED, err))
		return
	}
	used, err := m.validateTask(acc, info)
	if err != nil {
		m.refuseTasks(f, []*mesos.TaskInfo{info}, taskError(mesos.TaskStatus_REASON_TASK_INVALID, err))
		return
	}
	msg := &messages.RunTaskMessage{
		Framework:            f.info,
		Pid:                  f.driverPID(),
		Task:                 info,
		ResourceVersionUuids: a.resourceVersions(),
		LaunchExecutor:       new(true),
	}
	if e := info.Executor; e != nil {
		msg.LaunchExecutor = new(m.ensureExecutor(acc, e))
	}
	m.addTask(newTask(info, f), used, f, a)
	m.take(acc, used)
	m.debug("launching a task", "framework_id", f.id, "task_id", info.GetTaskId().GetValue(), "agent_id", a.id,
		"resources", used.String())
	if !a.caps.reservationRefinement {
		msg.Task = proto.CloneOf(info)
		downgradeMessage(msg.Task)
	}
	m.send(a.pid, msg)
}

// launchGroup sends a group of tasks to their agent, all or none.
func (m *Machine) launchGroup(acc *acceptance, group *mesos.Offer_Operation_LaunchGroup) {
	f, a := acc.f, acc.a
	tasks := group.GetTaskGroup().GetTasks()
	completeGroup(group, f, acc.role)
	if err := m.mayRunAll(f, tasks); err != nil {
		m.refuseTasks(f, tasks, taskError(mesos.TaskStatus_REASON_TASK_GROUP_UNAUTHORIZED, err))
		return
	}
	used, err := m.validateGroup(acc, group)
	if err != nil {
		m.refuseTasks(f, tasks, taskError(mesos.TaskStatus_REASON_TASK_GROUP_INVALID, err))
		return
	}
	msg := &messages.RunTaskGroupMessage{
		Framework:            f.info,
		Executor:             group.GetExecutor(),
		TaskGroup:            group.GetTaskGroup(),
		ResourceVersionUuids: a.resourceVersions(),
		LaunchExecutor:       new(m.ensureExecutor(acc, group.GetExecutor())),
	}
	for i, info := range tasks {
		m.addTask(newTask(info, f), used[i], f, a)
		m.take(acc, used[i])
	}
	m.debug("launching a task group", "framework_id", f.id, "tasks", len(tasks), "agent_id", a.id)
	if !a.caps.reservationRefinement {
		msg.Executor, msg.TaskGroup = proto.CloneOf(msg.Executor), proto.CloneOf(msg.TaskGroup)
		downgradeMessage(msg.Executor)
		downgradeMessage(msg.TaskGroup)
	}
	m.send(a.pid, msg)
}

// downgradeMessage brings a copy into the form for agents that can't read
// reservation stacks. Refined reservations never get to such an agent.
func downgradeMessage(msg proto.Message) { _ = resources.DowngradeMessage(msg) }

// ensureExecutor says whether a launch starts its executor, and counts that as
// in use if so.
func (m *Machine) ensureExecutor(acc *acceptance, info *mesos.ExecutorInfo) (isNew bool) {
	key := ExecutorKey{acc.a.id, acc.f.id, ExecutorID(info.GetExecutorId().GetValue())}
	if m.executors[key] != nil {
		return false
	}
	used := resources.Of(info.GetResources()...)
	m.addExecutor(acc.f.id, info, used, acc.a)
	m.take(acc, used)
	return true
}

// driverPID is the PID of a native driver for messages to agents, whose
// executors may talk to it directly; nil for HTTP frameworks.
func (f *framework) driverPID() *string {
	if f.conn.PID == "" {
		return nil
	}
	return new(string(f.conn.PID))
}

// completeTaskInfo fills in what frameworks may leave out.
func completeTaskInfo(info *mesos.TaskInfo, f *framework, role string) {
	allocate(info.Resources, role)
	if e := info.Executor; e != nil {
		allocate(e.Resources, role)
		if e.FrameworkId == nil {
			e.FrameworkId = f.protoID
		}
	}
	if h := info.HealthCheck; h != nil && h.Type == nil {
		// Before checks had a type, the field that was set told it.
		switch {
		case h.Command != nil && h.Http == nil:
			h.Type = mesos.HealthCheck_COMMAND.Enum()
		case h.Http != nil && h.Command == nil:
			h.Type = mesos.HealthCheck_HTTP.Enum()
		}
	}
}

// completeGroup fills in what frameworks may leave out. Each task gets the
// executor, so that operators see it there.
func completeGroup(group *mesos.Offer_Operation_LaunchGroup, f *framework, role string) {
	allocate(group.GetExecutor().GetResources(), role)
	for _, info := range group.GetTaskGroup().GetTasks() {
		allocate(info.Resources, role)
		if info.Executor == nil {
			info.Executor = group.Executor
		} else {
			allocate(info.Executor.Resources, role)
		}
	}
}
