package state

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func isTerminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// newTask makes the record of a task that was launched.
func newTask(f *framework, info *mesos.TaskInfo, state mesos.TaskState) *mesos.Task {
	return taskOf(f.info, info, state)
}

// QueuedTask is how a queued task of a View appears where all tasks are listed.
func QueuedTask(f *Framework, info *mesos.TaskInfo) *mesos.Task {
	return taskOf(f.Info, info, mesos.TaskState_TASK_STAGING)
}

func taskOf(f *mesos.FrameworkInfo, info *mesos.TaskInfo, state mesos.TaskState) *mesos.Task {
	t := &mesos.Task{
		Name:        info.Name,
		TaskId:      info.TaskId,
		FrameworkId: f.Id,
		AgentId:     info.AgentId,
		State:       &state,
		Resources:   info.Resources,
		Limits:      info.Limits,
		Labels:      info.Labels,
		Discovery:   info.Discovery,
		Container:   info.Container,
		HealthCheck: info.HealthCheck,
		KillPolicy:  info.KillPolicy,
	}
	if info.Executor != nil {
		t.ExecutorId = info.Executor.ExecutorId
	}
	switch {
	case info.GetCommand().GetUser() != "":
		t.User = info.Command.User
	case info.GetExecutor().GetCommand().GetUser() != "":
		t.User = info.Executor.Command.User
	}
	return t
}

// copyTask returns a copy whose fields may be replaced.
func copyTask(t *mesos.Task) *mesos.Task {
	return &mesos.Task{
		Name:              t.Name,
		TaskId:            t.TaskId,
		FrameworkId:       t.FrameworkId,
		ExecutorId:        t.ExecutorId,
		AgentId:           t.AgentId,
		State:             t.State,
		Resources:         t.Resources,
		Statuses:          t.Statuses,
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

// withStatus returns the task after an update. Clients expect one entry for each
// state, so a repeated state replaces the last one.
func withStatus(t *mesos.Task, s *mesos.TaskStatus) *mesos.Task {
	out := copyTask(t)
	kept := t.Statuses
	if n := len(kept); n > 0 && kept[n-1].GetState() == s.GetState() {
		kept = kept[:n-1]
	}
	out.Statuses = append(slices.Clone(kept), s)
	out.State = s.State
	return out
}

// withForwarded returns the task after one of its updates went to the master.
func withForwarded(t *mesos.Task, u *messages.StatusUpdate) *mesos.Task {
	out := copyTask(t)
	out.StatusUpdateState = u.GetStatus().State
	out.StatusUpdateUuid = u.Uuid
	return out
}

// withLatest returns the update as it goes to the master.
func withLatest(u *messages.StatusUpdate, latest *mesos.TaskState) *messages.StatusUpdate {
	return &messages.StatusUpdate{
		FrameworkId: u.FrameworkId,
		ExecutorId:  u.ExecutorId,
		SlaveId:     u.SlaveId,
		Status:      u.Status,
		Timestamp:   u.Timestamp,
		Uuid:        u.Uuid,
		LatestState: latest,
	}
}

// ownUpdate is an update that the agent makes itself. executor may be "".
func (m *Machine) ownUpdate(
	frameworkID, executor, task string, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string,
) *messages.StatusUpdate {
	id := m.cfg.Random.UUID()
	at := seconds(m.now)
	u := &messages.StatusUpdate{
		FrameworkId: &mesos.FrameworkID{Value: &frameworkID},
		SlaveId:     m.info.Id,
		Timestamp:   &at,
		Uuid:        id[:],
		Status: &mesos.TaskStatus{
			TaskId:    &mesos.TaskID{Value: &task},
			AgentId:   m.info.Id,
			State:     &state,
			Source:    mesos.TaskStatus_SOURCE_AGENT.Enum(),
			Reason:    &reason,
			Message:   &message,
			Timestamp: &at,
			Uuid:      id[:],
		},
	}
	if executor != "" {
		u.ExecutorId = &mesos.ExecutorID{Value: &executor}
	}
	return u
}

// executorUpdate wraps what an executor reported.
func (m *Machine) executorUpdate(frameworkID *mesos.FrameworkID, s *mesos.TaskStatus) *messages.StatusUpdate {
	if s.AgentId == nil {
		s.AgentId = m.info.Id
	}
	u := &messages.StatusUpdate{
		FrameworkId: frameworkID,
		ExecutorId:  s.ExecutorId,
		SlaveId:     m.info.Id,
		Status:      s,
		Timestamp:   s.Timestamp,
		Uuid:        s.Uuid,
	}
	if u.Timestamp == nil {
		u.Timestamp = new(seconds(m.now))
	}
	return u
}

// durationUnits are those of Mesos's durations, the largest first.
var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hrs", time.Hour}, {"mins", time.Minute},
	{"secs", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", 1},
}

// duration formats d as Mesos does: in the largest unit of which it is a multiple.
func duration(d time.Duration) string {
	for _, u := range durationUnits {
		if d >= u.size && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return fmt.Sprintf("%dns", int64(d))
}
