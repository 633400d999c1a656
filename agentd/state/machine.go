package state

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Phase is where the agent is in its life.
type Phase string

// The phases, in order.
const (
	// Recovering: the checkpoints are being taken up.
	Recovering Phase = "RECOVERING"
	// Disconnected: no master knows the agent, or not any more.
	Disconnected Phase = "DISCONNECTED"
	// Running: registered with the leading master.
	Running Phase = "RUNNING"
	// Terminating: everything is being shut down.
	Terminating Phase = "TERMINATING"
)

// Machine is the agent. See the package comment.
type Machine struct {
	cfg   Config
	phase Phase
	// reconnect: the containerizer has recovered, so executors may come back.
	reconnect bool

	info    *mesos.AgentInfo // with ID once there is one
	master  string           // PID of the leading master; "" for none
	backoff time.Duration    // of the next attempt to register
	// attempts to register with this master; detecting says that the answer
	// of DetectMaster is awaited.
	attempts  int
	detecting bool
	pingAfter time.Duration

	frameworks map[string]*framework
	completed  []*framework // at most maxCompletedFrameworks, oldest first
	containers map[string]*run
	streams    map[taskKey]*updateStream
	subscribed map[StreamID]*run
	// unheard are exits of executors that were told while the agent was not
	// registered; the next master that takes it back is told again.
	unheard []*messages.ExitedExecutorMessage
	// paused: updates are not forwarded until the master knows the agent.
	paused bool

	totals resources.Resources // what the agent has itself
	kept   resources.Resources // of that, what is checkpointed
	// lent is what the agent lends besides; lends says that this is known.
	lent       resources.Resources
	lends      bool
	operations map[string]*mesos.Operation
	// operationWaits are the pauses until the statuses are sent again.
	operationWaits map[string]time.Duration

	providers providers

	arrivals  map[Token]*arrival
	resizes   map[Token]resize
	lastToken Token

	version  [16]byte // of the agent's resources, new in each life
	drain    *mesos.DrainConfig
	drainAt  time.Time
	counters Counters

	now time.Time
	out []Effect
}

type taskKey struct{ framework, task string }

// New returns a machine that waits for Recovered.
func New(cfg Config) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Machine{
		cfg:            cfg,
		phase:          Recovering,
		info:           cfg.Agent,
		paused:         true,
		frameworks:     map[string]*framework{},
		containers:     map[string]*run{},
		streams:        map[taskKey]*updateStream{},
		subscribed:     map[StreamID]*run{},
		operations:     map[string]*mesos.Operation{},
		operationWaits: map[string]time.Duration{},
		providers:      newProviders(),
		arrivals:       map[Token]*arrival{},
		resizes:        map[Token]resize{},
		pingAfter:      defaultPingTimeout,
		version:        cfg.Random.UUID(),
	}, nil
}

// Step takes in what happened at the time now, and returns what to do.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	m.now, m.out = now, nil
	switch in := in.(type) {
	case Recovered:
		m.recover(in.Snapshot)
	case ContainersRecovered:
		m.containersRecovered(in)
	case MasterDetected:
		m.detected(in.PID)
	case MasterRefused:
		m.do(Terminate(in))
	case MasterMessage:
		m.message(in.From, in.Message)
	case PeerExited:
		m.exited(in.PID)
	case ExecutorCall:
		m.executorCall(in)
	case ProviderCall:
		m.providerCall(in)
	case ProviderGone:
		m.markProviderGone(in)
	case StreamClosed:
		m.streamClosed(in.Stream)
	case ContainerLaunched:
		m.launched(in)
	case ContainerUpdated:
		m.updated(in)
	case ContainerDescribed:
		m.described(in)
	case ContainerTerminated:
		m.terminated(in)
	case TimerFired:
		m.fired(in.Timer)
	case ShutdownRequested:
		m.shutdown("", in.Message)
	case Lent:
		m.lend(in.Total)
	case Preempt:
		m.preempt(in)
	}
	return m.out
}

