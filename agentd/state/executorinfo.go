package state

import (
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// commandExecutor makes the executor of a task that brings a command only. Its
// ID is the task's.
func (m *Machine) commandExecutor(f *mesos.FrameworkInfo, t *mesos.TaskInfo) *mesos.ExecutorInfo {
	return &mesos.ExecutorInfo{
		ExecutorId:          &mesos.ExecutorID{Value: new(t.GetTaskId().GetValue())},
		FrameworkId:         f.GetId(),
		Name:                new(commandExecutorName(t)),
		Source:              new(t.GetTaskId().GetValue()),
		Command:             m.executorCommand(f, t),
		Container:           t.Container,
		Labels:              t.Labels,
		Discovery:           t.Discovery,
		ShutdownGracePeriod: executorGrace(t),
		Resources:           executorOverhead(t.GetResources()),
	}
}

// executorCommand is the agent's own executor with what it inherits from the
// task: its URIs are fetched and its environment is set before it starts.
func (m *Machine) executorCommand(f *mesos.FrameworkInfo, t *mesos.TaskInfo) *mesos.CommandInfo {
	own, theirs := m.cfg.CommandExecutor, t.GetCommand()
	out := &mesos.CommandInfo{
		Uris:        theirs.Uris,
		Environment: theirs.Environment,
		User:        theirs.User,
		Shell:       own.Shell,
		Value:       own.Value,
		Arguments:   own.Arguments,
	}
	if t.GetContainer().GetType() == mesos.ContainerInfo_MESOS && t.GetContainer().GetMesos().GetImage() != nil {
		out.Arguments = append(out.Arguments[:len(out.Arguments):len(out.Arguments)],
			"--sandbox_directory="+m.cfg.SandboxDirectory)
		if m.cfg.SwitchUser {
			user := f.GetUser()
			if theirs.GetUser() != "" {
				user = theirs.GetUser()
			}
			out.Arguments = append(out.Arguments, "--user="+user)
		}
	}
	return out
}

// commandExecutorName tells the beginning of the command; dashboards show it.
func commandExecutorName(t *mesos.TaskInfo) string {
	c := t.GetCommand()
	text := "NO COMMAND"
	switch {
	case c.GetShell() && c.Value != nil:
		text = "sh -c '" + abbreviate(c.GetValue()) + "'"
	case !c.GetShell() && c.Value == nil:
		text = "NO EXECUTABLE"
	case !c.GetShell():
		text = "[" + abbreviate(c.GetValue()+", "+strings.Join(c.GetArguments(), ", ")) + "]"
	}
	return "Command Executor (Task: " + t.GetTaskId().GetValue() + ") (Command: " + text + ")"
}

// abbreviate cuts as Mesos does: more than 15 bytes become 12 and an ellipsis.
func abbreviate(s string) string {
	if len(s) > 15 {
		return strings.ToValidUTF8(s[:12], "") + "..."
	}
	return s
}

// executorGrace leaves the executor time to kill its task and tell of it.
func executorGrace(t *mesos.TaskInfo) *mesos.DurationInfo {
	g := t.GetKillPolicy().GetGracePeriod()
	if g == nil {
		return nil
	}
	return &mesos.DurationInfo{Nanoseconds: new(g.GetNanoseconds() + int64(commandExecutorKillSlack/time.Nanosecond))}
}

// executorOverhead is what the agent's own executor takes beside the task.
func executorOverhead(task []*mesos.Resource) []*mesos.Resource {
	var allocation *mesos.Resource_AllocationInfo
	for _, r := range task {
		if r.AllocationInfo != nil {
			allocation = &mesos.Resource_AllocationInfo{Role: r.AllocationInfo.Role}
			break
		}
	}
	scalar := func(name string, value float64) *mesos.Resource {
		return &mesos.Resource{
			Name: &name, Type: mesos.Value_SCALAR.Enum(),
			Scalar: &mesos.Value_Scalar{Value: &value}, AllocationInfo: allocation,
		}
	}
	return []*mesos.Resource{scalar("cpus", executorCPUs), scalar("mem", executorMem)}
}

// launchable completes an executor for its container. The agent keeps and tells
// the original.
func (m *Machine) launchable(e *mesos.ExecutorInfo, resources []*mesos.Resource) *mesos.ExecutorInfo {
	out := &mesos.ExecutorInfo{
		ExecutorId:          e.ExecutorId,
		Data:                e.Data,
		Resources:           resources,
		Command:             e.Command,
		FrameworkId:         e.FrameworkId,
		Name:                e.Name,
		Source:              e.Source,
		Container:           e.Container,
		Discovery:           e.Discovery,
		ShutdownGracePeriod: e.ShutdownGracePeriod,
		Labels:              e.Labels,
		Type:                e.Type,
	}
	if e.GetType() == mesos.ExecutorInfo_DEFAULT && e.Command == nil {
		out.Command = m.cfg.DefaultExecutor
	}
	if out.Container == nil {
		out.Container = m.cfg.DefaultContainer
	}
	return out
}
