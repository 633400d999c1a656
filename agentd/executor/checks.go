package executor

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// watches runs the checks of the task. Its methods are called by the machine's
// goroutine; what checks find out comes there by post.
type watches struct {
	m       *machine
	environ []string
	dir     string // where the task starts; empty for the executor's own
	post    func(func(now time.Time))
	checks  []*check.Watch
	paused  bool
}

// start implements machine.checks.
func (w *watches) start(ctx context.Context, t *mesos.TaskInfo) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	running := true
	report := func(f func(now time.Time)) {
		w.post(func(now time.Time) {
			if running {
				f(now)
			}
		})
	}
	environ := w.environ
	if w.m.noun != "" { // what is run in a Docker container has what the container has
		environ = environment(t, environ)
	}
	run := func(ctx context.Context, c *mesos.CommandInfo) (syscall.WaitStatus, error) {
		return runCommand(ctx, c, w.dir, environ)
	}
	add := func(c *check.Watch, err error) {
		if err != nil {
			w.m.printf("The task is not checked: %v", err)
			return
		}
		c.Pause(w.paused)
		w.checks = append(w.checks, c)
		go c.Run(ctx)
	}
	if info := t.GetCheck(); info != nil {
		add(check.New(info, run, func(s *mesos.CheckStatusInfo) { report(func(time.Time) { w.m.checked(s) }) }))
	}
	if info := t.GetHealthCheck(); info != nil {
		add(check.NewHealth(info, run, func(h check.Health) { report(func(now time.Time) { w.m.healthChecked(h, now) }) }))
	}
	return func() {
		running = false
		cancel()
		w.checks = nil
	}
}

// pause stops checks while there is no agent to tell, or goes on.
func (w *watches) pause(paused bool) {
	w.paused = paused
	for _, c := range w.checks {
		c.Pause(paused)
	}
}

// runCommand runs a check's command beside the task, in the same container and directory.
func runCommand(ctx context.Context, c *mesos.CommandInfo, dir string, environ []string) (syscall.WaitStatus, error) {
	env := newEnv(environ)
	env.add(c.GetEnvironment())
	path, args, err := argv(c, env.list)
	if err != nil {
		return 0, err
	}
	pid, err := fork(path, args, &syscall.ProcAttr{
		Dir: dir, Env: env.list, Files: []uintptr{0, 2, 2}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("executing %q: %w", path, err)
	}
	ended := make(chan *syscall.WaitStatus, 1)
	go func() { ended <- awaited(pid) }()
	select {
	case status := <-ended:
		if status == nil {
			return 0, fmt.Errorf("%w: nothing is known of the command's end", check.ErrTransient)
		}
		return *status, nil
	case <-ctx.Done():
		if _, err := process.SignalFamily(pid, syscall.SIGKILL, around); err != nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		<-ended
		return 0, ctx.Err()
	}
}

// checked tells of a check's new result.
func (m *machine) checked(result *mesos.CheckStatusInfo) {
	if m.ended || m.kill.asked {
		return
	}
	s := m.again(mesos.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED)
	s.CheckStatus = result
	m.send(s)
}

// healthChecked tells of the task's health and kills it if it is hopeless.
func (m *machine) healthChecked(h check.Health, now time.Time) {
	if m.ended || m.kill.asked {
		return
	}
	s := m.again(mesos.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
	s.Healthy = &h.Healthy
	m.send(s)
	if !h.Healthy {
		m.printf("The task failed its health check: %s", h.Why)
	}
	if h.Kill {
		m.unhealthy = true
		m.terminate(m.killGrace(nil), true, now)
	}
}

// again is a status that repeats what the last one said, for another reason.
func (m *machine) again(reason mesos.TaskStatus_Reason) *mesos.TaskStatus {
	return &mesos.TaskStatus{
		TaskId: m.last.TaskId, State: m.last.State, Reason: &reason,
		CheckStatus: m.last.CheckStatus, Healthy: m.last.Healthy, Data: m.last.Data,
	}
}
