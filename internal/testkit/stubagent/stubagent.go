// Package stubagent is an agent without containers: it registers with a master
// over libprocess, and says of every task it is given that it runs. It is for
// tests and benchmarks of masters; nothing else may import it.
package stubagent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// Config says what the agent is like.
type Config struct {
	// Master is who it registers with.
	Master libprocess.PID
	// Info is what it says of itself.
	Info *mesos.AgentInfo
	// Capabilities are those that it says to have. Default: those of 1.11.
	Capabilities []mesos.AgentInfo_Capability_Type
	// Silent agents answer no pings.
	Silent bool
}

// Agent is a running stub.
type Agent struct {
	cfg     Config
	node    *libprocess.Node
	process *libprocess.Process
	done    sync.WaitGroup

	mu         sync.Mutex
	id         *mesos.AgentID
	tasks      map[string]*task
	acks       []*messages.StatusUpdateAcknowledgementMessage
	registered chan struct{}
}

type task struct {
	framework *mesos.FrameworkID
	info      *mesos.TaskInfo
	executor  *mesos.ExecutorID
}

// Start starts an agent on a port of the loopback interface.
func Start(cfg Config) (*Agent, error) {
	if cfg.Capabilities == nil {
		for c := mesos.AgentInfo_Capability_MULTI_ROLE; c <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; c++ {
			cfg.Capabilities = append(cfg.Capabilities, c)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	address := libprocess.AddressFrom(netip.MustParseAddrPort(listener.Addr().String()))
	node, err := libprocess.NewNode(libprocess.Config{Address: address})
	if err != nil {
		return nil, err
	}
	a := &Agent{cfg: cfg, node: node, tasks: map[string]*task{}, registered: make(chan struct{})}
	if a.process, err = node.Spawn("slave(1)", libprocess.HandlerFuncs{OnMessage: a.mux().Message}); err != nil {
		return nil, err
	}
	messages := node.Listener(listener)
	a.done.Go(func() { // nobody speaks HTTP to a stub
		for {
			conn, err := messages.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	a.done.Go(a.register)
	return a, nil
}

// Close ends the agent: its master sees the link break.
func (a *Agent) Close() {
	a.node.Close()
	a.done.Wait()
}

// PID is the agent's.
func (a *Agent) PID() string { return a.process.PID().String() }

// Registered waits until the master admitted the agent, and returns its ID.
func (a *Agent) Registered(ctx context.Context) (string, error) {
	select {
	case <-a.registered:
		return a.agentID().GetValue(), nil
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for the agent to be registered: %w", ctx.Err())
	}
}

// Acknowledgements returns what the master passed on.
func (a *Agent) Acknowledgements() []*messages.StatusUpdateAcknowledgementMessage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*messages.StatusUpdateAcknowledgementMessage(nil), a.acks...)
}

// Send sends any message to the master.
func (a *Agent) Send(m proto.Message) error {
	return typed.Send(a.process, a.cfg.Master, m)
}

func (a *Agent) agentID() *mesos.AgentID {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id
}

// register repeats itself until there is an answer, as agents do.
func (a *Agent) register() {
	message := &messages.RegisterSlaveMessage{Slave: a.cfg.Info, Version: new("1.11.0")}
	for _, c := range a.cfg.Capabilities {
		message.AgentCapabilities = append(message.AgentCapabilities, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	for {
		if a.Send(message) != nil {
			return // the node is closed
		}
		select {
		case <-a.registered:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (a *Agent) mux() *typed.Mux {
	mux := typed.NewMux()
	typed.Handle(mux, func(_ context.Context, _ libprocess.PID, m *messages.SlaveRegisteredMessage) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.id == nil {
			a.id = m.SlaveId
			close(a.registered)
		}
		return nil
	})
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, _ *messages.PingSlaveMessage) error {
		if a.cfg.Silent {
			return nil
		}
		return typed.Send(a.process, from, &messages.PongSlaveMessage{})
	})
	typed.Handle(mux, func(_ context.Context, _ libprocess.PID, m *messages.RunTaskMessage) error {
		executor := m.Task.GetExecutor().GetExecutorId()
		return a.run(m.Framework.GetId(), m.Task, executor)
	})
	typed.Handle(mux, func(_ context.Context, _ libprocess.PID, m *messages.RunTaskGroupMessage) error {
		for _, t := range m.TaskGroup.GetTasks() {
			if err := a.run(m.Framework.GetId(), t, m.Executor.GetExecutorId()); err != nil {
				return err
			}
		}
		return nil
	})
	typed.Handle(mux, func(_ context.Context, _ libprocess.PID, m *messages.KillTaskMessage) error {
		return a.Update(m.TaskId.GetValue(), mesos.TaskState_TASK_KILLED)
	})
	typed.Handle(mux, func(_ context.Context, _ libprocess.PID, m *messages.StatusUpdateAcknowledgementMessage) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.acks = append(a.acks, m)
		return nil
	})
	return mux
}

func (a *Agent) run(framework *mesos.FrameworkID, info *mesos.TaskInfo, executor *mesos.ExecutorID) error {
	a.mu.Lock()
	a.tasks[info.GetTaskId().GetValue()] = &task{framework: framework, info: info, executor: executor}
	a.mu.Unlock()
	return a.Update(info.GetTaskId().GetValue(), mesos.TaskState_TASK_RUNNING)
}

// Update sends a status of a task that the agent was given.
func (a *Agent) Update(taskID string, s mesos.TaskState) error {
	a.mu.Lock()
	t := a.tasks[taskID]
	a.mu.Unlock()
	if t == nil {
		return fmt.Errorf("no task %q", taskID)
	}
	id := uuid.New()
	now := float64(time.Now().UnixNano()) / 1e9
	update := &messages.StatusUpdate{
		FrameworkId: t.framework, ExecutorId: t.executor, SlaveId: a.agentID(),
		Timestamp: &now, Uuid: id[:], LatestState: s.Enum(),
		Status: &mesos.TaskStatus{
			TaskId: t.info.TaskId, State: s.Enum(), AgentId: a.agentID(), ExecutorId: t.executor,
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Timestamp: &now, Uuid: id[:],
			ContainerStatus: &mesos.ContainerStatus{
				ContainerId: &mesos.ContainerID{Value: new("c-" + taskID)},
				NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
					Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: new("127.0.0.1")}}}},
			},
		},
	}
	return a.Send(&messages.StatusUpdateMessage{Update: update, Pid: new(a.PID())})
}
