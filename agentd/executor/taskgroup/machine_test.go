package taskgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/executor/check"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// script drives a machine by hand and keeps a transcript of what it does.
type script struct {
	m       *machine
	now     time.Time
	lines   []string
	pending int
	fails   map[string]error // launches, by task
	waits   bool             // the last call was a wait
}

var start = time.Unix(1000, 0)

func newScript() *script {
	s := &script{now: start, fails: map[string]error{}}
	n := 0
	s.m = &machine{
		agent: s, api: s, log: io.Discard, grace: 5 * time.Second, ip: "192.0.2.1", tasks: map[string]*task{},
		uuid: func() string { n++; return fmt.Sprintf("c%d", n) },
		link: func(task, _ string) error { return nil },
		// Calls are answered at once, but for waits, which a script ends itself.
		later: func(f func(context.Context) func(time.Time)) {
			if then := f(context.Background()); !s.waits {
				then(s.now)
			}
			s.waits = false
		},
		checks: func(t *task) func() {
			s.say("checks of %s", t.id())
			return func() { s.say("no checks of %s", t.id()) }
		},
	}
	f := &mesos.FrameworkInfo{Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE.Enum()}}}
	s.m.event(&executor.Event{Type: executor.Event_SUBSCRIBED.Enum(), Subscribed: &executor.Event_Subscribed{
		FrameworkInfo: f, ContainerId: &mesos.ContainerID{Value: new("root")},
	}}, s.now)
	return s
}

func (s *script) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf("%v ", s.now.Sub(start))+fmt.Sprintf(format, args...))
}

func (s *script) Update(u *mesos.TaskStatus) {
	s.pending++
	line := u.GetTaskId().GetValue() + " " + strings.TrimPrefix(u.GetState().String(), "TASK_")
	if u.Reason != nil {
		line += " " + u.GetReason().String()
	}
	if u.Healthy != nil {
		line += fmt.Sprintf(" healthy=%v", u.GetHealthy())
	}
	if u.Message != nil {
		line += ": " + u.GetMessage()
	}
	s.say("%s", line)
}
func (s *script) Unacknowledged() int { return s.pending }
func (s *script) Subscribed() bool    { return true }

func (s *script) Launch(_ context.Context, l *agent.Call_LaunchContainer) error {
	return s.fails[l.GetCommand().GetValue()]
}

func (s *script) Wait(context.Context, *mesos.ContainerID) (*agent.Response_WaitNestedContainer, error) {
	s.waits = true
	return nil, nil
}

func (s *script) Kill(_ context.Context, id *mesos.ContainerID, signal syscall.Signal) error {
	s.say("signal %d for %s", signal, id.GetValue())
	return nil
}

func (s *script) group(ids ...string) *script {
	g := &mesos.TaskGroupInfo{}
	for _, id := range ids {
		g.Tasks = append(g.Tasks, &mesos.TaskInfo{
			TaskId: &mesos.TaskID{Value: &id}, Command: &mesos.CommandInfo{Value: &id},
			HealthCheck: &mesos.HealthCheck{}, MaxCompletionTime: &mesos.DurationInfo{Nanoseconds: new(int64(time.Minute))},
		})
	}
	s.m.event(&executor.Event{Type: executor.Event_LAUNCH_GROUP.Enum(), LaunchGroup: &executor.Event_LaunchGroup{TaskGroup: g}}, s.now)
	return s
}

func (s *script) kill(id string) *script {
	s.m.event(&executor.Event{Type: executor.Event_KILL.Enum(), Kill: &executor.Event_Kill{TaskId: &mesos.TaskID{Value: &id}}}, s.now)
	return s
}

func (s *script) shutdown() *script {
	s.m.event(&executor.Event{Type: executor.Event_SHUTDOWN.Enum()}, s.now)
	return s
}

