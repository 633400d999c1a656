package engine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/checkpoint"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// patience is how long tests wait for what must come.
const patience = 10 * time.Second

// fakeContainers is a containerizer whose containers outlive the engine, as real
// ones do, and end when the test says so.
type fakeContainers struct {
	mu      sync.Mutex
	running map[containerizer.ID]*fakeContainer
	known   []containerizer.Recovered
	fail    error // of Launch
	updates int
}

type fakeContainer struct {
	cfg   containerizer.Config
	ended chan struct{}
	how   containerizer.Termination
}

func newFakeContainers() *fakeContainers {
	return &fakeContainers{running: map[containerizer.ID]*fakeContainer{}}
}

func (f *fakeContainers) get(id containerizer.ID) (*fakeContainer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.running[id]; c != nil {
		return c, nil
	}
	return nil, containerizer.ErrUnknown
}

func (f *fakeContainers) Recover(_ context.Context, known []containerizer.Recovered) ([]containerizer.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = known
	return nil, nil
}

func (f *fakeContainers) Launch(_ context.Context, cfg containerizer.Config) (containerizer.Started, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return containerizer.Started{}, f.fail
	}
	f.running[cfg.ID] = &fakeContainer{cfg: cfg, ended: make(chan struct{})}
	return containerizer.Started{PID: 42}, nil
}

func (f *fakeContainers) Wait(ctx context.Context, id containerizer.ID) (containerizer.Termination, error) {
	c, err := f.get(id)
	if err != nil {
		return containerizer.Termination{}, err
	}
	select {
	case <-c.ended:
		return c.how, nil
	case <-ctx.Done():
		return containerizer.Termination{}, ctx.Err()
	}
}

func (f *fakeContainers) Update(context.Context, containerizer.ID, []*mesos.Resource, map[string]*mesos.Value_Scalar) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates++
	return nil
}

func (f *fakeContainers) Destroy(_ context.Context, id containerizer.ID) error {
	return f.end(id, containerizer.Termination{Status: new(syscall.WaitStatus(syscall.SIGKILL))})
}

func (f *fakeContainers) end(id containerizer.ID, how containerizer.Termination) error {
	c, err := f.get(id)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-c.ended:
	default:
		c.how = how
		close(c.ended)
	}
	return nil
}

func (f *fakeContainers) Kill(context.Context, containerizer.ID, syscall.Signal) error { return nil }

func (f *fakeContainers) Remove(_ context.Context, id containerizer.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, id)
	return nil
}

func (f *fakeContainers) Usage(_ context.Context, id containerizer.ID) (*mesos.ResourceStatistics, error) {
	if _, err := f.get(id); err != nil {
		return nil, err
	}
	return &mesos.ResourceStatistics{Timestamp: new(1.0)}, nil
}

func (f *fakeContainers) Status(_ context.Context, id containerizer.ID) (*mesos.ContainerStatus, error) {
	if _, err := f.get(id); err != nil {
		return nil, err
	}
	return &mesos.ContainerStatus{ContainerId: id.Proto(), ExecutorPid: new(uint32(42))}, nil
}

func (f *fakeContainers) Containers(context.Context) ([]containerizer.ID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []containerizer.ID
	for id := range f.running {
		out = append(out, id)
	}
	return out, nil
}

