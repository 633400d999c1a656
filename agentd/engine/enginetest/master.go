package enginetest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// Patience is how long tests wait for what must come.
const Patience = 10 * time.Second

// NewNode is a libprocess node that listens on loopback.
func NewNode(t testing.TB) *libprocess.Node { return newNode(t, http.NotFoundHandler()) }

func newNode(t testing.TB, h http.Handler) *libprocess.Node {
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
	server := &http.Server{Handler: h}
	go server.Serve(node.Listener(l))
	t.Cleanup(func() {
		server.Close()
		node.Close()
	})
	return node
}

// Master answers registrations and pings, and keeps what agents send.
type Master struct {
	t       testing.TB
	process *libprocess.Process
	// Got holds what agents sent and nobody took yet.
	Got   chan proto.Message
	mu    sync.Mutex
	agent libprocess.PID
}

// NewMaster returns a master that listens on loopback.
func NewMaster(t testing.TB) *Master {
	m := &Master{t: t, Got: make(chan proto.Message, 1000)}
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
	// Whoever looks for the leader over HTTP is sent back here.
	node := newNode(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+r.Host)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	process, err := node.Spawn("master", libprocess.HandlerFuncs{OnMessage: mux.Message})
	if err != nil {
		t.Fatal(err)
	}
	m.process = process
	return m
}

func keep[M any, P interface {
	*M
	proto.Message
}](m *Master, mux *typed.Mux) {
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, msg P) error {
		m.keep(from, msg)
		return nil
	})
}

func (m *Master) keep(from libprocess.PID, msg proto.Message) {
	m.mu.Lock()
	m.agent = from
	m.mu.Unlock()
	m.Got <- msg
}

// Address is where the master listens.
func (m *Master) Address() string { return m.process.PID().Address.String() }

// Detect implements Detector.
func (m *Master) Detect(context.Context) (string, error) { return m.process.PID().String(), nil }

// Superseded implements engine.Detector: nobody else ever leads.
func (m *Master) Superseded(ctx context.Context, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// Send sends a message to the agent that was heard last.
func (m *Master) Send(msg proto.Message) {
	m.t.Helper()
	m.mu.Lock()
	to := m.agent
	m.mu.Unlock()
	if err := typed.Send(m.process, to, msg); err != nil {
		m.t.Fatal(err)
	}
}

// Expect waits for a message of one type and skips others.
func Expect[P proto.Message](m *Master) P {
	m.t.Helper()
	deadline := time.After(Patience)
	for {
		select {
		case msg := <-m.Got:
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

// Update waits for a status update in a state.
func (m *Master) Update(want mesos.TaskState) *messages.StatusUpdate {
	m.t.Helper()
	for {
		u := Expect[*messages.StatusUpdateMessage](m).GetUpdate()
		if u.GetStatus().GetState() == want {
			return u
		}
	}
}

// Acknowledge does what the framework would.
func (m *Master) Acknowledge(u *messages.StatusUpdate) {
	m.t.Helper()
	m.Send(&messages.StatusUpdateAcknowledgementMessage{
		SlaveId: u.SlaveId, FrameworkId: u.FrameworkId, TaskId: u.GetStatus().GetTaskId(), Uuid: u.Uuid,
	})
}
