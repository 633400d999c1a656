package state

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Machine is a master. See the package comment for how to drive one.
type Machine struct {
	cfg   Config
	roles map[string]bool // the whitelist, nil for all
	out   []Effect
	now   time.Time

	recovered bool
	elected   time.Time

	frameworks map[FrameworkID]*framework
	byStream   map[StreamID]*framework
	byPID      map[PID]*framework // drivers that are connected
	completed  completedFrameworks

	agents      map[AgentID]*agent
	agentsByPID map[PID]*agent
	former      formerAgents

	tasks     map[TaskKey]*task
	executors map[ExecutorKey]*executor
	offers    map[OfferID]*offer
	// operations are by UUID, as bytes.
	operations map[string]*operation
	// strays are those of frameworks that are not here.
	strays  map[FrameworkID]*list[operation]
	inverse map[OfferID]*inverseOffer

	// In order of arrival, for whatever goes through all of them.
	frameworkList list[framework]
	agentList     list[agent]

	policy policy
	// emptied are draining agents that something was taken off in this Step.
	emptied    []*agent
	removals   removals
	throttles  throttles
	principals principals

	timers  map[Timer]time.Time // when each armed timer is due
	pending map[uint64]func(Persisted)

	nextFramework, nextAgent, nextOffer, nextObserver int
	nextToken, nextOperation                          uint64

	published published
	stats     Stats
}

// New returns a machine that waits for Recovered. The config must be valid.
func New(cfg Config) *Machine {
	m := &Machine{
		cfg:         cfg,
		frameworks:  map[FrameworkID]*framework{},
		byStream:    map[StreamID]*framework{},
		byPID:       map[PID]*framework{},
		agents:      map[AgentID]*agent{},
		agentsByPID: map[PID]*agent{},
		tasks:       map[TaskKey]*task{},
		executors:   map[ExecutorKey]*executor{},
		offers:      map[OfferID]*offer{},
		operations:  map[string]*operation{},
		strays:      map[FrameworkID]*list[operation]{},
		inverse:     map[OfferID]*inverseOffer{},
		timers:      map[Timer]time.Time{},
		pending:     map[uint64]func(Persisted){},
		throttles:   newThrottles(cfg.RateLimits),
		principals:  principals{},
	}
	m.former.init()
	m.completed.init()
	m.policy.init()
	if cfg.Roles != nil {
		m.roles = map[string]bool{"*": true}
		for _, r := range cfg.Roles {
			m.roles[r] = true
		}
	}
	return m
}

// Step takes one input in and returns what has to be done about it. The time
// must not run backwards between Steps; the monotonic clock of time.Now will
// do. The slice is the caller's until the next Step.
func (m *Machine) Step(in Input, now time.Time) []Effect {
	clear(m.out)
	m.out, m.now = m.out[:0], now
	m.step(in)
	m.checkEmptied()
	return m.out
}

func (m *Machine) step(in Input) {
	if in, ok := in.(Recovered); ok {
		m.recover(in)
		return
	}
	if !m.recovered {
		m.refuse(in)
		return
	}
	switch in := in.(type) {
	case SchedulerCall:
		m.schedulerCall(in)
	case StreamClosed:
		m.streamClosed(in.Stream)
	case PeerMessage:
		m.messageArrived(in)
	case PeerExited:
		m.peerGone(in)
	case OperatorCall:
		m.operatorCall(in)
	case WhitelistChanged:
		m.emit(AllocWhitelist(in))
	case TimerFired:
		m.timerFired(in.Timer)
	case Persisted:
		m.persisted(in)
	case Allocated:
		m.allocated(in)
		m.askBack(in.Inverse)
	}
}

// refuse answers what comes before recovery.
func (m *Machine) refuse(in Input) {
	const notYet = "This master is still recovering"
	switch in := in.(type) {
	case SchedulerCall:
		m.reply(in.Reply, 503, notYet)
	case OperatorCall:
		m.reply(in.Reply, 503, notYet)
	case PeerMessage:
		m.stats.DroppedMessages++
	}
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

// reply answers a request with a status and, unless it is empty, a text.
func (m *Machine) reply(to ReplyID, status int, text string) {
	if to != 0 {
		m.emit(Reply{Reply: to, Status: status, Text: text})
	}
}

// send sends a libprocess message from the master's own process.
func (m *Machine) send(to PID, msg proto.Message) {
	m.emit(SendMessage{From: masterProcess, To: to, Message: msg})
}

// masterProcess is the libprocess ID that agents and drivers know a master by.
const masterProcess = "master"

// persist writes operations and calls then once they are durable, each with
// its result.
func (m *Machine) persist(then func([]op.Result), ops ...op.Operation) {
	m.nextToken++
	m.pending[m.nextToken] = func(p Persisted) { then(p.Results) }
	m.emit(Persist{Token: m.nextToken, Operations: ops})
}

func (m *Machine) persisted(in Persisted) {
	then, ok := m.pending[in.Token]
	if !ok {
		m.warn("an answer of the registry that nobody waits for", "token", in.Token)
		return
	}
	delete(m.pending, in.Token)
	if in.Err != nil {
		m.emit(Abdicate{Reason: fmt.Errorf("writing the registry: %w", in.Err)})
		return
	}
	then(in)
}

// arm starts a timer, or starts it anew.
func (m *Machine) arm(t Timer, after time.Duration) {
	after = max(after, 0)
	m.timers[t] = m.now.Add(after)
	m.emit(Arm{Timer: t, After: after})
}

// disarm stops a timer if it runs.
func (m *Machine) disarm(t Timer) {
	if _, ok := m.timers[t]; ok {
		delete(m.timers, t)
		m.emit(Disarm{Timer: t})
	}
}

// timerFired passes on what is due. An earlier time than a timer was armed for
// belongs to a former arming that crossed with it.
func (m *Machine) timerFired(t Timer) {
	due, ok := m.timers[t]
	if !ok || m.now.Before(due) {
		return
	}
	delete(m.timers, t)
	switch t.Kind {
	case TimerHeartbeat:
		m.heartbeat(StreamID(t.ID))
	case TimerFailover:
		m.failoverTimeout(FrameworkID(t.ID))
	case TimerOffer:
		m.offerTimeout(OfferID(t.ID))
	case TimerPing:
		m.pingTimeout(AgentID(t.ID))
	case TimerReregister:
		m.reregisterTimeout(AgentID(t.ID))
	case TimerRecovery:
		m.recoveryTimeout()
	case TimerRegistryGC:
		m.sweepRegistry()
	case TimerRemoval:
		m.removalTimeout()
	case TimerThrottle:
		m.throttleFired(t)
	}
}

func (m *Machine) debug(text string, kv ...any) {
	if m.cfg.DebugLog {
		m.emit(Log{Level: LogDebug, Text: text, KeysAndValues: kv})
	}
}

func (m *Machine) info(text string, kv ...any) {
	m.emit(Log{Level: LogInfo, Text: text, KeysAndValues: kv})
}

func (m *Machine) warn(text string, kv ...any) {
	m.emit(Log{Level: LogWarning, Text: text, KeysAndValues: kv})
}
