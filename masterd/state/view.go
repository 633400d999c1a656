package state

import (
	"iter"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// View is the master at one moment, for readers in any goroutine. It and all
// that it points to never change; two Views share what did not change between
// them. Taking one costs in proportion to what changed since the last, plus a
// pointer per 64 records.
//
// Tables are flat, in order of arrival: readers that want tasks grouped by
// framework or by agent group them, on their own time.
type View struct {
	Master *mesos.MasterInfo
	// Recovered says whether the registry was read. Until then the master
	// answers 503 and everything else here is empty.
	Recovered bool
	// Elected is when the machine got Recovered.
	Elected time.Time

	Frameworks Table[Framework]
	// CompletedFrameworks are oldest first.
	CompletedFrameworks Table[Framework]

	// Agents are those that are registered, connected or not.
	Agents Table[Agent]
	// RecoveredAgents are known from the registry and did not register with
	// this leader yet.
	RecoveredAgents   Table[mesos.AgentInfo]
	UnreachableAgents Table[FormerAgent]
	GoneAgents        Table[FormerAgent]

	Tasks Table[mesos.Task]
	// UnreachableTasks are those of unreachable agents.
	UnreachableTasks Table[mesos.Task]
	// CompletedTasks are oldest first within a framework, also of completed
	// frameworks.
	CompletedTasks Table[mesos.Task]
	Executors      Table[Executor]
	Offers         Table[Offer]
	// Operations are those other than launches that are under way or whose
	// outcome is not acknowledged, of frameworks and operators.
	Operations Table[mesos.Operation]

	// Roles are the only ones that there are (--roles); nil if there may be any.
	Roles map[string]bool
	// Weights and Quotas are those that were set, by role.
	Weights map[string]float64
	Quotas  map[string]*quota.QuotaConfig

	// Schedule is that of maintenance, and Maintenance the mode of the machines
	// in it with the answers of frameworks. Neither is nil.
	Schedule    *maintenance.Schedule
	Maintenance *maintenance.ClusterStatus

	Stats Stats
}

// Table is an immutable sequence of records.
type Table[T any] struct {
	chunks []*chunk[T]
	length int
}

// Len returns the number of records.
func (t Table[T]) Len() int { return t.length }

// All yields the records, oldest first.
func (t Table[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, c := range t.chunks {
			for _, cell := range c.records {
				if cell != nil && !yield(cell.record) {
					return
				}
			}
		}
	}
}

// Each yields the records with what readers keep beside them, oldest first.
func (t Table[T]) Each() iter.Seq2[*T, *Kept] {
	return func(yield func(*T, *Kept) bool) {
		for _, c := range t.chunks {
			for _, cell := range c.records {
				if cell != nil && !yield(cell.record, &cell.kept) {
					return
				}
			}
		}
	}
}

// Without returns the pieces of a table that an earlier one doesn't have: all
// records that are new or changed since, and some of their neighbours.
func (t Table[T]) Without(earlier Table[T]) Table[T] {
	known := make(map[*chunk[T]]struct{}, len(earlier.chunks))
	for _, c := range earlier.chunks {
		known[c] = struct{}{}
	}
	var rest Table[T]
	for _, c := range t.chunks {
		if _, ok := known[c]; !ok {
			rest.chunks = append(rest.chunks, c)
			rest.length += c.live
		}
	}
	return rest
}

// Split cuts a table into at most n pieces of about the same length, for
// readers that share the work.
func (t Table[T]) Split(n int) []Table[T] {
	if len(t.chunks) == 0 {
		return nil
	}
	each := (len(t.chunks) + max(n, 1) - 1) / max(n, 1)
	var pieces []Table[T]
	for chunks := range slices.Chunk(t.chunks, each) {
		piece := Table[T]{chunks: chunks}
		for _, c := range chunks {
			piece.length += c.live
		}
		pieces = append(pieces, piece)
	}
	return pieces
}

// Framework is what is known of a framework.
type Framework struct {
	ID FrameworkID
	// Info has its ID set.
	Info *mesos.FrameworkInfo
	// PID is that of a native driver, "" for HTTP frameworks.
	PID PID
	// Connected says whether there is a stream or driver now.
	Connected bool
	// Active says whether it may get offers; a connected framework is active
	// unless a driver said it stopped.
	Active bool
	// Recovered says that it is known from an agent only and did not
	// subscribe with this leader yet.
	Recovered bool
	// Registered is when it subscribed first (zero: did not yet), Reregistered
	// when it did last, Unregistered when it ended (zero: lives).
	Registered, Reregistered, Unregistered time.Time
	// Roles are those it is subscribed to, sorted; Suppressed is the part
	// that gets no offers.
	Roles, Suppressed []string
	Constraints       *scheduler.OfferConstraints
	// Used is held by tasks and executors, Offered by outstanding offers, on
	// all agents together. As in Mesos that is exact for scalars only: the
	// same port on two agents counts once, and is gone with the first.
	Used, Offered []*mesos.Resource
	Stats         *FrameworkStats
}

// Agent is what is known of a registered agent.
type Agent struct {
	ID AgentID
	// Info has its ID set; its resources are what it registered with.
	Info *mesos.AgentInfo
	PID  PID
	// Version is what the agent calls its own, "1.11.0".
	Version      string
	Capabilities []*mesos.AgentInfo_Capability
	// Connected says whether its link stands; Active also that it may be
	// offered.
	Connected, Active bool
	// Deactivated says that an operator keeps it from being offered; Drain is
	// set while and after it is drained, DrainStarted its beginning.
	Deactivated  bool
	Drain        *mesos.DrainInfo
	DrainStarted time.Time
	// Registered is when it was added to this master, Reregistered when it
	// came back last (zero: never did).
	Registered, Reregistered time.Time
	// Total is all it has, with reservations as they are now; Checkpointed
	// the part that the agent must remember (dynamic reservations, volumes).
	// Used is held by tasks and executors, Offered by outstanding offers.
	Total, Checkpointed, Used, Offered []*mesos.Resource
	// Providers are its resource providers as it told of them last, sorted by ID.
	Providers []ResourceProvider
}

// ResourceProvider is a resource provider of an agent.
type ResourceProvider struct {
	Info *mesos.ResourceProviderInfo
	// Total is the part of the agent's that is its.
	Total []*mesos.Resource
}

// FormerAgent is an agent that is unreachable or gone.
type FormerAgent struct {
	ID AgentID
	// Since is when it was marked.
	Since       time.Time
	Drain       *mesos.DrainInfo
	Deactivated bool
}

// Executor is an executor that the master believes to run.
type Executor struct {
	Agent     AgentID
	Framework FrameworkID
	Info      *mesos.ExecutorInfo
}

// Offer is an outstanding offer.
type Offer struct {
	// Offer is as the master keeps it: every resource has its
	// allocation_info, also for frameworks that don't get to see it.
	Offer *mesos.Offer
	Made  time.Time
}