func (m *Machine) message(from string, msg proto.Message) {
	switch msg := msg.(type) {
	case *messages.PingSlaveMessage:
		m.ping(from, msg.GetConnected())
		return
	case *messages.StatusUpdateAcknowledgementMessage:
		m.acknowledge(from, msg)
		return
	}
	if m.driverMessage(from, msg) {
		return
	}
	if m.master == "" || from != m.master {
		m.warn("message ignored: not from the leading master", "from", from, "master", m.master,
			"message", string(msg.ProtoReflect().Descriptor().Name()))
		return
	}
	switch msg := msg.(type) {
	case *messages.SlaveRegisteredMessage:
		m.registered(msg)
	case *messages.SlaveReregisteredMessage:
		m.reregistered(msg)
	case *messages.RunTaskMessage:
		m.runTask(msg)
	case *messages.RunTaskGroupMessage:
		m.runTaskGroup(msg)
	case *messages.KillTaskMessage:
		m.killTask(msg)
	case *messages.ShutdownFrameworkMessage:
		m.shutdownFramework(msg.GetFrameworkId().GetValue())
	case *messages.ShutdownExecutorMessage:
		m.shutdownExecutor(msg.GetFrameworkId().GetValue(), msg.GetExecutorId().GetValue())
	case *messages.ShutdownMessage:
		m.shutdown(from, msg.GetMessage())
	case *messages.FrameworkToExecutorMessage:
		m.frameworkMessage(msg)
	case *messages.UpdateFrameworkMessage:
		m.updateFramework(msg)
	case *messages.DrainSlaveMessage:
		m.drainAgent(msg)
	case *messages.CheckpointResourcesMessage:
		m.checkpointResources(msg)
	case *messages.ApplyOperationMessage:
		m.applyOperation(msg)
	case *messages.AcknowledgeOperationStatusMessage:
		m.acknowledgeOperation(msg)
	case *messages.ReconcileOperationsMessage:
		m.reconcileOperations(msg)
	default:
		m.warn("message ignored: not for an agent", "from", from,
			"message", string(msg.ProtoReflect().Descriptor().Name()))
	}
}

func (m *Machine) fired(t Timer) {
	switch t.Kind {
	case TimerRegister:
		m.register()
	case TimerPing:
		m.inform("no ping from the master in time", "within", m.pingAfter.String())
		m.redetect()
	case TimerRetryUpdate:
		m.retryUpdate(taskKey{t.Framework, t.Task})
	case TimerRetryOperation:
		m.retryOperation(t.Task)
	case TimerExecutorRegister:
		m.registrationTimeout(m.containers[t.Container])
	case TimerExecutorReregister:
		m.reregistrationTimeout()
	case TimerExecutorReconnect:
		m.reconnectDriver(m.containers[t.Container])
	case TimerExecutorShutdown:
		m.shutdownTimeout(m.containers[t.Container])
	}
}

func (m *Machine) agentID() string { return m.info.GetId().GetValue() }

func (m *Machine) do(e Effect) { m.out = append(m.out, e) }

func (m *Machine) checkpoint(r Record) { m.do(Checkpoint{Record: r}) }

func (m *Machine) send(msg proto.Message) {
	if m.master != "" {
		m.do(Send{To: m.master, Message: msg})
	}
}

func (m *Machine) token() Token {
	m.lastToken++
	return m.lastToken
}

func (m *Machine) log(level Level, msg string, fields ...any) {
	m.do(Log{Level: level, Message: msg, Fields: fields})
}

func (m *Machine) debug(msg string, fields ...any)  { m.log(Debug, msg, fields...) }
func (m *Machine) inform(msg string, fields ...any) { m.log(Info, msg, fields...) }
func (m *Machine) warn(msg string, fields ...any)   { m.log(Warning, msg, fields...) }

// seconds is a time as Mesos writes it.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// sorted goes through a map in the order of its keys: what the machine does
// must not depend on chance. The map may change meanwhile.
func sorted[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			v, ok := m[k]
			if ok && !yield(k, v) {
				return
			}
		}
	}
}

// runID names a run in checkpoints.
func (m *Machine) runID(r *run) RunID {
	return RunID{AgentID: m.agentID(), FrameworkID: r.framework.id, ExecutorID: r.id, Container: r.container}
}

func (m *Machine) sandbox(framework, executor, container string) string {
	return paths.Run(m.cfg.WorkDir, m.agentID(), framework, executor, container)
}