// newNode is a libprocess node that listens on loopback.
func newNode(t *testing.T) *libprocess.Node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, err := libprocess.ParseAddress(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	node, err := libprocess.NewNode(libprocess.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	go server.Serve(node.Listener(l))
	t.Cleanup(func() {
		server.Close()
		node.Close()
	})
	return node
}

// fakeMaster answers registrations and pings, and keeps what agents send.
type fakeMaster struct {
	t       *testing.T
	process *libprocess.Process
	got     chan proto.Message
	mu      sync.Mutex
	agent   libprocess.PID
}

func newFakeMaster(t *testing.T) *fakeMaster {
	m := &fakeMaster{t: t, got: make(chan proto.Message, 1000)}
	mux := typed.NewMux()
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, msg *messages.RegisterSlaveMessage) error {
		m.keep(from, msg)
		return typed.Send(m.process, from, &messages.SlaveRegisteredMessage{SlaveId: &mesos.AgentID{Value: new("m-S0")}})
	})
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, msg *messages.ReregisterSlaveMessage) error {
		m.keep(from, msg)
		return typed.Send(m.process, from, &messages.SlaveReregisteredMessage{SlaveId: msg.GetSlave().GetId()})
	})
	keep[messages.StatusUpdateMessage](m, mux)
	keep[messages.UpdateSlaveMessage](m, mux)
	keep[messages.ExitedExecutorMessage](m, mux)
	keep[messages.UnregisterSlaveMessage](m, mux)
	process, err := newNode(t).Spawn("master", libprocess.HandlerFuncs{OnMessage: mux.Message})
	if err != nil {
		t.Fatal(err)
	}
	m.process = process
	return m
}

func keep[M any, P interface {
	*M
	proto.Message
}](m *fakeMaster, mux *typed.Mux) {
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, msg P) error {
		m.keep(from, msg)
		return nil
	})
}

func (m *fakeMaster) keep(from libprocess.PID, msg proto.Message) {
	m.mu.Lock()
	m.agent = from
	m.mu.Unlock()
	m.got <- msg
}

// Detect implements Detector.
func (m *fakeMaster) Detect(context.Context) (string, error) { return m.process.PID().String(), nil }

func (m *fakeMaster) send(msg proto.Message) {
	m.t.Helper()
	m.mu.Lock()
	to := m.agent
	m.mu.Unlock()
	if err := typed.Send(m.process, to, msg); err != nil {
		m.t.Fatal(err)
	}
}

// expect waits for a message of one type and skips others.
func expect[P proto.Message](m *fakeMaster) P {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case msg := <-m.got:
			if p, ok := msg.(P); ok {
				return p
			}
		case <-deadline:
			var p P
			m.t.Fatalf("no %T came", p)
			return p
		}
	}
}

// update waits for a status update in a state.
func (m *fakeMaster) update(want mesos.TaskState) *messages.StatusUpdate {
	m.t.Helper()
	for {
		u := expect[*messages.StatusUpdateMessage](m).GetUpdate()
		if u.GetStatus().GetState() == want {
			return u
		}
	}
}

func (m *fakeMaster) acknowledge(u *messages.StatusUpdate) {
	m.t.Helper()
	m.send(&messages.StatusUpdateAcknowledgementMessage{
		SlaveId: u.SlaveId, FrameworkId: u.FrameworkId, TaskId: u.GetStatus().GetTaskId(), Uuid: u.Uuid,
	})
}

// agent is an engine that runs, with what it works on.
type agent struct {
	*Engine
	t    *testing.T
	stop func() error
}

// startAgent runs an engine over a work directory.
func startAgent(t *testing.T, workDir string, master *fakeMaster, containers *fakeContainers, change ...func(*Config)) *agent {
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
		Node: newNode(t), Store: store, Containerizer: containers, Detector: master, BootID: "boot",
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
	reply, stream, err := a.ExecutorCall(a.t.Context(), c)
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
		a.t.Fatalf("update: %d %s", reply.Status, reply.Message)
	}
}

func status(task string, s mesos.TaskState, uuid byte) *mesos.TaskStatus {
	id := [16]byte{6: 0x40, 8: 0x80, 15: uuid}
	return &mesos.TaskStatus{
		TaskId: &mesos.TaskID{Value: &task}, State: &s, Uuid: id[:], Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
	}
}

// event waits for an event of one type.
func event(t *testing.T, s *Stream, want executor.Event_Type) *executor.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e, ok := <-s.Events():
			if !ok {
				t.Fatalf("the stream ended before %s", want)
			}
			if e.GetType() == want {
				return e
			}
		case <-deadline:
			t.Fatalf("no %s came", want)
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, f func() error) {
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
