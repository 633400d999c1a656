// Package containerizer is the contract between the agent and what runs its
// containers. It holds the interface, its values and errors, and no
// implementation: implementations live in the packages below it, the agent's
// engine is the only caller.
//
// # Life of a container
//
//	Launch ── started ──> running ── its process ends, a limit kills it, Destroy ──> terminated
//	   └──── error: nothing of the container is left
//
// Launch prepares the sandbox (fetches URIs into it), prepares the isolation,
// and starts the container's first process. Exactly one Termination follows
// each successful Launch; every Wait on the container gets it, also one that
// begins later, until the agent calls Remove. When the first process ends, the
// containerizer kills what is left in the container and cleans up its
// isolation before Wait returns, so the agent needs no Destroy for that.
//
// # Nested and standalone containers
//
// A nested container is launched below one that runs: in its parent's sandbox,
// below its parent's cgroup, as its parent's user unless it names another. It
// ends with its parent at the latest. A container of [ClassDebug] also joins its
// parent's namespaces, environment and working directory. How a nested or
// standalone container ended is kept until Remove, or until Remove of its
// outermost container.
//
// # Terminals and attached clients
//
// A container whose ContainerInfo asks for a terminal, and each debug container, can be
// attached to: a switchboard then stands between it, the files of its sandbox and
// any number of clients. It outlives the agent as the container does.
//
// # Restart of the agent
//
// Containers outlive the agent. The implementation keeps what it needs to find
// them again (process IDs with start times, cgroups, the exit status that its
// launch helper writes) in Config.CheckpointDir, which the agent names and
// which is deleted by the agent only. After a restart the agent calls Recover
// once, before anything else, with the containers that it knows. Known ones can
// be waited for, updated and destroyed again, also those that ended while the
// agent was away, whose Wait returns at once. The containerizer itself knows
// standalone containers and what is nested below any container again; debug
// containers end. All others are orphans and are destroyed.
//
// # Example
//
//	started, err := c.Launch(ctx, cfg)
//	if err != nil { ... }                 // TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED
//	go func() { ended, err := c.Wait(ctx, cfg.ID); ... }()
//	c.Update(ctx, cfg.ID, resources, limits)
//	c.Destroy(ctx, cfg.ID)                // Wait above returns
//	c.Remove(ctx, cfg.ID)                 // forget it
package containerizer

import (
	"context"
	"errors"
	"syscall"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnknown says that there is no container of that ID.
	ErrUnknown = errors.New("unknown container")
	// ErrExists says that a container of that ID was launched before.
	ErrExists = errors.New("container exists already")
	// ErrUnsupported says that this containerizer can't do what the
	// configuration asks for, such as an image or a device.
	ErrUnsupported = errors.New("not supported by the containerizer")
	// ErrDestroyed is the result of a Launch that a Destroy overtook.
	ErrDestroyed = errors.New("container was destroyed while being launched")
	// ErrParent is the result of a Launch below a container that doesn't run.
	ErrParent = errors.New("parent container")
	// ErrRunning is the result of a Remove that came too early.
	ErrRunning = errors.New("container has not terminated yet")
	// ErrFetch is the result of a Launch whose URIs could not be fetched.
	ErrFetch = errors.New("Failed to fetch all URIs")
)

