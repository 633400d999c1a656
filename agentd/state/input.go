package state

import (
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
)

// Input is what can happen to the agent.
type Input interface{ isInput() }

// Recovered begins the agent's life with what the checkpoints held; nil on a
// new work directory.
type Recovered struct{ Snapshot *Snapshot }

// ContainersRecovered answers RecoverContainers. Statuses describe the
// containers that run, by ID.
type ContainersRecovered struct {
	Statuses map[string]*mesos.ContainerStatus
	Err      error
}

// MasterDetected names the leading master's libprocess PID; empty if none leads.
type MasterDetected struct{ PID string }

// MasterRefused says that a master doesn't let this agent in: it has the wrong
// secret, and no other attempt would end better.
type MasterRefused struct{ Err error }

// MasterMessage is a libprocess message from a master or whoever claims to be one.
type MasterMessage struct {
	From    string
	Message proto.Message
}

// PeerExited says that a link broke.
type PeerExited struct{ PID string }

// StreamID names the event stream of an executor or resource provider, as the engine numbers them. Zero
// names none.
type StreamID uint64

// ReplyID names a caller who waits for a Reply. Zero names none.
type ReplyID uint64

// ExecutorCall is a call of the v1 executor API whose form was checked. Stream
// is set for SUBSCRIBE only: where events go once the call was accepted.
type ExecutorCall struct {
	Reply  ReplyID
	Stream StreamID
	// Claims are those of the token that came with it, nil if executors need
	// none. They must be those of the executor that the call names.
	Claims map[string]string
	Call   *executor.Call
}

// ProviderCall is a call of the v1 resource provider API whose form was checked.
// Session is the Mesos-Stream-Id: that of its stream, or for a SUBSCRIBE the one
// that Stream is to have.
type ProviderCall struct {
	Reply   ReplyID
	Stream  StreamID
	Session string
	Call    *resourceprovider.Call
}

// ProviderGone asks to remove a resource provider for good.
type ProviderGone struct {
	Reply ReplyID
	ID    string
}

// StreamClosed says that the stream of an executor or resource provider is gone.
type StreamClosed struct{ Stream StreamID }

// ContainerLaunched answers LaunchContainer. The engine then waits for the
// container without being asked.
type ContainerLaunched struct {
	Container string
	Status    *mesos.ContainerStatus
	Err       error
}

// ContainerUpdated answers UpdateContainer.
type ContainerUpdated struct {
	Token Token
	Err   error
}

// ContainerDescribed answers DescribeContainer. Status is nil if the container
// could not be described.
type ContainerDescribed struct {
	Token  Token
	Status *mesos.ContainerStatus
}

// ContainerTerminated says how a container ended. Err is set instead of
// Termination if that is unknown.
type ContainerTerminated struct {
	Container   string
	Termination Termination
	Err         error
}

// Termination tells how a container ended.
type Termination struct {
	// Status is the wait status; nil if unknown.
	Status *int32
	// State and Reason are for its unfinished tasks; nil leaves them to the agent.
	State  *mesos.TaskState
	Reason *mesos.TaskStatus_Reason
	// Message is for the tasks' users.
	Message string
	// Limited are the resources whose limit was hit.
	Limited []*mesos.Resource
}

// TimerFired says that a timer ran out that was armed with Arm.
type TimerFired struct{ Timer Timer }

// ShutdownRequested asks the agent to unregister, shut down everything and
// end (SIGUSR1 in Mesos).
type ShutdownRequested struct{ Message string }

func (Recovered) isInput()           {}
func (ContainersRecovered) isInput() {}
func (MasterDetected) isInput()      {}
func (MasterRefused) isInput()       {}
func (MasterMessage) isInput()       {}
func (PeerExited) isInput()          {}
func (ExecutorCall) isInput()        {}
func (ProviderCall) isInput()        {}
func (ProviderGone) isInput()        {}
func (StreamClosed) isInput()        {}
func (ContainerLaunched) isInput()   {}
func (ContainerUpdated) isInput()    {}
func (ContainerDescribed) isInput()  {}
func (ContainerTerminated) isInput() {}
func (TimerFired) isInput()          {}
func (ShutdownRequested) isInput()   {}
