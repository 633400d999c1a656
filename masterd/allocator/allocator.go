package allocator

import (
	"errors"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
)

// FrameworkID is the value of a Mesos framework ID.
type FrameworkID string

// AgentID is the value of a Mesos agent ID.
type AgentID string

// Errors of Allocator methods. They tell of a caller that lost track; the allocator's own books stay
// consistent.
var (
	ErrUnknownFramework = errors.New("unknown framework")
	ErrUnknownAgent     = errors.New("unknown agent")
	ErrExists           = errors.New("already known")
	// ErrNotHeld says that a framework was to give back or convert what it doesn't hold.
	ErrNotHeld = errors.New("resources are not held")
	// ErrNotAvailable says that what was to be converted is not free.
	ErrNotAvailable = errors.New("resources are not available")
)

// Allocator is told of everything that happens to frameworks, agents and their resources, and asked
// for proposals. Calls come from one goroutine and in the order in which things happened.
//
// Resources that are held by a framework, from proposal to use, carry allocation_info, in the form
// with reservation stacks; the totals of agents do not. A proposal counts as held from the moment
// that it is returned: whoever does not pass it on to the framework gives it back with Recover.
//
// A worked example: AddAgent(a1, total cpus:4), AddFramework(f1, role web); Allocate proposes cpus:4
// of a1 to f1. The master offers it, f1 launches a task of cpus:1 and declines the rest:
// Recover(f1, a1, cpus:3 for web, 5 s). The next Allocate proposes nothing, for f1 filters a1, and one
// more than 5 s later proposes cpus:3. When the task ends, Recover(f1, a1, cpus:1 for web, nil).
//
// Methods that return due report that an allocation should follow at once, without waiting for the
// next interval. Other changes wait for it.
type Allocator interface {
	// Start is called first, with what the registry holds. With quota and expected agents, nothing is
	// proposed until enough of them are there or the recovery timeout has passed: guarantees can't be
	// kept with most of the cluster out of sight.
	Start(expectedAgents int, quotas []*quota.QuotaConfig, weights []*mesos.WeightInfo, now time.Time)

	// AddFramework adds a framework. What it holds on agents that were added before is in held, as far
	// as it wasn't told with the agent.
	AddFramework(f Framework, held []Held) (due bool, err error)
	// UpdateFramework replaces what the framework said of itself. Filters of roles that it left are
	// dropped; roles that are no longer suppressed are revived.
	UpdateFramework(f Framework) (due bool, err error)
	// RemoveFramework forgets it, and frees what it still holds.
	RemoveFramework(id FrameworkID) error
	// ActivateFramework lets it get proposals.
	ActivateFramework(id FrameworkID) (due bool, err error)
	// DeactivateFramework ends that and drops its filters. What it holds it keeps.
	DeactivateFramework(id FrameworkID) error
	// Suppress stops proposals for roles of a framework; none means all that it is subscribed to.
	Suppress(id FrameworkID, roles []string) error
	// Revive takes back Suppress and drops the framework's filters for these roles; none means all.
	Revive(id FrameworkID, roles []string) (due bool, err error)

	// AddAgent adds an agent, active, with what is held there by frameworks, known or not.
	AddAgent(a Agent, held []Held) (due bool, err error)
	// UpdateAgent replaces what is known of an agent, its total included. Filters for it are dropped
	// when its attributes changed.
	UpdateAgent(a Agent) (due bool, err error)
	// RemoveAgent forgets it and all that is held there.
	RemoveAgent(id AgentID) error
	// ActivateAgent lets the agent be proposed; DeactivateAgent ends that.
	ActivateAgent(id AgentID) error
	DeactivateAgent(id AgentID) error
	// Whitelist, when not nil, says which hosts may be proposed.
	Whitelist(hosts map[string]bool)

	// Track counts resources as held that were never proposed.
	Track(id FrameworkID, agent AgentID, r resources.Resources) error
	// Recover frees what a framework holds. With filters it declined: it doesn't want them back for
	// refuse_seconds (default 5, at most a year; not for the next interval in any case).
	Recover(id FrameworkID, agent AgentID, r resources.Resources, filters *mesos.Filters, now time.Time) error
	// UpdateAllocation converts what a framework holds, and the agent's total with it: the operations
	// of an ACCEPT. A conversion that consumes nothing is an additional copy of a shared volume.
	UpdateAllocation(id FrameworkID, agent AgentID, held resources.Resources, conversions []resources.Conversion) error
	// UpdateAvailable converts what nobody holds, and the agent's total with it: the operations of an
	// operator. It fails with ErrNotAvailable.
	UpdateAvailable(agent AgentID, conversions []resources.Conversion) error

	// UpdateWeights sets the weights of roles (default 1). UpdateQuota sets quotas; one without
	// guarantees and limits removes that of its role.
	UpdateWeights(weights []*mesos.WeightInfo)
	UpdateQuota(quotas []*quota.QuotaConfig)

	// UpdateUnavailability schedules maintenance of an agent, or with nil ends it. Frameworks that hold
	// something there get inverse offers.
	UpdateUnavailability(agent AgentID, u *mesos.Unavailability) (due bool, err error)
	// UpdateInverseOffer tells that an inverse offer is no longer outstanding. With filters the
	// framework doesn't want another for a while.
	UpdateInverseOffer(id FrameworkID, agent AgentID, filters *mesos.Filters, now time.Time) error

	// Allocate proposes who gets what of the free resources.
	Allocate(now time.Time) []Proposal
	// InverseOffers proposes whom to ask to leave agents with scheduled maintenance.
	InverseOffers(now time.Time) []InverseProposal
	// Stats is a snapshot for metrics.
	Stats() Stats
}

// Framework is what the allocator knows of a framework.
type Framework struct {
	// Info has its ID set.
	Info *mesos.FrameworkInfo
	// Active says whether it may get proposals. UpdateFramework ignores it.
	Active bool
	// Suppressed are those of its roles that get none.
	Suppressed  []string
	Constraints *constraint.Set
}

// Agent is what the allocator knows of an agent.
type Agent struct {
	// Info has its ID set. Hostname, attributes and domain are looked at.
	Info *mesos.AgentInfo
	// Capabilities are looked at for MULTI_ROLE and HIERARCHICAL_ROLE: an agent without them is not
	// offered to frameworks and roles that need them.
	Capabilities []mesos.AgentInfo_Capability_Type
	Total        resources.Resources
	// Unavailability is the scheduled maintenance. UpdateAgent ignores it.
	Unavailability *mesos.Unavailability
}

// Held is what a framework holds on an agent, with allocation_info. In AddAgent the agent is implied,
// in AddFramework the framework.
type Held struct {
	Framework FrameworkID
	Agent     AgentID
	Resources resources.Resources
}

// Proposal is a piece of one agent for one role of one framework. The resources carry no
// allocation_info yet: Resources.Allocate(Role) sets it.
type Proposal struct {
	Framework FrameworkID
	Role      string
	Agent     AgentID
	Resources resources.Resources
}

// InverseProposal asks a framework to leave an agent.
type InverseProposal struct {
	Framework      FrameworkID
	Agent          AgentID
	Unavailability *mesos.Unavailability
}
