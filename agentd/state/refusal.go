package state

import (
	"bytes"

	"fmt"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// refusal is why tasks are not run.
type refusal struct {
	state   mesos.TaskState // of partition-aware frameworks' tasks
	reason  mesos.TaskStatus_Reason
	message string
	// keep says that the framework has an executor of that ID, about which
	// the master need not be told.
	keep bool
}

func dropped(reason mesos.TaskStatus_Reason, message string) *refusal {
	return &refusal{state: mesos.TaskState_TASK_DROPPED, reason: reason, message: message}
}

// refusal checks what could forbid the launch, in Mesos's order.
func (m *Machine) refusal(l *launch) *refusal {
	if message := m.unlimitable(l.tasks); message != "" {
		return dropped(mesos.TaskStatus_REASON_GC_ERROR, message) // as in Mesos: there is no better one
	}
	if m.drain != nil {
		return dropped(mesos.TaskStatus_REASON_AGENT_DRAINING, "Task was received while agent was already draining")
	}
	if refusal := m.unauthorized(l); refusal != nil {
		return refusal
	}
	if m.outdated(l) {
		return dropped(mesos.TaskStatus_REASON_INVALID_OFFERS, "Task assumes outdated resource state")
	}
	if message := m.unknownResources(l); message != "" {
		return dropped(mesos.TaskStatus_REASON_RESOURCES_UNKNOWN, message)
	}
	return m.executorMismatch(l)
}

// unauthorized asks the agent's own ACLs, which may be narrower than the master's,
// whether the framework may run tasks as these users. One that may not refuses its
// whole group.
func (m *Machine) unauthorized(l *launch) *refusal {
	may := m.cfg.Authorizer.ForName(l.framework.info.GetPrincipal()).To(acl.RunTask)
	for _, t := range l.tasks {
		user := acl.UserOfTask(t, l.framework.info)
		if may.Allow(user) {
			continue
		}
		out := &refusal{
			state: mesos.TaskState_TASK_ERROR, reason: mesos.TaskStatus_REASON_TASK_UNAUTHORIZED,
			message: fmt.Sprintf("Not authorized to launch task '%s' as user '%s' on this agent", t.GetTaskId().GetValue(), user),
		}
		if l.group != nil {
			out.reason = mesos.TaskStatus_REASON_TASK_GROUP_UNAUTHORIZED
		}
		return out
	}
	return nil
}

// unlimitable finds limits that no isolator would enforce.
func (m *Machine) unlimitable(tasks []*mesos.TaskInfo) string {
	for _, t := range tasks {
		if t.GetContainer().GetType() == mesos.ContainerInfo_DOCKER {
			continue
		}
		if t.GetLimits()["cpus"] != nil && !m.cfg.CPULimits {
			return "CPU limits can only be set on tasks launched in Mesos containers" +
				" when the agent has loaded the 'cgroups/cpu' isolator"
		}
		if t.GetLimits()["mem"] != nil && !m.cfg.MemoryLimits {
			return "Memory limits can only be set on tasks launched in Mesos containers" +
				" when the agent has loaded the 'cgroups/mem' isolator"
		}
	}
	return ""
}

// outdated says whether the master offered resources as they no longer are: the
// agent's, or those of a resource provider that tasks use.
func (m *Machine) outdated(l *launch) bool {
	if len(l.versions) == 0 {
		return false // a master before 1.5
	}
	used := map[string]bool{}
	for _, t := range l.tasks {
		for _, r := range t.GetResources() {
			used[r.GetProviderId().GetValue()] = true
		}
	}
	told := map[string][]byte{}
	for _, v := range l.versions {
		told[v.GetResourceProviderId().GetValue()] = v.GetUuid().GetValue()
	}
	for id := range used {
		if version := m.resourceVersion(id); version == nil || !bytes.Equal(version, told[id]) {
			return true
		}
	}
	return false
}

// resourceVersion is that of a provider's resources, or with "" of the agent's;
// nil if the provider is away or has not told its state.
func (m *Machine) resourceVersion(provider string) []byte {
	if provider == "" {
		return m.version[:]
	}
	if p := m.providers.subscribed[provider]; p != nil && p.version != nil {
		return p.version.GetValue()
	}
	return nil
}

// executorMismatch compares what the master expects with the executors there are.
func (m *Machine) executorMismatch(l *launch) *refusal {
	f := l.framework
	r := f.runs[l.executor.GetExecutorId().GetValue()]
	kept := func(reason mesos.TaskStatus_Reason, message string) *refusal {
		out := dropped(reason, message)
		out.keep = true
		return out
	}
	switch {
	case r == nil && l.executor.GetType() == mesos.ExecutorInfo_DEFAULT && m.cfg.DefaultExecutor == nil:
		return &refusal{
			state: mesos.TaskState_TASK_ERROR, reason: mesos.TaskStatus_REASON_TASK_GROUP_INVALID,
			message: "This agent has no default executor",
		}
	case r == nil && l.expected != nil && !*l.expected:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"No executor is expected to launch and there is none running")
	case r == nil:
		return nil
	case l.expected != nil && l.generated:
		return kept(mesos.TaskStatus_REASON_TASK_INVALID,
			"Cannot reuse an already existing executor for a command task")
	case l.expected != nil && *l.expected:
		// The master lost track of the executor. If it is over, the master is
		// told again; if it lives, it is ended.
		out := kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"Master wants to launch executor, but one already exists")
		switch r.phase {
		case Terminated:
			m.sendExited(f.id, r.id, nil)
		case Registering, Active:
			m.shutdownRun(r)
		}
		return out
	case r.phase == Stopping:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminating")
	case r.phase == Terminated:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated")
	}
	for _, t := range l.tasks {
		if f.owners[t.GetTaskId().GetValue()] != nil {
			return kept(mesos.TaskStatus_REASON_TASK_INVALID,
				"Task '"+t.GetTaskId().GetValue()+"' runs already")
		}
	}
	return nil
}

