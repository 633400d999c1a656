package state

import (
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Effect is one thing that the engine has to do. See the package comment for
// what is promised about their order.
type Effect interface{ effect() }

// Reply answers an HTTP request that is not answered with a stream.
type Reply struct {
	Reply ReplyID
	// Status is the HTTP status code.
	Status int
	// Text is the body as plain text, "" for none; the explanation of a
	// status that is not 2xx.
	Text string
	// Message is the body of a call that answers with a message, to be
	// encoded as the client accepts. At most one of Text and Message is set.
	Message proto.Message
	// RetryAfter is set when the client may try again later.
	RetryAfter time.Duration
}

// OpenStream answers a SUBSCRIBE: status 200, Mesos-Stream-Id, and a body that
// stays open for SendEvent. The framework may still be refused by an ERROR
// event that follows.
type OpenStream struct {
	Reply  ReplyID
	Stream StreamID
}

// SendEvent writes an event to a stream. A stream that is already gone is not
// an error: its StreamClosed is under way.
type SendEvent struct {
	Stream StreamID
	Event  *scheduler.Event
}

// CloseStream ends a stream after what was sent to it before.
type CloseStream struct {
	Stream StreamID
}

// SendMessage sends a libprocess message.
type SendMessage struct {
	// From is the ID of the sending process: "master", or "slave-observer(N)"
	// for the pings of an agent, which are answered to that process. The
	// engine spawns it on first use and delivers what comes back as
	// PeerMessage with To set to it.
	From    string
	To      PID
	Message proto.Message
}

// EndProcess says that nothing will be sent from this process ID any more.
type EndProcess struct {
	ID string
}

// Link watches the connection to a PID: its end is a PeerExited. A peer that
// registers may sit behind a half-open connection, so the engine makes a new
// one (libprocess.Reconnect).
type Link struct {
	PID PID
}

// Unlink stops watching.
type Unlink struct {
	PID PID
}

// Persist writes operations to the registry, all of one Persist in one write.
// Tokens grow by one.
type Persist struct {
	Token      uint64
	Operations []op.Operation
}

// Arm asks for TimerFired after a time. Arming a timer that is armed replaces
// it.
type Arm struct {
	Timer Timer
	After time.Duration
}

// Disarm takes Arm back. A TimerFired may be under way all the same.
type Disarm struct {
	Timer Timer
}

// Timer names a timer. It is comparable.
type Timer struct {
	Kind TimerKind
	// ID is that of the framework, agent, offer or stream; "" for timers
	// there is only one of.
	ID string
}

// TimerKind says what a timer is for.
type TimerKind uint8

// The timers of a machine.
const (
	// TimerHeartbeat sends the next HEARTBEAT on a stream.
	TimerHeartbeat TimerKind = iota + 1
	// TimerFailover removes a framework that did not come back.
	TimerFailover
	// TimerOffer rescinds an offer.
	TimerOffer
	// TimerPing counts an unanswered ping of an agent and sends the next.
	TimerPing
	// TimerReregister marks an agent unreachable whose connection broke and
	// that did not register again.
	TimerReregister
	// TimerRecovery marks the agents of the registry unreachable that did not
	// register with this leader.
	TimerRecovery
	// TimerRegistryGC sweeps the registry.
	TimerRegistryGC
	// TimerThrottle lets the next message of a driver pass that has a rate
	// limit.
	TimerThrottle
	// TimerRemoval marks the next agent unreachable that waits for the rate
	// limit.
	TimerRemoval
)

// String returns the kind in words, for logs and transcripts.
func (k TimerKind) String() string {
	names := [...]string{"none", "heartbeat", "failover", "offer", "ping", "reregister", "recovery", "registry-gc", "throttle", "removal"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Publish tells every subscriber of the operator API's event stream. Events
// are in the order in which things happened; a View taken between two Steps is
// what the events up to there add up to.
type Publish struct {
	Event *mesosmaster.Event
	// Framework is whose task an event is about, and User whom the task runs
	// as if it isn't the framework's user: they decide who may see the event.
	Framework *mesos.FrameworkInfo
	User      *string
}

// Log asks for a line in the log.
type Log struct {
	Level LogLevel
	Text  string
	// KeysAndValues alternate, as in logr; keys are strings. IDs stand under the
	// names of the wire (framework_id, agent_id, task_id, …) in all daemons, so that
	// one search finds all lines about a task.
	KeysAndValues []any
}

// LogLevel says who wants to read a line.
type LogLevel uint8

// The levels of Log.
const (
	// LogDebug is for somebody who follows a single task.
	LogDebug LogLevel = iota
	// LogInfo is for whoever runs the cluster.
	LogInfo
	// LogWarning is for what somebody did wrong, or what may need a look.
	LogWarning
)

// Abdicate ends the leadership: what the store holds is not known, or its
// content forbids this master to lead. Nothing that follows would be right.
type Abdicate struct {
	Reason error
}

func (Reply) effect()       {}
func (OpenStream) effect()  {}
func (SendEvent) effect()   {}
func (CloseStream) effect() {}
func (SendMessage) effect() {}
func (EndProcess) effect()  {}
func (Link) effect()        {}
func (Unlink) effect()      {}
func (Persist) effect()     {}
func (Arm) effect()         {}
func (Disarm) effect()      {}
func (Publish) effect()     {}
func (Log) effect()         {}
func (Abdicate) effect()    {}
