package taskgroup

import (
	"context"
	"slices"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
)

// launchGroup launches the tasks of a group at once.
func (m *machine) launchGroup(group []*mesos.TaskInfo) {
	if m.closing {
		m.printf("Task group ignored: the executor is shutting down")
		return
	}
	m.ended = false
	for _, info := range group {
		t := &task{info: info, group: group, container: &mesos.ContainerID{Value: new(m.uuid()), Parent: m.container}}
		if m.tasks[t.id()] != nil {
			m.printf("Task %s ignored: it runs already", t.id())
			continue
		}
		m.tasks[t.id()] = t
		m.order = append(m.order, t.id())
		m.update(t, mesos.TaskState_TASK_STARTING, nil, "")
		m.launch(t)
	}
}

func (m *machine) launch(t *task) {
	m.printf("Launching task %s in container %s", t.id(), t.container.GetValue())
	call := m.launchCall(t)
	m.later(func(ctx context.Context) func(time.Time) {
		err := m.api.Launch(ctx, call)
		return func(now time.Time) { m.launched(t, err, now) }
	})
}

// launchCall is the task's container as the agent is asked for it.
func (m *machine) launchCall(t *task) *agent.Call_LaunchContainer {
	command := &mesos.CommandInfo{}
	if c := t.info.GetCommand(); c != nil {
		command = &mesos.CommandInfo{
			Uris: c.Uris, User: c.User, Shell: c.Shell, Value: c.Value, Arguments: c.Arguments,
		}
	}
	command.Environment = &mesos.Environment{
		Variables: slices.Clone(t.info.GetCommand().GetEnvironment().GetVariables()),
	}
	set := func(name, value string) {
		command.Environment.Variables = append(command.Environment.Variables,
			&mesos.Environment_Variable{Name: &name, Value: &value})
	}
	set("MESOS_CONTAINER_IP", m.ip)
	if rs := t.info.GetResources(); len(rs) > 0 {
		set("MESOS_ALLOCATION_ROLE", rs[0].GetAllocationInfo().GetRole())
	}
	return &agent.Call_LaunchContainer{
		ContainerId: t.container, Command: command, Container: withVolumes(t.info),
		Resources: t.info.GetResources(), Limits: t.info.GetLimits(),
	}
}

// withVolumes is the task's container with its persistent volumes: they are in the
// executor's sandbox, which the task's container sees them through.
func withVolumes(info *mesos.TaskInfo) *mesos.ContainerInfo {
	var volumes []*mesos.Volume
	for _, r := range info.GetResources() {
		v := r.GetDisk().GetVolume()
		if v == nil {
			continue
		}
		volumes = append(volumes, &mesos.Volume{
			Mode: v.Mode, ContainerPath: v.ContainerPath,
			Source: &mesos.Volume_Source{
				Type: mesos.Volume_Source_SANDBOX_PATH.Enum(),
				SandboxPath: &mesos.Volume_Source_SandboxPath{
					Type: mesos.Volume_Source_SandboxPath_PARENT.Enum(), Path: v.ContainerPath,
				},
			},
		})
	}
	if len(volumes) == 0 {
		return info.GetContainer()
	}
	c := info.GetContainer()
	if c == nil {
		c = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum()}
	}
	return &mesos.ContainerInfo{
		Type: c.Type, Volumes: append(slices.Clone(c.Volumes), volumes...), Hostname: c.Hostname, Docker: c.Docker,
		Mesos: c.Mesos, NetworkInfos: c.NetworkInfos, LinuxInfo: c.LinuxInfo, RlimitInfo: c.RlimitInfo, TtyInfo: c.TtyInfo,
	}
}

// launched takes in that a container runs, or doesn't.
func (m *machine) launched(t *task, err error, now time.Time) {
	if m.tasks[t.id()] != t {
		return
	}
	if err != nil {
		state := mesos.TaskState_TASK_FAILED
		if t.kill.asked {
			state = mesos.TaskState_TASK_KILLED
		}
		m.printf("Task %s could not be launched: %v", t.id(), err)
		m.end(t, state, nil, err.Error(), nil, now)
		return
	}
	t.running = true
	if err := m.link(t.id(), t.container.GetValue()); err != nil {
		m.printf("Linking the sandbox of task %s: %v", t.id(), err)
	}
	m.wait(t)
	if t.kill.asked { // while it was being launched
		m.startKill(t, now)
		return
	}
	if limit := time.Duration(t.info.GetMaxCompletionTime().GetNanoseconds()); limit > 0 {
		t.completion = now.Add(limit)
	}
	m.update(t, mesos.TaskState_TASK_RUNNING, nil, "")
	if t.info.GetCheck() != nil || t.info.GetHealthCheck() != nil {
		t.stopChecks = m.checks(t)
	}
}

// wait has the end of a task's container told.
func (m *machine) wait(t *task) {
	m.later(func(ctx context.Context) func(time.Time) {
		end, err := m.api.Wait(ctx, t.container)
		return func(now time.Time) { m.exited(t, end, err, now) }
	})
}

// update sends the state of a task.
func (m *machine) update(t *task, state mesos.TaskState, reason *mesos.TaskStatus_Reason, message string) {
	s := &mesos.TaskStatus{
		TaskId: t.info.GetTaskId(), State: &state, Reason: reason,
		ContainerStatus: &mesos.ContainerStatus{ContainerId: t.container},
		CheckStatus:     check.Empty(t.info.GetCheck()),
	}
	if message != "" {
		s.Message = &message
	}
	m.send(t, s)
}

func (m *machine) send(t *task, s *mesos.TaskStatus) {
	t.last = s
	m.agent.Update(s)
}