// Containerizer runs containers. All methods may be called from any goroutine
// and also concurrently for one container. A context that ends makes a method
// return its error early; it neither undoes a Launch that started nor
// stops a Destroy.
type Containerizer interface {
	// Recover takes over the containers of the agent's previous life and
	// destroys all others that it finds. It returns the orphans that it
	// destroyed. An error means that the containerizer is not usable; one bad
	// container is not an error but a container that has terminated.
	Recover(ctx context.Context, known []Recovered) (orphans []ID, err error)

	// Launch starts a container and returns once its process runs or has
	// failed to. Errors: ErrExists, ErrUnsupported, ErrFetch, ErrDestroyed, others.
	// After an error nothing of the container is left but its sandbox.
	Launch(ctx context.Context, cfg Config) (Started, error)

	// Wait returns how the container ended. ErrUnknown if it was never
	// launched or recovered, or was removed.
	Wait(ctx context.Context, id ID) (Termination, error)

	// Update sets the requests and limits of a running container.
	Update(ctx context.Context, id ID, resources []*mesos.Resource, limits map[string]*mesos.Value_Scalar) error

	// Destroy kills everything in the container and returns when that is done
	// and its isolation is cleaned up. Destroying a terminated container
	// succeeds; an unknown one is ErrUnknown.
	Destroy(ctx context.Context, id ID) error

	// Kill sends a signal to the container's first process. A container that is
	// still being launched is destroyed instead. One that has ended is ErrUnknown.
	Kill(ctx context.Context, id ID, signal syscall.Signal) error

	// Remove forgets a terminated container and all below it, and removes the
	// sandboxes of nested ones. Unknown ones are no error, unless the outermost
	// container of a nested one is: ErrUnknown. One that runs is ErrRunning.
	Remove(ctx context.Context, id ID) error

	// Usage measures a container, of one that is still being launched its limits
	// only. Its timestamp is set.
	Usage(ctx context.Context, id ID) (*mesos.ResourceStatistics, error)

	// Status describes a container: its container_id and, once it is launched, the PID
	// of its first process as executor_pid, cgroup_info, network_infos.
	Status(ctx context.Context, id ID) (*mesos.ContainerStatus, error)

	// AttachOutput attaches to what a container writes from now on; that of a debug
	// container waits for the first who does. ErrUnknown, ErrNotAttachable.
	AttachOutput(ctx context.Context, id ID) (Output, error)

	// AttachInput attaches to a container's standard input. ErrUnknown,
	// ErrNotAttachable, ErrInputTaken.
	AttachInput(ctx context.Context, id ID) (Input, error)

	// PruneImages removes images that no container uses, but for those named. Without
	// images it does nothing.
	PruneImages(ctx context.Context, keep []*mesos.Image) error

	// Containers lists what was launched or recovered and not removed.
	Containers(ctx context.Context) ([]ID, error)
}

// Class is the purpose of a container.
type Class int

const (
	// ClassDefault is isolated as configured.
	ClassDefault Class = iota
	// ClassDebug joins the isolation of its parent.
	ClassDebug
)

// Config describes a container to launch. Its messages are shared and must
// not be changed.
type Config struct {
	// ID names it. A nested container's ID contains its parent's.
	ID ID
	// Class is what the container is for.
	Class Class

	// Standalone says that no executor is in it: the containerizer itself
	// recovers it and keeps how it ended.
	Standalone bool

	// FrameworkID is empty for a standalone container.
	FrameworkID string
	// Executor is the executor to start; nil for nested and standalone containers.
	Executor *mesos.ExecutorInfo
	// Task is set for a container that runs one command task. Its container
	// (image, volumes) then applies and Command is our command executor.
	Task *mesos.TaskInfo
	// Command is what to start; its URIs are fetched first, its
	// environment is already part of Environment.
	Command *mesos.CommandInfo
	// Container holds volumes, image, networks, Linux settings; may be nil.
	Container *mesos.ContainerInfo

	// Resources are the requests to begin with: the executor's and its first tasks'.
	Resources []*mesos.Resource
	// Limits may exceed Resources for "cpus" and "mem", in cores and MB;
	// +Inf means none.
	Limits map[string]*mesos.Value_Scalar

	// User runs the process; empty means the agent's own, for a nested container
	// its parent's.
	User string
	// Sandbox is the absolute path of the working directory, which exists and
	// belongs to User. stdout and stderr are written there. For a nested
	// container it is empty: the containerizer makes one in its parent's.
	Sandbox string
	// Environment is all of the process's environment, except for what
	// isolators add.
	Environment map[string]string

	// CheckpointDir is an absolute path where the implementation keeps what
	// Recover needs. It may not exist yet. Empty if the framework does not
	// checkpoint: then the container need not outlive the agent.
	CheckpointDir string
}

// Recovered is a container that the agent knows from its checkpoints.
type Recovered struct {
	// Config is what Launch was called with, but for Environment, which is empty.
	Config Config
}

// Started tells about a container that was launched.
type Started struct {
	// PID is the container's first process, as the agent sees it.
	PID int
}

// Termination tells how a container ended.
type Termination struct {
	// Status is the wait status of the first process, as of wait(2); nil if unknown.
	Status *syscall.WaitStatus
	// State is what unfinished tasks of the container become when it was
	// limited; nil leaves that to the agent.
	State *mesos.TaskState
	// Reasons say why the container was killed or could not go on, such as
	// REASON_CONTAINER_LIMITATION_MEMORY. Empty if the process ended by itself.
	Reasons []mesos.TaskStatus_Reason
	// Message is for the task's user.
	Message string
	// LimitedResources are those whose limit was hit, and by how much.
	LimitedResources []*mesos.Resource
}
