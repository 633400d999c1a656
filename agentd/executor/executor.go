package executor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	"github.com/mesos-operator/mesos-operator/agentd/executor/client"
	"github.com/mesos-operator/mesos-operator/agentd/executor/deadline"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// Mesos's numbers.
const (
	// defaultKillGrace is between SIGTERM and SIGKILL for tasks without a kill
	// policy.
	defaultKillGrace = 3 * time.Second
	// shutdownSlack is what is left of the agent's grace after a shutdown to tell
	// of the task's end.
	shutdownSlack = 2 * time.Second
	// maxFarewell is how long to wait for the acknowledgement of the last update.
	maxFarewell = time.Minute
)

// agent is what the machine needs of the connection to the agent.
type agent interface {
	Update(*mesos.TaskStatus)
	Unacknowledged() int
	Subscribed() bool
}

// machine is the executor's state. One goroutine calls its methods.
type machine struct {
	agent   agent
	log     io.Writer
	grace   time.Duration // the agent's after SHUTDOWN
	environ []string
	start   func(*mesos.TaskInfo, []string) (command, error)
	// checks starts the checks of a task that runs; what it returns stops them.
	checks func(*mesos.TaskInfo) (stop func())

	// what the task is called in messages, the signal that asks it to end, and how long it has
	// for that if nobody says so.
	noun      string
	stop      syscall.Signal
	killAfter time.Duration
	data      []byte // for TASK_RUNNING

	killing bool // the framework knows TASK_KILLING
	task    *mesos.TaskInfo
	command command // nil before the task runs, and after
	last    *mesos.TaskStatus

	stopChecks func()
	unhealthy  bool // the task is killed for failing health checks

	// kill is set when the task is to end.
	kill struct {
		asked    bool
		since    time.Time
		deadline time.Time // when SIGKILL follows
		done     bool      // and that it did
	}
	completion time.Time // of max_completion_time; zero for none
	overdue    bool      // that was reached
	ended      bool      // the terminal update is made
	endedAt    time.Time
	quitAt     time.Time // when to exit whatever is left, after SHUTDOWN
	code       int
	quit       bool
}

// command is a running task.
type command interface {
	// Signal signals all of its processes.
	Signal(syscall.Signal)
}

// event handles what the agent says.
func (m *machine) event(e *executor.Event, now time.Time) {
	switch e.GetType() {
	case executor.Event_SUBSCRIBED:
		m.subscribed(e.GetSubscribed())
	case executor.Event_LAUNCH:
		m.launch(e.GetLaunch().GetTask(), now)
	case executor.Event_LAUNCH_GROUP:
		m.printf("Shutting down: task groups are not for this executor")
		m.shutdown(now)
	case executor.Event_KILL:
		m.killTask(e.GetKill(), now)
	case executor.Event_ACKNOWLEDGED:
		if m.ended && m.agent.Unacknowledged() == 0 {
			m.exit(0)
		}
	case executor.Event_SHUTDOWN:
		m.printf("Shutting down")
		m.shutdown(now)
	case executor.Event_ERROR:
		m.printf("The agent reports an error: %s", e.GetError().GetMessage())
	}
}

func (m *machine) subscribed(s *executor.Event_Subscribed) {
	m.killing = false
	for _, c := range s.GetFrameworkInfo().GetCapabilities() {
		m.killing = m.killing || c.GetType() == mesos.FrameworkInfo_Capability_TASK_KILLING_STATE
	}
}

// launch starts the task, which may be the only one.
func (m *machine) launch(task *mesos.TaskInfo, now time.Time) {
	if m.task != nil {
		m.agent.Update(&mesos.TaskStatus{
			TaskId:  task.GetTaskId(),
			State:   mesos.TaskState_TASK_FAILED.Enum(),
			Message: new(`Attempted to run multiple tasks using a "command" executor`),
		})
		return
	}
	m.task = task
	m.update(mesos.TaskState_TASK_STARTING, nil, "")
	m.printf("Starting task %s", task.GetTaskId().GetValue())
	c, err := m.start(task, m.environ)
	if err != nil {
		m.end(mesos.TaskState_TASK_FAILED, nil, "Failed to start the command: "+err.Error(), now)
		return
	}
	m.command = c
	if limit := time.Duration(task.GetMaxCompletionTime().GetNanoseconds()); limit > 0 {
		m.completion = now.Add(limit)
	}
	m.update(mesos.TaskState_TASK_RUNNING, nil, "")
	if task.GetCheck() != nil || task.GetHealthCheck() != nil {
		m.stopChecks = m.checks(task)
	}
}

