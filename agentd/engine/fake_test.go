package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/checkpoint"
	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

const patience = enginetest.Patience

// agent is an engine that runs, with what it works on.
type agent struct {
	*Engine
	t    testing.TB
	stop func() error
}

// startAgent runs an engine over a work directory.
func startAgent(t testing.TB, workDir string, master *enginetest.Master, containers *enginetest.Containers, change ...func(*Config)) *agent {
	t.Helper()
	store, err := checkpoint.Open(workDir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		State: state.Config{
			Agent: &mesos.AgentInfo{Hostname: new("agent.example")}, Version: "1.11.0", IP: "127.0.0.1",
			WorkDir: workDir, Reconnect: true,
			RegistrationBackoff: 10 * time.Millisecond, ExecutorReregistration: 300 * time.Millisecond,
			CommandExecutor: &mesos.CommandInfo{Shell: new(false), Value: new("/bin/agentd")},
		},
		Node: enginetest.NewNode(t), Store: store, Containerizer: containers, Detector: master, BootID: "boot",
		DetectionPause: time.Millisecond,
	}
	for _, f := range change {
		f(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		err := <-ended
		store.Close()
		return err
	})
	t.Cleanup(func() { stop() })
	return &agent{Engine: e, t: t, stop: func() error { return stop() }}
}

func testFramework() *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{
		Id: &mesos.FrameworkID{Value: new("m-0000")}, User: new("root"), Name: new("test"), Checkpoint: new(true),
		Capabilities: []*mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func runTask(id string) *messages.RunTaskMessage {
	return &messages.RunTaskMessage{Framework: testFramework(), LaunchExecutor: new(true), Task: &mesos.TaskInfo{
		Name: &id, TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: new("m-S0")},
		Command: &mesos.CommandInfo{Value: new("sleep 1000"), Environment: &mesos.Environment{
			Variables: []*mesos.Environment_Variable{{Name: new("GREETING"), Value: new("hello")}},
		}},
	}}
}

func (a *agent) call(c *executor.Call) (state.Reply, *Stream) {
	a.t.Helper()
	c.FrameworkId = testFramework().Id
	reply, stream, err := a.ExecutorCall(a.t.Context(), nil, c)
	if err != nil {
		a.t.Fatal(err)
	}
	return reply, stream
}

// subscribe connects an executor once its container is there.
func (a *agent) subscribe(id string, call *executor.Call_Subscribe) *Stream {
	a.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		reply, stream := a.call(&executor.Call{
			Type: executor.Call_SUBSCRIBE.Enum(), ExecutorId: &mesos.ExecutorID{Value: &id}, Subscribe: call,
		})
		if reply.Status == 200 {
			return stream
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("subscribing: %d %s", reply.Status, reply.Message)
		}
	}
}

func (a *agent) report(id string, s mesos.TaskState, uuid byte) {
	a.t.Helper()
	reply, _ := a.call(&executor.Call{
		Type: executor.Call_UPDATE.Enum(), ExecutorId: &mesos.ExecutorID{Value: &id},
		Update: &executor.Call_Update{Status: status(id, s, uuid)},
	})
	if reply.Status != 202 {
		a.t.Errorf("update: %d %s", reply.Status, reply.Message)
	}
}

func status(task string, s mesos.TaskState, uuid byte) *mesos.TaskStatus {
	id := [16]byte{6: 0x40, 8: 0x80, 15: uuid}
	return &mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: &task}, State: &s, Uuid: id[:], Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
	}
}

// event waits for an event of one type.
func event(t testing.TB, s *Stream, want executor.Event_Type) *executor.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatalf("the stream ended before %s", want)
			}
			if e := e.(*executor.Event); e.GetType() == want {
				return e
			}
		case <-deadline:
			t.Fatalf("no %s came", want)
		}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func exactlyOne(pattern string) func() error {
	return func() error {
		if found, _ := filepath.Glob(pattern); len(found) != 1 {
			return fmt.Errorf("%d files match %s", len(found), pattern)
		}
		return nil
	}
}
