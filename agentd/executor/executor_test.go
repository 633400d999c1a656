package executor

import (
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
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// script drives a machine by hand and keeps a transcript of what it does.
type script struct {
	m       *machine
	now     time.Time
	lines   []string
	pending int
	away    bool
	over    bool
	fails   error
}

func newScript() *script {
	s := &script{now: time.Unix(1000, 0)}
	s.m = &machine{agent: s, log: io.Discard, grace: 5 * time.Second,
		start: func(*mesos.TaskInfo, []string) (command, error) { s.say("start"); return s, s.fails }}
	return s
}

func (s *script) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf("%v ", s.now.Sub(time.Unix(1000, 0)))+fmt.Sprintf(format, args...))
}

func (s *script) Update(u *mesos.TaskStatus) {
	s.pending++
	line := strings.TrimPrefix(u.GetState().String(), "TASK_")
	if u.Reason != nil {
		line += " " + u.GetReason().String()
	}
	if u.Message != nil {
		line += ": " + u.GetMessage()
	}
	s.say("%s", line)
}
func (s *script) Unacknowledged() int          { return s.pending }
func (s *script) Subscribed() bool             { return !s.away }
func (s *script) Signal(signal syscall.Signal) { s.say("signal %d", signal) }

// The steps of scripts.
func (s *script) subscribed(caps ...mesos.FrameworkInfo_Capability_Type) *script {
	f := &mesos.FrameworkInfo{}
	for _, c := range caps {
		f.Capabilities = append(f.Capabilities, &mesos.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return s.event(&executor.Event{Type: executor.Event_SUBSCRIBED.Enum(), Subscribed: &executor.Event_Subscribed{FrameworkInfo: f}})
}

func (s *script) event(e *executor.Event) *script {
	s.m.event(e, s.now)
	return s.ticked()
}

func (s *script) launch(change func(*mesos.TaskInfo)) *script {
	t := &mesos.TaskInfo{TaskId: &mesos.TaskID{Value: new("t")}}
	if change != nil {
		change(t)
	}
	return s.event(&executor.Event{Type: executor.Event_LAUNCH.Enum(), Launch: &executor.Event_Launch{Task: t}})
}

func (s *script) kill(grace time.Duration) *script {
	k := &executor.Event_Kill{TaskId: &mesos.TaskID{Value: new("t")}}
	if grace >= 0 {
		k.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: new(int64(grace))}}
	}
	return s.event(&executor.Event{Type: executor.Event_KILL.Enum(), Kill: k})
}

func (s *script) shutdown() *script {
	return s.event(&executor.Event{Type: executor.Event_SHUTDOWN.Enum()})
}

func (s *script) acknowledge() *script {
	s.pending = 0
	return s.event(&executor.Event{Type: executor.Event_ACKNOWLEDGED.Enum()})
}

func (s *script) exited(status int) *script {
	s.m.exited(new(syscall.WaitStatus(status)), s.now)
	return s.ticked()
}

// after lets time pass, as the machine wants to be told of it.
func (s *script) after(d time.Duration) *script {
	for end := s.now.Add(d); ; {
		next := s.m.nextTick(s.now)
		if next.IsZero() || next.After(end) || s.m.quit {
			s.now = end
			return s.ticked()
		}
		if !next.After(s.now) {
			panic("the machine wants to be called without end")
		}
		s.now = next
		s.ticked()
	}
}

func (s *script) ticked() *script {
	if !s.m.quit {
		s.m.tick(s.now)
	}
	if s.m.quit && !s.over {
		s.over = true
		s.say("exit %d", s.m.code)
	}
	return s
}

func (s *script) health(h check.Health) *script {
	s.m.healthChecked(h, s.now)
	return s.ticked()
}

func (s *script) with(change func(*script)) *script { change(s); return s }

func grace(d time.Duration) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		t.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: new(int64(d))}}
	}
}

const killed = int(syscall.SIGKILL)

