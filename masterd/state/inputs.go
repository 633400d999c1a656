package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Input is one thing that happened. The machine takes ownership of what an
// input points to: the caller must not touch it again.
type Input interface{ input() }

// Recovered is the first input: this master leads, and the registry is what
// the store held behind its barrier. A second one is ignored.
type Recovered struct {
	Registry *registry.Registry
}

// SchedulerCall is a call to /api/v1/scheduler. The caller has checked its
// form: it is well-typed and no required field is missing. The machine checks
// the rest, in Mesos's order.
//
// Every call gets exactly one of Reply or OpenStream, in the same Step.
type SchedulerCall struct {
	Reply ReplyID
	// Stream is the value of the Mesos-Stream-Id header, empty if there is
	// none. A SUBSCRIBE comes with a new ID, that of the stream its answer
	// will be; the edge refuses one that carries the header.
	Stream StreamID
	// Principal is who authenticated, "" if nobody did.
	Principal string
	Call      *scheduler.Call
}

// StreamClosed says that the client closed the event stream of its
// subscription, or that writing to it failed. It comes at most once per
// OpenStream, and may come after CloseStream.
type StreamClosed struct {
	Stream StreamID
}

// PeerMessage is a libprocess message of an agent or of a native driver, other
// than those of authentication: mesos.scheduler.Call, decoded as the v0
// message that it is, and everything of mesos.internal that has a handler in
// Accepts. The caller has checked that no required field is missing.
type PeerMessage struct {
	From PID
	// To is the ID of the process it was sent to: "master", or one that a
	// SendMessage named as sender.
	To string
	// Principal is who authenticated at this PID, "" if nobody did.
	Principal string
	Message   proto.Message
}

// PeerExited says that the link to a PID broke or could not be made. It comes
// once per Link.
type PeerExited struct {
	PID PID
}

// OperatorCall is a call of the operator API, or a v0 endpoint turned into
// one, that changes something. Those that only read are answered from a View.
// It gets exactly one Reply, possibly in a later Step.
type OperatorCall struct {
	Reply     ReplyID
	Principal string
	Call      *mesosmaster.Call
}

// TimerFired says that the time of an armed timer has come. One that was
// disarmed or armed anew meanwhile is recognized and ignored.
type TimerFired struct {
	Timer Timer
}

// Persisted answers Persist.
type Persisted struct {
	Token uint64
	// Results has one entry per operation.
	Results []op.Result
	// Err is set when the write failed as a whole or its fate is unknown.
	Err error
}

// Allocated brings what the allocator would give to whom. It was computed from
// a past state: the machine checks each proposal and gives back (AllocRecover)
// what it can't offer any more.
type Allocated struct {
	Proposals []Proposal
	// Quota is the Version of the last AllocUpdateQuota that they heed. Those
	// that were made before the present one are given back, so that what
	// crosses with a new limit can't exceed it.
	Quota uint64
	// Inverse are requests to leave agents with scheduled maintenance.
	Inverse []InverseProposal
}

// IsEmpty says that nothing is proposed to anybody.
func (a Allocated) IsEmpty() bool { return len(a.Proposals)+len(a.Inverse) == 0 }

// InverseProposal asks a framework to leave an agent that will be unavailable.
type InverseProposal struct {
	Framework      FrameworkID
	Agent          AgentID
	Unavailability *mesos.Unavailability
}

// Proposal is a piece of one agent for one role of one framework. Every
// resource carries its allocation_info.
type Proposal struct {
	Framework FrameworkID
	Role      string
	Agent     AgentID
	Resources []*mesos.Resource
}

// WhitelistChanged says which hosts' agents may be offered (--whitelist). What
// is on offer stays.
type WhitelistChanged struct {
	Hosts map[string]bool
}

func (WhitelistChanged) input() {}
func (Recovered) input()        {}
func (SchedulerCall) input()    {}
func (StreamClosed) input()     {}
func (PeerMessage) input()      {}
func (PeerExited) input()       {}
func (OperatorCall) input()     {}
func (TimerFired) input()       {}
func (Persisted) input()        {}
func (Allocated) input()        {}
