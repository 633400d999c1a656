package state

import (
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// View is the agent at one moment, for readers in other goroutines. Nothing in it
// is ever changed.
type View struct {
	Phase Phase
	// Agent has an ID once the agent was registered.
	Agent *mesos.AgentInfo
	// Capabilities are those that the master is told.
	Capabilities []*mesos.AgentInfo_Capability
	// Master is the PID of the leading master; empty for none.
	Master string
	// Total is what the agent has, with reservations and volumes.
	Total []*mesos.Resource
	// Lent are the revocable resources that the agent lends besides.
	Lent resources.Resources
	// Drain is nil unless the agent drains, since DrainSince.
	Drain      *mesos.DrainConfig
	DrainSince time.Time
	// Operations are those on the agent's resources and on its providers'.
	Operations []*mesos.Operation
	// Providers are subscribed, sorted by ID. OperationCounts are about theirs.
	Providers       []*Provider
	OperationCounts map[OperationKind]OperationCounts
	// Frameworks have executors here, Completed had; sorted by ID and by age.
	Frameworks []*Framework
	Completed  []*Framework
	Counters   Counters
}

// Framework is one framework of a View.
type Framework struct {
	ID   string
	Info *mesos.FrameworkInfo
	// Executors live; Completed are over and acknowledged, the oldest first.
	Executors []*Executor
	Completed []*Executor
}

// Executor is one executor of a View.
type Executor struct {
	ID          string
	FrameworkID string
	Info        *mesos.ExecutorInfo
	Container   string
	Directory   string
	Phase       RunPhase
	// Resources are those of the executor and its unfinished tasks.
	Resources []*mesos.Resource
	// Queued wait for the executor, Launched are with it, Terminated wait for
	// acknowledgements, Completed are over.
	Queued                          []*mesos.TaskInfo
	Launched, Terminated, Completed []*mesos.Task
}

// Counters count what happened since the agent started.
type Counters struct {
	TasksFinished, TasksFailed, TasksKilled, TasksLost, TasksGone uint64
	ValidStatusUpdates, InvalidStatusUpdates                      uint64
	ValidFrameworkMessages, InvalidFrameworkMessages              uint64
	ExecutorsTerminated, ContainerLaunchErrors                    uint64
	ProviderSubscriptions, ProviderDisconnections                 uint64
	ExecutorsPreempted                                            uint64
}

func (c *Counters) count(s mesos.TaskState) {
	switch s {
	case mesos.TaskState_TASK_FINISHED:
		c.TasksFinished++
	case mesos.TaskState_TASK_FAILED:
		c.TasksFailed++
	case mesos.TaskState_TASK_KILLED:
		c.TasksKilled++
	case mesos.TaskState_TASK_LOST:
		c.TasksLost++
	case mesos.TaskState_TASK_GONE:
		c.TasksGone++
	}
}

// View returns the agent as it is.
func (m *Machine) View() *View {
	v := &View{
		Phase:        m.phase,
		Agent:        m.info,
		Capabilities: m.cfg.Capabilities,
		Master:       m.master,
		Total:        m.total(),
		Lent:         m.lent,
		Drain:        m.drain,
		DrainSince:   m.drainAt,
		Operations:   m.allOperations(),
		Counters:     m.counters,
		Providers:    m.providersView(),

		OperationCounts: m.operationCounts(),
	}
	for _, f := range sorted(m.frameworks) {
		v.Frameworks = append(v.Frameworks, f.view())
	}
	for _, f := range m.completed {
		v.Completed = append(v.Completed, f.view())
	}
	return v
}

func (f *framework) view() *Framework {
	v := &Framework{ID: f.id, Info: f.info, Completed: slices.Clone(f.completed)}
	for _, r := range sorted(f.runs) {
		v.Executors = append(v.Executors, r.view())
	}
	return v
}

func (r *run) view() *Executor {
	v := &Executor{
		ID:          r.id,
		FrameworkID: r.framework.id,
		Info:        r.info,
		Container:   r.container,
		Directory:   r.directory,
		Phase:       r.phase,
		Resources:   r.resources(),
		Completed:   slices.Clone(r.completed),
	}
	for _, q := range r.queued {
		v.Queued = append(v.Queued, q.info)
	}
	for _, t := range sorted(r.launched) {
		v.Launched = append(v.Launched, t)
	}
	for _, t := range sorted(r.terminated) {
		v.Terminated = append(v.Terminated, t)
	}
	return v
}