func TestMachine(t *testing.T) {
	const killing = mesos.FrameworkInfo_Capability_TASK_KILLING_STATE
	tests := map[string]struct {
		s    *script
		want []string
	}{
		"finishes": {
			newScript().subscribed().launch(nil).after(time.Second).exited(0).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "1s FINISHED: Command exited with status 0", "1s exit 0"},
		},
		"fails": {
			newScript().subscribed().launch(nil).exited(1 << 8).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s FAILED: Command exited with status 1", "0s exit 0"},
		},
		"is killed by somebody": {
			newScript().subscribed().launch(nil).exited(killed).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s FAILED: Command terminated with signal Killed", "0s exit 0"},
		},
		"can't start": {
			newScript().with(func(s *script) { s.fails = errors.New("no such file") }).subscribed().launch(nil).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s FAILED: Failed to start the command: no such file", "0s exit 0"},
		},
		"obeys SIGTERM": {
			newScript().subscribed(killing).launch(nil).kill(-1).after(time.Second).exited(int(syscall.SIGTERM)).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s KILLING", "0s signal 15",
				"1s KILLED: Command terminated with signal Terminated", "1s exit 0"},
		},
		"has to be forced": {
			newScript().subscribed().launch(nil).kill(-1).after(4 * time.Second).exited(killed),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "3s signal 9", "4s KILLED: Command terminated with signal Killed"},
		},
		"grace of the task": {
			newScript().subscribed().launch(grace(20 * time.Second)).kill(-1).after(30 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "20s signal 9"},
		},
		"grace of the kill": {
			newScript().subscribed().launch(grace(20 * time.Second)).kill(0),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "0s signal 9"},
		},
		"a later kill can't give more time": {
			newScript().subscribed(killing).launch(nil).kill(10 * time.Second).after(time.Second).kill(time.Hour).after(20 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s KILLING", "0s signal 15", "10s signal 9"},
		},
		"a later kill can give less": {
			newScript().subscribed().launch(nil).kill(10 * time.Second).after(time.Second).kill(5 * time.Second).after(20 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "5s signal 9"},
		},
		"exits by itself while being killed": {
			newScript().subscribed().launch(nil).kill(-1).exited(0).after(10 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "0s KILLED: Command exited with status 0"},
		},
		"what checks find out while it is being killed is not told": {
			newScript().subscribed(killing).launch(nil).health(check.Health{Healthy: true}).kill(-1).after(time.Second).
				health(check.Health{Kill: true, Why: "it is being killed"}).with(func(s *script) { s.m.checked(&mesos.CheckStatusInfo{}) }).exited(killed),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s RUNNING REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "0s KILLING", "0s signal 15",
				"1s KILLED: Command terminated with signal Killed"},
		},
		"kill before launch": {
			newScript().subscribed().kill(-1),
			[]string{"0s exit 0"},
		},
		"kill of another task": {
			newScript().subscribed().launch(func(t *mesos.TaskInfo) { t.TaskId = &mesos.TaskID{Value: new("other")} }).kill(-1).after(time.Minute),
			[]string{"0s STARTING", "0s start", "0s RUNNING"},
		},
		"second task": {
			newScript().subscribed().launch(nil).launch(nil),
			[]string{"0s STARTING", "0s start", "0s RUNNING", `0s FAILED: Attempted to run multiple tasks using a "command" executor`},
		},
		"takes too long": {
			newScript().subscribed(killing).launch(func(t *mesos.TaskInfo) {
				t.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: new(int64(time.Minute))}
			}).after(2 * time.Minute).exited(killed).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "1m0s signal 15", "1m0s signal 9",
				"2m0s FAILED REASON_MAX_COMPLETION_TIME_REACHED: Command terminated with signal Killed", "2m0s exit 0"},
		},
		"killed before it takes too long": {
			newScript().subscribed().launch(func(t *mesos.TaskInfo) {
				t.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: new(int64(time.Minute))}
			}).kill(2 * time.Minute).after(90 * time.Second).exited(killed).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15",
				"1m30s KILLED: Command terminated with signal Killed", "1m30s exit 0"},
		},
		"shutdown": {
			newScript().subscribed().launch(nil).shutdown().after(4 * time.Second).exited(killed).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "3s signal 9",
				"4s KILLED: Command terminated with signal Killed", "4s exit 0"},
		},
		"shutdown that can't be told": {
			newScript().subscribed().launch(nil).shutdown().after(10 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "3s signal 9", "5s signal 9", "5s exit 1"},
		},
		"shutdown without a task": {
			newScript().subscribed().shutdown(),
			[]string{"0s exit 0"},
		},
		"shutdown hastens a kill": {
			newScript().subscribed().launch(nil).kill(time.Hour).shutdown().after(4 * time.Second),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "3s signal 9"},
		},
		"no acknowledgement": {
			newScript().subscribed().launch(nil).exited(0).after(2 * time.Minute),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s FINISHED: Command exited with status 0", "1m0s exit 1"},
		},
		"waits for an agent that is away": {
			newScript().subscribed().launch(nil).with(func(s *script) { s.away = true }).exited(0).after(10 * time.Minute).
				with(func(s *script) { s.away = false }).after(time.Second).acknowledge(),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s FINISHED: Command exited with status 0", "10m1s exit 0"},
		},
		"the agent is gone": {
			newScript().subscribed().launch(nil).with(func(s *script) { s.m.agentGone(errors.New("gone"), s.now); s.ticked() }).after(time.Minute),
			[]string{"0s STARTING", "0s start", "0s RUNNING", "0s signal 15", "3s signal 9", "5s signal 9", "5s exit 1"},
		},
		"the agent was never there": {
			newScript().with(func(s *script) { s.m.agentGone(errors.New("gone"), s.now); s.ticked() }),
			[]string{"0s exit 1"},
		},
		"task group": {
			newScript().subscribed().event(&executor.Event{Type: executor.Event_LAUNCH_GROUP.Enum()}),
			[]string{"0s exit 0"},
		},
		"nothing special": {
			newScript().subscribed().event(&executor.Event{Type: executor.Event_HEARTBEAT.Enum()}).
				event(&executor.Event{Type: executor.Event_ERROR.Enum(), Error: &executor.Event_Error{Message: new("x")}}).
				event(&executor.Event{Type: executor.Event_MESSAGE.Enum()}).event(&executor.Event{}).after(time.Hour),
			nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.s.lines); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for status, want := range map[int]string{
		0:                          "exited with status 0",
		255 << 8:                   "exited with status 255",
		int(syscall.SIGSEGV) | 128: "terminated with signal Segmentation fault (core dumped)",
		34:                         "terminated with signal Real-time signal 0",
		65:                         "terminated with signal Unknown signal 65",
	} {
		if got := Describe(syscall.WaitStatus(status)); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	task := &mesos.TaskInfo{
		Command: &mesos.CommandInfo{Environment: &mesos.Environment{Variables: []*mesos.Environment_Variable{
			{Name: new("A"), Value: new("task")},
			{Name: new("S"), Type: mesos.Environment_Variable_SECRET.Enum()},
		}}},
		Resources: []*mesos.Resource{{AllocationInfo: &mesos.Resource_AllocationInfo{Role: new("dev")}}},
	}
	got := environment(task, environ([]string{"A=agent", "B=1=2", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN=secret", "S=kept"}))
	if diff := cmp.Diff([]string{"A=task", "B=1=2", "S=kept", "MESOS_ALLOCATION_ROLE=dev"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArgv(t *testing.T) {
	env := []string{"PATH=/no/such:/bin"}
	tests := map[string]struct {
		c    *mesos.CommandInfo
		path string
		args []string
		err  string
	}{
		"shell":          {c: &mesos.CommandInfo{Value: new("a b")}, path: "/bin/sh", args: []string{"sh", "-c", "a b"}},
		"executable":     {c: &mesos.CommandInfo{Shell: new(false), Value: new("ls"), Arguments: []string{"list", "-l"}}, path: "/bin/ls", args: []string{"list", "-l"}},
		"no arguments":   {c: &mesos.CommandInfo{Shell: new(false), Value: new("/x/y")}, path: "/x/y", args: []string{"/x/y"}},
		"not found":      {c: &mesos.CommandInfo{Shell: new(false), Value: new("no-such")}, err: "not in PATH"},
		"nothing":        {c: &mesos.CommandInfo{}, err: "shell command is not specified"},
		"no executable ": {c: &mesos.CommandInfo{Shell: new(false)}, err: "executable is not specified"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, args, err := argv(test.c, env)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || path != test.path || !cmp.Equal(args, test.args) {
				t.Errorf("%s %v, error %v", path, args, err)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	got, err := parseFlags([]string{
		"--sandbox_directory=/mnt/mesos/sandbox", "--user=root", "--working_directory=/work",
		`--task_command={"shell":false,"value":"/bin/run","arguments":["/bin/run","a"]}`, `--task_environment=["A=1","B=2","odd"]`,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.dir != "/work" || got.commandOf(&mesos.TaskInfo{}).GetValue() != "/bin/run" {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"A=1", "C=3", "B=2"}, got.environment([]string{"A=0", "C=3"})); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"--rootfs=/x", "--task_command={", "--task_environment={}"} {
		if _, err := parseFlags([]string{bad}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