// refuse answers every task of a launch.
func (m *Machine) refuse(l *launch, why *refusal) {
	f := l.framework
	state := why.state
	if state == mesos.TaskState_TASK_DROPPED {
		state = orLost(f.partitionAware(), state)
	}
	for _, t := range l.tasks {
		u := m.ownUpdate(f.id, l.executor.GetExecutorId().GetValue(), t.GetTaskId().GetValue(),
			state, why.reason, why.message)
		if r := f.owners[t.GetTaskId().GetValue()]; r != nil {
			// The refusal must not end a task of that ID that runs, nor stand in the
			// way of the last update of one that ran.
			m.warn("launch refused: a task of that ID exists", append(fields(r), "task_id", t.GetTaskId().GetValue())...)
			if r.terminated[t.GetTaskId().GetValue()] != nil {
				m.send(&messages.StatusUpdateMessage{Update: u})
			}
			continue
		}
		m.update(u, nil)
	}
	m.removeIfIdle(f)
	if !why.keep {
		m.executorNotLaunched(l)
	}
}

// executorNotLaunched corrects a master that counts on a new executor.
func (m *Machine) executorNotLaunched(l *launch) {
	if l.expected != nil && *l.expected {
		m.sendExited(l.framework.id, l.executor.GetExecutorId().GetValue(), nil)
	}
}

// sendExited tells the master that an executor is gone.
func (m *Machine) sendExited(frameworkID, executorID string, status *int32) {
	if status == nil {
		status = new(int32(-1))
	}
	msg := &messages.ExitedExecutorMessage{
		SlaveId:     m.info.Id,
		FrameworkId: &mesos.FrameworkID{Value: &frameworkID},
		ExecutorId:  &mesos.ExecutorID{Value: &executorID},
		Status:      status,
	}
	m.send(msg)
	if m.phase == Disconnected {
		m.unheard = append(m.unheard, msg)
	}
}

// repeatExits tells a master that has taken the agent back of executors that ended
// while it did: they were in the list that it was sent, and what it is told of an
// agent that it doesn't have yet it doesn't hear.
func (m *Machine) repeatExits() {
	for _, msg := range m.unheard {
		m.send(msg)
	}
	m.unheard = nil
}