// killTask kills at the framework's wish. The grace of that wish comes before
// the task's own.
func (m *machine) killTask(k *executor.Event_Kill, now time.Time) {
	if m.task == nil {
		// The task's LAUNCH got lost, and the agent won't send it after this.
		m.printf("Exiting: asked to kill task %s, which was never launched", k.GetTaskId().GetValue())
		m.exit(0)
		return
	}
	if k.GetTaskId().GetValue() != m.task.GetTaskId().GetValue() {
		m.printf("Asked to kill task %s, which is not here", k.GetTaskId().GetValue())
		return
	}
	m.terminate(m.killGrace(k.GetKillPolicy()), true, now)
}

// killGrace is what a policy gives, or else the task's own.
func (m *machine) killGrace(policy *mesos.KillPolicy) time.Duration {
	for _, p := range []*mesos.KillPolicy{policy, m.task.GetKillPolicy()} {
		if g := p.GetGracePeriod(); g != nil {
			return time.Duration(g.GetNanoseconds())
		}
	}
	return cmp.Or(m.killAfter, defaultKillGrace)
}

// containerised has the machine speak of a Docker container, and end it as Mesos's executor of
// such containers does: within the agent's grace.
func (m *machine) containerised(i *image) {
	m.stop, m.data = i.stopSignal, i.data
	if i.docker {
		m.noun, m.killAfter = "Container", m.grace
	}
}

// name is what the task is called in messages.
func (m *machine) name() string { return cmp.Or(m.noun, "Command") }

// terminate begins to end the task, or hastens that: a later wish can only
// shorten the time that the first one gave.
func (m *machine) terminate(grace time.Duration, tell bool, now time.Time) {
	if m.ended {
		return
	}
	grace = max(grace, 0)
	if m.kill.asked {
		m.kill.deadline = deadline.Earlier(m.kill.deadline, m.kill.since.Add(grace))
		return
	}
	m.kill.asked, m.kill.since, m.kill.deadline = true, now, now.Add(grace)
	m.completion = time.Time{}
	m.endChecks()
	if tell && m.killing {
		m.update(mesos.TaskState_TASK_KILLING, nil, "")
	}
	stop := cmp.Or(m.stop, syscall.SIGTERM)
	m.printf("Sending %v to the task; SIGKILL follows in %v", unix.SignalName(stop), grace)
	m.command.Signal(stop)
}

// shutdown ends the task, if there is one, and then the executor.
func (m *machine) shutdown(now time.Time) {
	if m.task == nil || m.ended && m.agent.Unacknowledged() == 0 {
		m.exit(0)
		return
	}
	if m.quitAt.IsZero() {
		m.quitAt = now.Add(m.grace)
	}
	m.terminate(m.grace-shutdownSlack, true, now)
}

// exited handles the end of the task's first process.
func (m *machine) exited(status *syscall.WaitStatus, now time.Time) {
	m.command = nil
	state, reason, message := mesos.TaskState_TASK_FAILED, (*mesos.TaskStatus_Reason)(nil), "Failed to get exit status for "+m.name()
	if status != nil {
		message = m.name() + " " + Describe(*status)
		switch {
		case m.overdue:
			reason = mesos.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
		case m.kill.asked:
			state = mesos.TaskState_TASK_KILLED
		case status.Exited() && status.ExitStatus() == 0:
			state = mesos.TaskState_TASK_FINISHED
		}
	}
	m.printf("%s", message)
	m.end(state, reason, message, now)
}

func (m *machine) end(state mesos.TaskState, reason *mesos.TaskStatus_Reason, message string, now time.Time) {
	m.ended, m.endedAt, m.completion = true, now, time.Time{}
	m.endChecks()
	m.update(state, reason, message)
}

