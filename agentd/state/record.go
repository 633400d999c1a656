package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Record is what a Checkpoint makes durable. Package checkpoint says where
// each goes.
type Record interface{ isRecord() }

// AgentRecord holds the agent's identity, once the master gave it an ID, and
// makes it the latest.
type AgentRecord struct{ Info *mesos.AgentInfo }

// ForgetAgentRecord makes the next start that of a new agent.
type ForgetAgentRecord struct{}

// FrameworkRecord holds a framework; PID is empty for one that speaks HTTP.
type FrameworkRecord struct {
	AgentID string
	Info    *mesos.FrameworkInfo
	PID     string
}

// ExecutorRecord holds an executor and begins a run of it.
type ExecutorRecord struct {
	AgentID, FrameworkID, Container string
	Info                            *mesos.ExecutorInfo
	// Generated says that the agent made the executor for a command task.
	Generated bool
}

// RunID names one run of an executor.
type RunID struct{ AgentID, FrameworkID, ExecutorID, Container string }

// ExecutorPIDRecord holds the PID of an executor that speaks by the native driver.
type ExecutorPIDRecord struct {
	Run RunID
	PID string
}

// CompletedRecord marks a run as over, with all its updates acknowledged.
type CompletedRecord struct{ Run RunID }

// TaskRecord holds a task as it was launched. The updates of an earlier task of
// its ID, on the same run, end with it.
type TaskRecord struct {
	Run  RunID
	Task *mesos.Task
}

// UpdateRecord adds an update to a task's stream.
type UpdateRecord struct {
	Run    RunID
	TaskID string
	Update *messages.StatusUpdate
}

// AcknowledgementRecord adds an acknowledgement to a task's stream.
type AcknowledgementRecord struct {
	Run    RunID
	TaskID string
	UUID   []byte
}

// ResourcesRecord holds reservations and volumes, and operations whose outcome
// the master has not acknowledged.
type ResourcesRecord struct {
	Resources  []*mesos.Resource
	Operations []*mesos.Operation
	// Target says that volumes have to be made or removed before this holds;
	// the same record without it follows.
	Target bool
}

// VolumesRecord makes the directories of new persistent volumes and removes
// those of volumes that were destroyed, with all they hold. Each step has to
// be harmless when repeated.
type VolumesRecord struct{ Create, Destroy []*mesos.Resource }

// ProvidersRecord holds which resource providers have an ID, and which of them
// were marked gone.
type ProvidersRecord struct {
	AgentID     string
	Known, Gone []*mesos.ResourceProviderInfo
}

// DrainRecord holds that the agent is draining; a nil Config ends it.
type DrainRecord struct {
	AgentID string
	Config  *mesos.DrainConfig
}

func (AgentRecord) isRecord()           {}
func (ForgetAgentRecord) isRecord()     {}
func (FrameworkRecord) isRecord()       {}
func (ExecutorRecord) isRecord()        {}
func (ExecutorPIDRecord) isRecord()     {}
func (CompletedRecord) isRecord()       {}
func (TaskRecord) isRecord()            {}
func (UpdateRecord) isRecord()          {}
func (AcknowledgementRecord) isRecord() {}
func (ResourcesRecord) isRecord()       {}
func (VolumesRecord) isRecord()         {}
func (ProvidersRecord) isRecord()       {}
func (DrainRecord) isRecord()           {}

// Snapshot is what the records of a former life add up to.
type Snapshot struct {
	// Agent is nil if the agent never registered.
	Agent     *mesos.AgentInfo
	Rebooted  bool
	Drain     *mesos.DrainConfig
	Resources []*mesos.Resource
	// Target is what Resources are to become; nil if no change was under way.
	Target     []*mesos.Resource
	Operations []*mesos.Operation
	Frameworks []FrameworkSnapshot
	// Providers and GoneProviders are the two lists of a ProvidersRecord.
	Providers, GoneProviders []*mesos.ResourceProviderInfo
}

// FrameworkSnapshot is one framework of a Snapshot.
type FrameworkSnapshot struct {
	Info      *mesos.FrameworkInfo
	PID       string
	Executors []ExecutorSnapshot
}

// ExecutorSnapshot is the latest run of one executor.
type ExecutorSnapshot struct {
	Info      *mesos.ExecutorInfo
	Generated bool
	Container string
	// PID is that of an executor that speaks by the native driver.
	PID string
	// Completed says that nothing of it is left to do.
	Completed bool
	Tasks     []TaskSnapshot
}

// TaskSnapshot is one task with its stream of updates.
type TaskSnapshot struct {
	Task    *mesos.Task
	Updates []*messages.StatusUpdate
	// Acknowledged holds UUIDs.
	Acknowledged [][]byte
}
