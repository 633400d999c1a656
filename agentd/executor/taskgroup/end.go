package taskgroup

import (
	"context"
	"syscall"
	"time"

	agentdexecutor "github.com/mesos-operator/mesos-operator/agentd/executor"
	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	"github.com/mesos-operator/mesos-operator/agentd/executor/deadline"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// killTask kills at the framework's wish. The grace of that wish comes before the
// task's own.
func (m *machine) killTask(k *executor.Event_Kill, now time.Time) {
	id := k.GetTaskId().GetValue()
	t := m.tasks[id]
	if t == nil {
		m.printf("Asked to kill task %s, which is not here", id)
		return
	}
	grace := graceOf(t, defaultKillGrace)
	if g := k.GetKillPolicy().GetGracePeriod(); g != nil {
		grace = time.Duration(g.GetNanoseconds())
	}
	m.terminate(t, grace, true, now)
}

func graceOf(t *task, byDefault time.Duration) time.Duration {
	if g := t.info.GetKillPolicy().GetGracePeriod(); g != nil {
		return time.Duration(g.GetNanoseconds())
	}
	return byDefault
}

// terminate begins to end a task, or hastens that: a later wish can only shorten
// the time that the first one gave.
func (m *machine) terminate(t *task, grace time.Duration, tell bool, now time.Time) {
	grace = max(grace, 0)
	if t.kill.asked {
		t.kill.grace = min(t.kill.grace, grace)
		if t.running {
			t.kill.deadline = deadline.Earlier(t.kill.deadline, t.kill.since.Add(grace))
		}
		return
	}
	t.kill.asked, t.kill.grace = true, grace
	t.completion = time.Time{}
	m.stopChecks(t)
	if tell && m.killing && t.running {
		m.update(t, mesos.TaskState_TASK_KILLING, nil, "")
	}
	if t.running {
		m.startKill(t, now)
	}
}

// startKill sends SIGTERM. A container that is still being launched gets it when
// it runs.
func (m *machine) startKill(t *task, now time.Time) {
	t.kill.since, t.kill.deadline = now, now.Add(t.kill.grace)
	m.printf("Sending SIGTERM to task %s; SIGKILL follows in %v", t.id(), t.kill.grace)
	m.signal(t, syscall.SIGTERM)
}

// signal has the agent signal a task; its end is told by wait. A SIGKILL that gets
// lost is repeated by tick.
func (m *machine) signal(t *task, signal syscall.Signal) {
	m.later(func(ctx context.Context) func(time.Time) {
		ctx, cancel := context.WithTimeout(ctx, maxFarewell)
		defer cancel()
		err := m.api.Kill(ctx, t.container, signal)
		return func(time.Time) {
			if err != nil && m.tasks[t.id()] == t {
				m.printf("Signal %d did not reach task %s: %v", signal, t.id(), err)
			}
		}
	})
}

func (m *machine) timedOut(t *task, now time.Time) {
	t.completion = time.Time{}
	t.overdue = true
	m.printf("Task %s did not complete within %v", t.id(), time.Duration(t.info.GetMaxCompletionTime().GetNanoseconds()))
	m.terminate(t, 0, false, now)
}

// exited takes in how a task's container ended. end is nil if the agent doesn't know.
func (m *machine) exited(t *task, end *agent.Response_WaitNestedContainer, err error, now time.Time) {
	if m.tasks[t.id()] != t {
		return
	}
	state, reason := mesos.TaskState_TASK_FAILED, (*mesos.TaskStatus_Reason)(nil)
	var message string
	switch {
	case err != nil:
		message = "Unable to wait for the command: " + err.Error()
	case end == nil:
		message = "Unable to retrieve command's termination information"
		if t.kill.asked && !t.overdue {
			state, message = mesos.TaskState_TASK_KILLED, ""
		}
	case end.ExitStatus == nil:
		message = "Command terminated with unknown status"
	default:
		state, reason, message = m.explain(t, syscall.WaitStatus(end.GetExitStatus()))
	}
	// The agent knows of limits that were hit.
	if end.GetState() != mesos.TaskState_TASK_STAGING && end != nil && end.State != nil {
		state = end.GetState()
	}
	if end != nil && end.Reason != nil {
		reason = end.Reason
	}
	if text := end.GetMessage(); text != "" {
		message += ": " + text
	}
	m.printf("Task %s: %s", t.id(), message)
	m.end(t, state, reason, message, end.GetLimitation(), now)
}

func (m *machine) explain(t *task, status syscall.WaitStatus) (mesos.TaskState, *mesos.TaskStatus_Reason, string) {
	message := "Command " + agentdexecutor.Describe(status)
	switch {
	case t.overdue:
		return mesos.TaskState_TASK_FAILED, mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum(), message
	case t.kill.asked:
		return mesos.TaskState_TASK_KILLED, nil, message
	case status.Exited() && status.ExitStatus() == 0:
		return mesos.TaskState_TASK_FINISHED, nil, message
	}
	return mesos.TaskState_TASK_FAILED, nil, message
}

// end tells of a task's end, and ends its group unless the task finished.
func (m *machine) end(t *task, state mesos.TaskState, reason *mesos.TaskStatus_Reason, message string,
	limitation *mesos.TaskResourceLimitation, now time.Time) {
	m.stopChecks(t)
	s := &mesos.TaskStatus{
		TaskId: t.info.GetTaskId(), State: &state, Reason: reason, Limitation: limitation,
		ContainerStatus: &mesos.ContainerStatus{ContainerId: t.container},
		CheckStatus:     check.Empty(t.info.GetCheck()),
	}
	if message != "" {
		s.Message = &message
	}
	if t.unhealthy {
		s.Healthy = new(false)
	}
	m.send(t, s)
	delete(m.tasks, t.id())
	m.forget(t.id())
	if state != mesos.TaskState_TASK_FINISHED && !t.spared && !m.closing {
		m.killGroup(t, now)
	}
	if len(m.tasks) == 0 {
		m.allEnded(now)
	}
}

func (m *machine) forget(id string) {
	for i, other := range m.order {
		if other == id {
			m.order = append(m.order[:i:i], m.order[i+1:]...)
			return
		}
	}
}

// killGroup kills what is left of the group of a task that failed or was killed.
func (m *machine) killGroup(t *task, now time.Time) {
	for _, info := range t.group {
		other := m.tasks[info.GetTaskId().GetValue()]
		if other == nil {
			continue
		}
		other.spared = true
		if !other.kill.asked {
			m.printf("Killing task %s, as task %s of its group ended", other.id(), t.id())
			m.terminate(other, defaultKillGrace, true, now)
		}
	}
}

func (m *machine) stopChecks(t *task) {
	if t.stopChecks != nil {
		t.stopChecks()
		t.stopChecks = nil
	}
}