// exits ends a task's container with a wait status.
func (s *script) exits(id string, status int32) *script {
	s.m.exited(s.m.tasks[id], &agent.Response_WaitNestedContainer{ExitStatus: &status}, nil, s.now)
	return s
}

func (s *script) health(id string, h check.Health) *script {
	s.m.healthChecked(s.m.tasks[id], h, s.now)
	return s
}

func (s *script) acknowledge() *script {
	s.pending = 0
	s.m.event(&executor.Event{Type: executor.Event_ACKNOWLEDGED.Enum()}, s.now)
	if s.m.quit {
		s.say("exit %d", s.m.code)
	}
	return s
}

// after lets time pass, as the machine wants to be told of it.
func (s *script) after(d time.Duration) *script {
	for end := s.now.Add(d); ; {
		next := s.m.nextTick(s.now)
		if s.m.quit || next.IsZero() || next.After(end) {
			s.now = end
			return s
		}
		s.now = next
		s.m.tick(s.now)
	}
}

func TestMachine(t *testing.T) {
	failing := newScript()
	failing.fails["b"] = errors.New("no such file")
	tests := map[string]struct {
		script *script
		want   []string
	}{
		"a finish ends nobody else": {newScript().group("a", "b").exits("a", 0).exits("b", 0).acknowledge(), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s b STARTING", "0s b RUNNING", "0s checks of b",
			"0s no checks of a", "0s a FINISHED: Command exited with status 0",
			"0s no checks of b", "0s b FINISHED: Command exited with status 0", "0s exit 0",
		}},
		"a failure ends the group": {newScript().group("a", "b").exits("a", 256).after(3*time.Second).exits("b", 9), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s b STARTING", "0s b RUNNING", "0s checks of b",
			"0s no checks of a", "0s a FAILED: Command exited with status 1",
			"0s no checks of b", "0s b KILLING", "0s signal 15 for c2", "3s signal 9 for c2",
			"3s b KILLED: Command terminated with signal Killed",
		}},
		"but no other group": {newScript().group("a").group("b").kill("a").exits("a", 15).acknowledge(), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s b STARTING", "0s b RUNNING", "0s checks of b",
			"0s no checks of a", "0s a KILLING", "0s signal 15 for c1", "0s a KILLED: Command terminated with signal Terminated",
		}},
		"a launch that fails ends the group": {failing.group("a", "b").exits("a", 15), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s b STARTING", "0s b FAILED: no such file",
			"0s no checks of a", "0s a KILLING", "0s signal 15 for c1", "0s a KILLED: Command terminated with signal Terminated",
		}},
		"too long is a failure": {newScript().group("a").after(time.Minute).exits("a", 9), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "1m0s no checks of a", "1m0s signal 15 for c1", "1m0s signal 9 for c1",
			"1m0s a FAILED REASON_MAX_COMPLETION_TIME_REACHED: Command terminated with signal Killed",
		}},
		"hopeless health kills": {newScript().group("a").health("a", check.Health{Healthy: true}).health("a", check.Health{}).
			health("a", check.Health{Kill: true}).exits("a", 15), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s a RUNNING REASON_TASK_HEALTH_CHECK_STATUS_UPDATED healthy=true",
			"0s a RUNNING REASON_TASK_HEALTH_CHECK_STATUS_UPDATED healthy=false",
			"0s a RUNNING REASON_TASK_HEALTH_CHECK_STATUS_UPDATED healthy=false",
			"0s no checks of a", "0s a KILLING", "0s signal 15 for c1", "0s a KILLED healthy=false: Command terminated with signal Terminated",
		}},
		"a shutdown ends all, in the time there is": {newScript().group("a").shutdown().group("late").after(5 * time.Second), []string{
			"0s a STARTING", "0s a RUNNING", "0s checks of a", "0s no checks of a", "0s a KILLING", "0s signal 15 for c1",
			"3s signal 9 for c1", "4s signal 9 for c1", "5s signal 9 for c1",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.script.lines); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
