package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

func TestFromEnvironment(t *testing.T) {
	full := map[string]string{
		"MESOS_FRAMEWORK_ID": "f", "MESOS_EXECUTOR_ID": "e", "MESOS_SLAVE_PID": "slave(1)@10.0.0.1:5051",
		"MESOS_CHECKPOINT": "1", "MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "8secs", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "t",
	}
	want := Config{
		URL: "http://10.0.0.1:5051/slave(1)/api/v1/executor", FrameworkID: "f", ExecutorID: "e", Token: "t", Checkpoint: true,
		RecoveryTimeout: 15 * time.Minute, BackoffMax: 2 * time.Second, ShutdownGrace: 8 * time.Second, RetryAfter: 10 * time.Second,
	}
	tests := map[string]struct {
		change map[string]string
		want   func(*Config)
		err    string
	}{
		"all":                   {},
		"no checkpoint":         {change: map[string]string{"MESOS_CHECKPOINT": "0", "MESOS_RECOVERY_TIMEOUT": "-", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "-"}, want: func(c *Config) { c.Checkpoint, c.RecoveryTimeout, c.BackoffMax = false, 0, 0 }},
		"address only":          {change: map[string]string{"MESOS_SLAVE_PID": "-", "MESOS_AGENT_ENDPOINT": "10.0.0.1:5051"}},
		"IPv6":                  {change: map[string]string{"MESOS_SLAVE_PID": "slave(1)@[::1]:5051"}, want: func(c *Config) { c.URL = "http://[::1]:5051/slave(1)/api/v1/executor" }},
		"no agent":              {change: map[string]string{"MESOS_SLAVE_PID": "-"}, err: "neither"},
		"bad agent":             {change: map[string]string{"MESOS_SLAVE_PID": "10.0.0.1:5051"}, err: "want id@ip:port"},
		"bad address":           {change: map[string]string{"MESOS_SLAVE_PID": "slave(1)@host"}, err: "want ip:port"},
		"no executor":           {change: map[string]string{"MESOS_EXECUTOR_ID": "-"}, err: "MESOS_EXECUTOR_ID is not set"},
		"no recovery timeout":   {change: map[string]string{"MESOS_RECOVERY_TIMEOUT": "-"}, err: "MESOS_RECOVERY_TIMEOUT is not set"},
		"strange grace":         {change: map[string]string{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5"}, err: "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"},
		"grace as agents do it": {change: map[string]string{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "-"}, want: func(c *Config) { c.ShutdownGrace = 5 * time.Second }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FromEnvironment(func(name string) (string, bool) {
				v, ok := full[name]
				if c, changed := test.change[name]; changed {
					v, ok = c, c != "-"
				}
				if !ok {
					v = ""
				}
				return v, ok
			})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := want
			if test.want != nil {
				test.want(&want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// fakeAgent answers as an agent; tests tell it what to say.
type fakeAgent struct {
	t      *testing.T
	server *httptest.Server
	calls  chan *executor.Call
	status int // of the next calls; zero is success

	mu     sync.Mutex
	stream chan *executor.Event // of the last subscription; closing it ends that
}

func newFakeAgent(t *testing.T) *fakeAgent {
	a := &fakeAgent{t: t, calls: make(chan *executor.Call, 100)}
	a.server = httptest.NewServer(a)
	t.Cleanup(func() { a.end(); a.server.Close() })
	return a
}

func (a *fakeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/slave(1)/api/v1/executor" || r.Header.Get("Authorization") != "Bearer t" {
		a.t.Errorf("request for %s with authorization %q", r.URL.Path, r.Header.Get("Authorization"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		a.t.Error(err)
	}
	call := &executor.Call{}
	if err := codec.Unmarshal(r.Header.Get("Content-Type"), body, call); err != nil {
		a.t.Error(err)
	}
	a.mu.Lock()
	status := a.status
	a.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	a.calls <- call
	if call.GetType() != executor.Call_SUBSCRIBE {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	stream := make(chan *executor.Event, 100)
	a.mu.Lock()
	a.stream = stream
	a.mu.Unlock()
	w.Header().Set("Content-Type", codec.JSON)
	for e := range stream {
		payload, err := codec.Marshal(codec.JSON, e)
		if err != nil {
			a.t.Error(err)
		}
		_, _ = w.Write(recordio.AppendRecord(nil, payload))
		w.(http.Flusher).Flush()
	}
}

func (a *fakeAgent) say(e *executor.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stream <- e
}

// end ends the stream.
func (a *fakeAgent) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stream != nil {
		close(a.stream)
		a.stream = nil
	}
}

func (a *fakeAgent) call(want executor.Call_Type) *executor.Call {
	a.t.Helper()
	select {
	case c := <-a.calls:
		if c.GetType() != want {
			a.t.Fatalf("call %v, want %v", c, want)
		}
		return c
	case <-time.After(10 * time.Second):
		a.t.Fatalf("no call of type %v", want)
		return nil
	}
}

func (a *fakeAgent) none() {
	a.t.Helper()
	select {
	case c := <-a.calls:
		a.t.Fatalf("call %v though there is nothing to say", c)
	case <-time.After(50 * time.Millisecond):
	}
}

func (a *fakeAgent) config() Config {
	return Config{
		URL: a.server.URL + "/slave(1)/api/v1/executor", FrameworkID: "f", ExecutorID: "e", Token: "t",
		Checkpoint: true, RecoveryTimeout: 10 * time.Second, BackoffMax: time.Millisecond, RetryAfter: time.Hour,
	}
}

func subscribed() *executor.Event {
	return &executor.Event{
		Type: executor.Event_SUBSCRIBED.Enum(),
		Subscribed: &executor.Event_Subscribed{
			ExecutorInfo:  &mesos.ExecutorInfo{ExecutorId: &mesos.ExecutorID{Value: new("e")}},
			FrameworkInfo: &mesos.FrameworkInfo{User: new("u"), Name: new("n")},
			AgentInfo:     &mesos.AgentInfo{Hostname: new("h")},
		},
	}
}

func task(id string) *mesos.TaskInfo {
	return &mesos.TaskInfo{Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: new("a")}}
}

func status(id string, s mesos.TaskState) *mesos.TaskStatus {
	return &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: &id}, State: &s}
}

func acknowledged(c *executor.Call) *executor.Event {
	s := c.GetUpdate().GetStatus()
	return &executor.Event{Type: executor.Event_ACKNOWLEDGED.Enum(),
		Acknowledged: &executor.Event_Acknowledged{TaskId: s.GetTaskId(), Uuid: s.GetUuid()}}
}

// run runs a client until the end of the test.
func run(t *testing.T, cfg Config) (*Client, <-chan *executor.Event, <-chan error) {
	t.Helper()
	c := New(cfg)
	events, gone := make(chan *executor.Event, 100), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { gone <- c.Run(ctx, func(e *executor.Event) { events <- e }) }()
	return c, events, gone
}

func next(t *testing.T, events <-chan *executor.Event, want executor.Event_Type) {
	t.Helper()
	select {
	case e := <-events:
		if e.GetType() != want {
			t.Fatalf("event %v, want %v", e, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no event of type %v", want)
	}
}

func TestUpdates(t *testing.T) {
	a := newFakeAgent(t)
	c, events, _ := run(t, a.config())
	if s := a.call(executor.Call_SUBSCRIBE).GetSubscribe(); len(s.GetUnacknowledgedTasks())+len(s.GetUnacknowledgedUpdates()) > 0 {
		t.Errorf("first subscription %v", s)
	}
	a.say(subscribed())
	a.say(&executor.Event{Type: executor.Event_LAUNCH.Enum(), Launch: &executor.Event_Launch{Task: task("t1")}})
	next(t, events, executor.Event_SUBSCRIBED)
	next(t, events, executor.Event_LAUNCH)

	c.Update(status("t1", mesos.TaskState_TASK_STARTING))
	c.Update(status("t1", mesos.TaskState_TASK_RUNNING))
	starting := a.call(executor.Call_UPDATE)
	running := a.call(executor.Call_UPDATE)
	u := starting.GetUpdate().GetStatus()
	if u.GetState() != mesos.TaskState_TASK_STARTING || running.GetUpdate().GetStatus().GetState() != mesos.TaskState_TASK_RUNNING {
		t.Errorf("updates %v, then %v", starting, running)
	}
	if len(u.GetUuid()) != 16 || u.GetUuid()[6]>>4 != 4 || u.GetUuid()[8]>>6 != 2 ||
		u.GetSource() != mesos.TaskStatus_SOURCE_EXECUTOR || u.GetExecutorId().GetValue() != "e" || u.GetTimestamp() == 0 {
		t.Errorf("update %v", u)
	}
	a.none() // no retry before its time

	// An agent that restarts is told what it has not acknowledged.
	a.say(acknowledged(starting))
	next(t, events, executor.Event_ACKNOWLEDGED)
	a.end()
	s := a.call(executor.Call_SUBSCRIBE).GetSubscribe()
	if len(s.GetUnacknowledgedTasks()) != 0 || len(s.GetUnacknowledgedUpdates()) != 1 ||
		s.GetUnacknowledgedUpdates()[0].GetStatus().GetState() != mesos.TaskState_TASK_RUNNING {
		t.Errorf("second subscription %v", s)
	}
	// What is told in the meantime is sent once the subscription stands, and what was
	// part of it is not.
	c.Update(status("t1", mesos.TaskState_TASK_FINISHED))
	a.none()
	a.say(subscribed())
	finished := a.call(executor.Call_UPDATE)
	if finished.GetUpdate().GetStatus().GetState() != mesos.TaskState_TASK_FINISHED {
		t.Errorf("update %v", finished)
	}
	next(t, events, executor.Event_SUBSCRIBED)
	a.say(acknowledged(finished))
	next(t, events, executor.Event_ACKNOWLEDGED)
	if n := c.Unacknowledged(); n != 1 {
		t.Errorf("%d unacknowledged", n)
	}
}

func TestUnacknowledgedTask(t *testing.T) {
	a := newFakeAgent(t)
	_, events, _ := run(t, a.config())
	a.call(executor.Call_SUBSCRIBE)
	a.say(subscribed())
	a.say(&executor.Event{Type: executor.Event_LAUNCH.Enum(), Launch: &executor.Event_Launch{Task: task("t1")}})
	next(t, events, executor.Event_SUBSCRIBED)
	next(t, events, executor.Event_LAUNCH)
	a.end()
	s := a.call(executor.Call_SUBSCRIBE).GetSubscribe()
	if len(s.GetUnacknowledgedTasks()) != 1 || s.GetUnacknowledgedTasks()[0].GetTaskId().GetValue() != "t1" {
		t.Errorf("subscription %v", s)
	}
}

func TestRetry(t *testing.T) {
	a := newFakeAgent(t)
	cfg := a.config()
	cfg.RetryAfter = 20 * time.Millisecond
	c, events, _ := run(t, cfg)
	a.call(executor.Call_SUBSCRIBE)
	a.say(subscribed())
	next(t, events, executor.Event_SUBSCRIBED)
	c.Update(status("t1", mesos.TaskState_TASK_RUNNING))
	first := a.call(executor.Call_UPDATE)
	second := a.call(executor.Call_UPDATE)
	if string(first.GetUpdate().GetStatus().GetUuid()) != string(second.GetUpdate().GetStatus().GetUuid()) {
		t.Error("the retry is another update")
	}
	a.say(acknowledged(first))
	next(t, events, executor.Event_ACKNOWLEDGED)
	time.Sleep(100 * time.Millisecond)
	for len(a.calls) > 0 { // one may have been on its way
		<-a.calls
	}
	a.none()
}

func TestAgentAway(t *testing.T) {
	t.Run("recovering", func(t *testing.T) {
		a := newFakeAgent(t)
		a.status = http.StatusServiceUnavailable
		_, events, _ := run(t, a.config())
		time.Sleep(20 * time.Millisecond)
		a.mu.Lock()
		a.status = 0
		a.mu.Unlock()
		a.call(executor.Call_SUBSCRIBE)
		a.say(subscribed())
		next(t, events, executor.Event_SUBSCRIBED)
	})
	t.Run("too long", func(t *testing.T) {
		a := newFakeAgent(t)
		cfg := a.config()
		cfg.RecoveryTimeout = 50 * time.Millisecond
		_, _, gone := run(t, cfg)
		a.call(executor.Call_SUBSCRIBE)
		a.say(subscribed())
		a.mu.Lock()
		a.status = http.StatusNotFound
		a.mu.Unlock()
		a.end()
		if err := <-gone; !errors.Is(err, ErrAgentGone) || !strings.Contains(err.Error(), "404") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("without checkpoint", func(t *testing.T) {
		a := newFakeAgent(t)
		cfg := a.config()
		cfg.Checkpoint = false
		_, _, gone := run(t, cfg)
		a.call(executor.Call_SUBSCRIBE)
		a.say(subscribed())
		a.end()
		if err := <-gone; !errors.Is(err, ErrAgentGone) {
			t.Errorf("error %v", err)
		}
		a.none()
	})
	t.Run("nonsense", func(t *testing.T) {
		a := newFakeAgent(t)
		cfg := a.config()
		cfg.Checkpoint = false
		_, _, gone := run(t, cfg)
		a.call(executor.Call_SUBSCRIBE)
		a.say(&executor.Event{Type: executor.Event_KILL.Enum(), Kill: &executor.Event_Kill{TaskId: &mesos.TaskID{Value: new("")}}})
		a.end()
		if err := <-gone; err == nil {
			t.Error("no error")
		}
	})
}

func TestMessage(t *testing.T) {
	a := newFakeAgent(t)
	c, events, _ := run(t, a.config())
	a.call(executor.Call_SUBSCRIBE)
	c.Message([]byte("lost")) // there is no agent yet
	a.say(subscribed())
	next(t, events, executor.Event_SUBSCRIBED)
	c.Message([]byte("sent"))
	if m := a.call(executor.Call_MESSAGE); string(m.GetMessage().GetData()) != "sent" {
		t.Errorf("%v", m)
	}
}

// TestBackoff leaves an executor two attempts in the time that the agent waits for it.
func TestBackoff(t *testing.T) {
	c := New(Config{BackoffMax: 2 * time.Second})
	for attempt := range 10 {
		for range 100 {
			if d := c.backoff(attempt); d < 100*time.Millisecond || d > 1100*time.Millisecond {
				t.Fatalf("attempt %d follows after %v", attempt, d)
			}
		}
	}
}