// tick does what is due and returns when it wants to be called again; zero for never.
func (m *machine) tick(now time.Time) time.Time {
	if deadline.Due(m.completion, now) {
		m.completion = time.Time{}
		m.overdue = true
		m.printf("Task did not complete within %v", time.Duration(m.task.GetMaxCompletionTime().GetNanoseconds()))
		m.terminate(0, false, now)
	}
	if m.kill.asked && !m.ended && !m.kill.done && deadline.Due(m.kill.deadline, now) {
		m.kill.done = true
		m.printf("Sending SIGKILL to the task")
		m.command.Signal(syscall.SIGKILL)
	}
	if deadline.Due(m.quitAt, now) {
		if m.command != nil {
			m.command.Signal(syscall.SIGKILL)
		}
		m.exit(1)
	}
	// An agent that is there but doesn't acknowledge forgot us. While there is
	// none, the client decides how long to wait.
	if m.ended && !m.agent.Subscribed() {
		m.endedAt = now
	}
	if m.ended && deadline.Due(m.endedAt.Add(maxFarewell), now) {
		m.printf("Exiting: the agent did not acknowledge the task's last update")
		m.exit(1)
	}
	return m.nextTick(now)
}

// nextTick is when something may be due next, later than now.
func (m *machine) nextTick(now time.Time) time.Time {
	next := deadline.Earlier(m.completion, m.quitAt)
	if m.kill.asked && !m.ended && !m.kill.done {
		next = deadline.Earlier(next, m.kill.deadline)
	}
	if m.ended {
		next = deadline.Earlier(next, deadline.Earlier(now.Add(maxFarewell/4), m.endedAt.Add(maxFarewell)))
	}
	return next
}

// agentGone handles the end of the connection for good.
func (m *machine) agentGone(err error, now time.Time) {
	m.printf("Shutting down: %v", err)
	if m.task == nil || m.ended {
		m.exit(1)
		return
	}
	m.shutdown(now)
}

func (m *machine) update(state mesos.TaskState, reason *mesos.TaskStatus_Reason, message string) {
	s := &mesos.TaskStatus{TaskId: m.task.GetTaskId(), State: &state, Reason: reason}
	if message != "" {
		s.Message = &message
	}
	if state == mesos.TaskState_TASK_RUNNING {
		s.Data = m.data
	}
	s.CheckStatus = check.Empty(m.task.GetCheck())
	if m.ended && m.unhealthy {
		s.Healthy = new(false)
	}
	m.send(s)
}

func (m *machine) send(s *mesos.TaskStatus) {
	m.last = s
	m.agent.Update(s)
}

func (m *machine) endChecks() {
	if m.stopChecks != nil {
		m.stopChecks()
		m.stopChecks = nil
	}
}

func (m *machine) exit(code int) {
	if !m.quit {
		m.quit, m.code = true, code
	}
}

// printf tells the task's user, in the sandbox's stderr.
func (m *machine) printf(format string, args ...any) {
	fmt.Fprintf(m.log, format+"\n", args...)
}

// inbox is what comes to the machine beside the agent's events.
type inbox struct {
	// exits has the end of the task, signals those of the process.
	exits   <-chan *syscall.WaitStatus
	signals <-chan os.Signal
	// away says that a subscription has ended.
	away <-chan struct{}
	// calls has what is to be called.
	calls chan func(time.Time)
}

// run is the goroutine of the machine.
func (m *machine) run(ctx context.Context, c *client.Client, w *watches, in inbox) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.post = func(f func(time.Time)) {
		select {
		case in.calls <- f:
		case <-ctx.Done():
		}
	}
	m.checks = func(t *mesos.TaskInfo) func() { return w.start(ctx, t) }
	events, gone := c.Start(ctx)
	timer := time.NewTimer(0)
	for !m.quit {
		select {
		case e := <-events:
			m.event(e, time.Now())
			if e.GetType() == executor.Event_SUBSCRIBED {
				w.pause(false)
			}
		case <-in.away:
			w.pause(!c.Subscribed())
		case f := <-in.calls:
			f(time.Now())
		case err := <-gone:
			gone = nil
			m.agentGone(err, time.Now())
		case status := <-in.exits:
			m.exited(status, time.Now())
			if gone == nil { // there is nobody to tell
				m.exit(1)
			}
		case s := <-in.signals:
			m.printf("Shutting down: %v", s)
			m.shutdown(time.Now())
		case <-timer.C:
		}
		if next := m.tick(time.Now()); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
	return m.code
}
