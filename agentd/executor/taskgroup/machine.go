package taskgroup

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/executor/deadline"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// Mesos's numbers.
const (
	// defaultKillGrace is between SIGTERM and SIGKILL for tasks without a kill policy.
	defaultKillGrace = 3 * time.Second
	// shutdownSlack is what is left of the agent's grace after a shutdown to tell
	// of the tasks' ends.
	shutdownSlack = 2 * time.Second
	// killAgain is when a SIGKILL that did not end the container is repeated.
	killAgain = time.Second
	// maxFarewell is how long to wait for the acknowledgement of the last update.
	maxFarewell = time.Minute
)

// connection is what the machine needs of the connection to the agent.
type connection interface {
	Update(*mesos.TaskStatus)
	Unacknowledged() int
	Subscribed() bool
}

// containers is what it needs of the agent API.
type containers interface {
	Launch(context.Context, *agent.Call_LaunchContainer) error
	Wait(context.Context, *mesos.ContainerID) (*agent.Response_WaitNestedContainer, error)
	Kill(context.Context, *mesos.ContainerID, syscall.Signal) error
}

// machine is the executor's state. One goroutine calls its methods.
type machine struct {
	agent connection
	api   containers
	log   io.Writer
	grace time.Duration // the agent's after SHUTDOWN
	// ip is what tasks are told as their container's address.
	ip string
	// uuid makes names of containers.
	uuid func() string
	// link makes the sandbox of a task findable by the task's ID.
	link func(task, container string) error
	// later calls a function that takes time, and what that returns on the
	// machine's goroutine.
	later func(func(context.Context) func(now time.Time))
	// checks starts the checks of a task that runs; what it returns stops them.
	checks func(t *task) (stop func())

	container *mesos.ContainerID // the executor's own
	killing   bool               // the framework knows TASK_KILLING
	tasks     map[string]*task
	order     []string // of tasks, as they came
	ended     bool     // no task is left of those that came
	endedAt   time.Time
	closing   bool      // no group is taken any more
	quitAt    time.Time // when to exit whatever is left
	code      int
	quit      bool
}

// task is one that has not ended.
type task struct {
	info      *mesos.TaskInfo
	group     []*mesos.TaskInfo
	container *mesos.ContainerID
	// running says that the container was launched.
	running    bool
	last       *mesos.TaskStatus
	completion time.Time // of max_completion_time; zero for none
	overdue    bool      // that was reached
	unhealthy  bool      // it is killed for failing health checks
	kill       struct {
		asked    bool
		grace    time.Duration
		since    time.Time
		deadline time.Time // when SIGKILL follows, or is repeated
	}
	// spared says that its end doesn't end its group: that ends already.
	spared     bool
	stopChecks func()
}

func (t *task) id() string { return t.info.GetTaskId().GetValue() }

// event handles what the agent says.
func (m *machine) event(e *executor.Event, now time.Time) {
	switch e.GetType() {
	case executor.Event_SUBSCRIBED:
		m.subscribed(e.GetSubscribed())
	case executor.Event_LAUNCH:
		m.printf("Shutting down: tasks without a group are not for this executor")
		m.shutdown(now)
	case executor.Event_LAUNCH_GROUP:
		m.launchGroup(e.GetLaunchGroup().GetTaskGroup().GetTasks())
	case executor.Event_KILL:
		m.killTask(e.GetKill(), now)
	case executor.Event_ACKNOWLEDGED:
		m.leaveIfDone()
	case executor.Event_SHUTDOWN:
		m.printf("Shutting down")
		m.shutdown(now)
	case executor.Event_ERROR:
		m.printf("The agent reports an error: %s", e.GetError().GetMessage())
	}
}

func (m *machine) subscribed(s *executor.Event_Subscribed) {
	m.container = s.GetContainerId()
	m.killing = false
	for _, c := range s.GetFrameworkInfo().GetCapabilities() {
		m.killing = m.killing || c.GetType() == mesos.FrameworkInfo_Capability_TASK_KILLING_STATE
	}
}

// shutdown ends all tasks and then the executor.
func (m *machine) shutdown(now time.Time) {
	if m.closing {
		return
	}
	m.closing = true
	m.quitAt = now.Add(m.grace)
	if len(m.tasks) == 0 {
		m.allEnded(now)
		return
	}
	grace := max(0, min(defaultKillGrace, m.grace-shutdownSlack))
	for _, id := range m.order {
		if t := m.tasks[id]; t != nil && !t.kill.asked {
			m.terminate(t, grace, true, now)
		}
	}
}

// agentGone handles the end of the connection for good: nobody can be told of
// anything any more, and the agent that comes one day ends what still runs.
func (m *machine) agentGone(err error) {
	m.printf("Exiting: %v", err)
	m.exit(1)
}

// allEnded begins the executor's own end.
func (m *machine) allEnded(now time.Time) {
	m.ended, m.endedAt = true, now
	m.leaveIfDone()
}

func (m *machine) leaveIfDone() {
	if m.ended && len(m.tasks) == 0 && m.agent.Unacknowledged() == 0 {
		m.exit(0)
	}
}

// tick does what is due and returns when it wants to be called again; zero for never.
func (m *machine) tick(now time.Time) time.Time {
	for _, id := range m.order {
		t := m.tasks[id]
		if t == nil {
			continue
		}
		if deadline.Due(t.completion, now) {
			m.timedOut(t, now)
		}
		if t.kill.asked && t.running && deadline.Due(t.kill.deadline, now) {
			t.kill.deadline = now.Add(killAgain)
			m.printf("Sending SIGKILL to task %s", id)
			m.signal(t, syscall.SIGKILL)
		}
	}
	if deadline.Due(m.quitAt, now) {
		m.printf("Exiting: the agent's time for it is over")
		m.exit(1)
	}
	// An agent that is there but doesn't acknowledge forgot us. While there is
	// none, the client decides how long to wait.
	if m.ended && !m.agent.Subscribed() {
		m.endedAt = now
	}
	if m.ended && deadline.Due(m.endedAt.Add(maxFarewell), now) {
		m.printf("Exiting: the agent did not acknowledge the last updates")
		m.exit(1)
	}
	return m.nextTick(now)
}

// nextTick is when something may be due next, later than now.
func (m *machine) nextTick(now time.Time) time.Time {
	next := m.quitAt
	for _, t := range m.tasks {
		next = deadline.Earlier(next, t.completion)
		if t.kill.asked && t.running {
			next = deadline.Earlier(next, t.kill.deadline)
		}
	}
	if m.ended {
		next = deadline.Earlier(next, deadline.Earlier(now.Add(maxFarewell/4), m.endedAt.Add(maxFarewell)))
	}
	return next
}

func (m *machine) exit(code int) {
	if !m.quit {
		m.quit, m.code = true, code
	}
}

// printf tells the tasks' user, in the executor's stderr.
func (m *machine) printf(format string, args ...any) {
	fmt.Fprintf(m.log, format+"\n", args...)
}
