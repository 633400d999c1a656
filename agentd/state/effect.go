package state

import (
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Effect is what the agent does.
type Effect interface{ isEffect() }

// Token matches the result of a containerizer call with the call.
type Token uint64

// Checkpoint makes a record durable. See the rule of effects.
type Checkpoint struct{ Record Record }

// Send sends a libprocess message, without a promise of arrival.
type Send struct {
	To      string
	Message proto.Message
}

// Link asks to be told by PeerExited when the peer is gone.
type Link struct{ PID string }

// DetectMaster asks for MasterDetected.
type DetectMaster struct{}

// SendEvent sends an event to an executor or resource provider: an event of the
// API that the stream belongs to.
type SendEvent struct {
	Stream StreamID
	Event  proto.Message
}

// CloseStream ends a stream after what was sent before.
type CloseStream struct{ Stream StreamID }

// Reply answers a call. Status is an HTTP status; 200 opens the stream of the
// SUBSCRIBE that it answers.
type Reply struct {
	Reply   ReplyID
	Status  int
	Message string
}

// RecoverContainers tells the containerizer what it should still run.
type RecoverContainers struct{ Known []LaunchContainer }

// WaitContainer asks for ContainerTerminated of a recovered container.
type WaitContainer struct{ Container string }

// LaunchContainer starts an executor in a new sandbox.
type LaunchContainer struct {
	AgentID     string
	FrameworkID string
	Container   string
	// Executor is complete: it has a command, and its resources include those of
	// the first tasks.
	Executor *mesos.ExecutorInfo
	// Task is set if the executor is the agent's own for this task.
	Task *mesos.TaskInfo
	// Limits may be empty.
	Limits map[string]*mesos.Value_Scalar
	// User is empty unless users are switched.
	User string
	// Directory is the sandbox.
	Directory string
	// Checkpoint says whether the container is to outlive the agent.
	Checkpoint bool
}

// UpdateContainer sets a container's requests and limits.
type UpdateContainer struct {
	Token     Token
	Container string
	Resources []*mesos.Resource
	Limits    map[string]*mesos.Value_Scalar
}

// DescribeContainer asks for the status of a container.
type DescribeContainer struct {
	Token     Token
	Container *mesos.ContainerID
}

// DestroyContainer kills everything in a container.
type DestroyContainer struct{ Container string }

// SandboxAdded exposes the sandbox of a recovered executor through /files.
// LaunchContainer does so for a new one.
type SandboxAdded struct{ AgentID, FrameworkID, ExecutorID, Container string }

// VolumesShown exposes persistent volumes through /files, in the sandbox that they are
// seen in.
type VolumesShown struct {
	AgentID, FrameworkID, ExecutorID, Container string
	Volumes                                     []ShownVolume
}

// ExecutorRemoved says that a run is complete: its directories may be
// collected, and those of the executor with them.
type ExecutorRemoved struct {
	AgentID, FrameworkID, ExecutorID, Container string
	Checkpoint                                  bool
	// Recovered says that it was complete in the agent's former life.
	Recovered bool
}

// TaskRemoved says that a task's checkpoints may be collected.
type TaskRemoved struct{ AgentID, FrameworkID, ExecutorID, Container, TaskID string }

// TaskReused takes back TaskRemoved: a task of the same ID was launched on the
// same executor.
type TaskReused struct{ AgentID, FrameworkID, ExecutorID, Container, TaskID string }

// FrameworkRemoved says that a framework's directories may be collected.
type FrameworkRemoved struct {
	AgentID, FrameworkID  string
	Checkpoint, Recovered bool
}

// DirectoriesReused takes back the collection of the directories of a
// framework and executor that run again.
type DirectoriesReused struct{ AgentID, FrameworkID, ExecutorID string }

// RecoveryFinished says that the agent took up its former life. What belongs to
// other agents may be collected; AgentID is empty for a new one.
type RecoveryFinished struct{ AgentID string }

// TimerKind says what a timer is for.
type TimerKind string

// The timers. Framework, Executor, Container and Task of a Timer are set as named.
const (
	TimerRegister           TimerKind = "register"            // try to register
	TimerPing               TimerKind = "ping"                // the master is silent
	TimerRetryUpdate        TimerKind = "retry-update"        // Framework, Task
	TimerRetryOperation     TimerKind = "retry-operation"     // Task: the operation's UUID
	TimerExecutorRegister   TimerKind = "executor-register"   // Container
	TimerExecutorReregister TimerKind = "executor-reregister" // after recovery
	TimerExecutorReconnect  TimerKind = "executor-reconnect"  // Container
	TimerExecutorShutdown   TimerKind = "executor-shutdown"   // Container
)

// Timer names a timer. It is comparable: arming it again replaces it.
type Timer struct {
	Kind                 TimerKind
	Framework, Container string
	Task                 string
}

// Arm starts a timer.
type Arm struct {
	Timer Timer
	After time.Duration
}

// Disarm stops one. It may have fired already.
type Disarm struct{ Timer Timer }

// Terminate ends the agent's process; Err is nil if that was asked for.
type Terminate struct{ Err error }

// Level is the importance of a Log.
type Level int

// The levels, least important first.
const (
	Debug Level = iota
	Info
	Warning
	Error
)

// Log tells people. Fields are keys and values in turn.
type Log struct {
	Level   Level
	Message string
	Fields  []any
}

func (Checkpoint) isEffect()        {}
func (Send) isEffect()              {}
func (Link) isEffect()              {}
func (DetectMaster) isEffect()      {}
func (SendEvent) isEffect()         {}
func (CloseStream) isEffect()       {}
func (Reply) isEffect()             {}
func (RecoverContainers) isEffect() {}
func (WaitContainer) isEffect()     {}
func (LaunchContainer) isEffect()   {}
func (UpdateContainer) isEffect()   {}
func (DescribeContainer) isEffect() {}
func (DestroyContainer) isEffect()  {}
func (SandboxAdded) isEffect()      {}
func (VolumesShown) isEffect()      {}
func (ExecutorRemoved) isEffect()   {}
func (TaskRemoved) isEffect()       {}
func (TaskReused) isEffect()        {}
func (FrameworkRemoved) isEffect()  {}
func (DirectoriesReused) isEffect() {}
func (RecoveryFinished) isEffect()  {}
func (Arm) isEffect()               {}
func (Disarm) isEffect()            {}
func (Terminate) isEffect()         {}
func (Log) isEffect()               {}
