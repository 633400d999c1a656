package taskgroup

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// watch is the checks of one task.
type watch struct {
	checks []*check.Watch
	stop   context.CancelFunc
}

// startChecks starts what checks a task has. Their commands run in debug containers
// below the task's, and so in its surroundings. What they find out comes to the
// machine's goroutine, and not any more once they were stopped.
func (r *runner) startChecks(ctx context.Context, t *task) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{stop: cancel}
	command := func(ctx context.Context, c *mesos.CommandInfo) (syscall.WaitStatus, error) {
		status, err := r.api.Run(ctx, t.container, "check-", c)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", check.ErrTransient, err)
		}
		return status, err
	}
	add := func(c *check.Watch, err error) {
		if err != nil {
			r.m.printf("Task %s is not checked: %v", t.id(), err)
			return
		}
		c.Pause(r.paused)
		w.checks = append(w.checks, c)
		go c.Run(ctx)
	}
	if info := t.info.GetCheck(); info != nil {
		add(check.New(info, command, func(s *mesos.CheckStatusInfo) {
			r.post(func(time.Time) { r.m.checked(t, s) })
		}))
	}
	if info := t.info.GetHealthCheck(); info != nil {
		add(check.NewHealth(info, command, func(h check.Health) {
			r.post(func(now time.Time) { r.m.healthChecked(t, h, now) })
		}))
	}
	r.watches[t] = w
	return func() {
		cancel()
		delete(r.watches, t)
	}
}

// pause stops all checks while there is no agent to tell, or goes on.
func (r *runner) pause(paused bool) {
	r.paused = paused
	for _, w := range r.watches {
		for _, c := range w.checks {
			c.Pause(paused)
		}
	}
}

// checked tells of a check's new result.
func (m *machine) checked(t *task, result *mesos.CheckStatusInfo) {
	if m.tasks[t.id()] != t || t.stopChecks == nil {
		return
	}
	s := again(t.last, mesos.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED)
	s.CheckStatus = result
	m.send(t, s)
}

// healthChecked tells of a task's health and kills it if it is hopeless.
func (m *machine) healthChecked(t *task, h check.Health, now time.Time) {
	if m.tasks[t.id()] != t || t.stopChecks == nil {
		return
	}
	s := again(t.last, mesos.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
	s.Healthy = &h.Healthy
	m.send(t, s)
	if !h.Healthy {
		m.printf("Task %s failed its health check: %s", t.id(), h.Why)
	}
	if h.Kill {
		t.unhealthy = true
		m.terminate(t, graceOf(t, defaultKillGrace), true, now)
	}
}

// again is a status that repeats what the last one said, for another reason.
func again(last *mesos.TaskStatus, reason mesos.TaskStatus_Reason) *mesos.TaskStatus {
	return &mesos.TaskStatus{
		TaskId: last.TaskId, State: last.State, Reason: &reason,
		ContainerStatus: last.ContainerStatus, CheckStatus: last.CheckStatus, Healthy: last.Healthy,
	}
}
