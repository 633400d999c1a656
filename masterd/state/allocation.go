package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// AllocatorEffect is an effect for the allocator. They are applied in order
// and before anything that a later Step emits. Resources that are in use or
// offered carry their allocation_info.
type AllocatorEffect interface {
	Effect
	allocator()
}

// AllocStart is the first: what the registry knew. The allocator may hold
// back until as many agents are there again as it asks for.
type AllocStart struct {
	ExpectedAgents int
	Quotas         []*quota.QuotaConfig
	Weights        []*mesos.WeightInfo
}

// AllocAddFramework adds a framework and what it has on agents that were added
// before.
type AllocAddFramework struct {
	// Info has its ID set.
	Info        *mesos.FrameworkInfo
	Used        []AgentResources
	Active      bool
	Suppressed  []string
	Constraints *scheduler.OfferConstraints
}

// AllocUpdateFramework replaces what the framework said of itself.
type AllocUpdateFramework struct {
	Info        *mesos.FrameworkInfo
	Suppressed  []string
	Constraints *scheduler.OfferConstraints
}

// AllocRemoveFramework forgets a framework. What it ran was given back with
// AllocRecover before; what was proposed to it meanwhile is free with this.
type AllocRemoveFramework struct{ Framework FrameworkID }

// AllocActivateFramework lets a framework get offers.
type AllocActivateFramework struct{ Framework FrameworkID }

// AllocDeactivateFramework lets a framework get no more offers, until it is
// activated again. What it has stays allocated.
type AllocDeactivateFramework struct{ Framework FrameworkID }

// AllocAddAgent adds an agent, active, with what is in use there by frameworks
// that may be added later.
type AllocAddAgent struct {
	// Info has its ID set.
	Info           *mesos.AgentInfo
	Capabilities   []mesos.AgentInfo_Capability_Type
	Total          []*mesos.Resource
	Used           []FrameworkResources
	Unavailability *mesos.Unavailability
}

// AllocUpdateAgent replaces what is known of an agent.
type AllocUpdateAgent struct {
	Info         *mesos.AgentInfo
	Capabilities []mesos.AgentInfo_Capability_Type
	Total        []*mesos.Resource
}

// AllocRemoveAgent forgets an agent and all that is allocated there.
type AllocRemoveAgent struct{ Agent AgentID }

// AllocActivateAgent lets the agent be offered.
type AllocActivateAgent struct{ Agent AgentID }

// AllocDeactivateAgent keeps the agent from being offered.
type AllocDeactivateAgent struct{ Agent AgentID }

// AllocRecover gives back what was proposed, offered or in use.
type AllocRecover struct {
	Framework FrameworkID
	Agent     AgentID
	Resources []*mesos.Resource
	// Filters is set when the framework declined the resources: it doesn't
	// want them back for a while. Nil means no filter.
	Filters *mesos.Filters
}

// AllocTrack counts resources as in use by a framework that were never
// proposed: those of an executor or task that an agent brought along.
type AllocTrack struct {
	Framework FrameworkID
	Agent     AgentID
	Resources []*mesos.Resource
}

// AllocConvert turns what a framework holds on an agent into something else, and
// the agent's total with it. A conversion that consumes nothing is an additional
// copy of a shared volume, which is in the total once.
type AllocConvert struct {
	Framework   FrameworkID
	Agent       AgentID
	Conversions []resources.Conversion
}

// AllocConvertFree turns what nobody holds on an agent into something else. The
// master has the last word on what that is: it refuses proposals that it gets
// later of what was converted. Agent is what results, for an allocator that
// believes otherwise.
type AllocConvertFree struct {
	Agent       AllocUpdateAgent
	Conversions []resources.Conversion
}

// AllocSuppress stops offers for roles of a framework; none means all.
type AllocSuppress struct {
	Framework FrameworkID
	Roles     []string
}

// AllocRevive takes back AllocSuppress and drops the framework's filters for
// these roles; none means all.
type AllocRevive struct {
	Framework FrameworkID
	Roles     []string
}

// AllocRequest passes on what a framework asked for. Mesos's allocator, like
// ours, ignores it.
type AllocRequest struct {
	Framework FrameworkID
	Requests  []*mesos.Request
}

// AllocUpdateWeights sets the weights of roles.
type AllocUpdateWeights struct{ Weights []*mesos.WeightInfo }

// AllocUpdateQuota sets the quota of roles; one without guarantees and limits
// removes it.
type AllocUpdateQuota struct {
	Quotas []*quota.QuotaConfig
	// Version counts these effects. Allocated says up to which one the
	// allocator had applied them.
	Version uint64
}

// AllocUpdateUnavailability says when an agent will be away for maintenance; nil
// ends that. Inverse offers of the agent were answered or taken back before.
type AllocUpdateUnavailability struct {
	Agent          AgentID
	Unavailability *mesos.Unavailability
}

// AllocUpdateInverseOffer says that an inverse offer was answered, with the
// framework's filters, or taken back.
type AllocUpdateInverseOffer struct {
	Framework FrameworkID
	Agent     AgentID
	Filters   *mesos.Filters
}

// AllocWhitelist says which hosts' agents may be proposed.
type AllocWhitelist struct{ Hosts map[string]bool }

func (AllocWhitelist) effect()    {}
func (AllocWhitelist) allocator() {}

// AgentResources are resources on one agent.
type AgentResources struct {
	Agent     AgentID
	Resources []*mesos.Resource
}

// FrameworkResources are resources of one framework.
type FrameworkResources struct {
	Framework FrameworkID
	Resources []*mesos.Resource
}

func (AllocStart) effect()               {}
func (AllocAddFramework) effect()        {}
func (AllocUpdateFramework) effect()     {}
func (AllocRemoveFramework) effect()     {}
func (AllocActivateFramework) effect()   {}
func (AllocDeactivateFramework) effect() {}
func (AllocAddAgent) effect()            {}
func (AllocUpdateAgent) effect()         {}
func (AllocRemoveAgent) effect()         {}
func (AllocActivateAgent) effect()       {}
func (AllocDeactivateAgent) effect()     {}
func (AllocRecover) effect()             {}
func (AllocTrack) effect()               {}
func (AllocConvert) effect()             {}
func (AllocConvertFree) effect()         {}
func (AllocSuppress) effect()            {}
func (AllocRevive) effect()              {}
func (AllocRequest) effect()             {}
func (AllocUpdateWeights) effect()       {}
func (AllocUpdateQuota) effect()         {}

func (AllocUpdateUnavailability) effect()    {}
func (AllocUpdateInverseOffer) effect()      {}
func (AllocUpdateUnavailability) allocator() {}
func (AllocUpdateInverseOffer) allocator()   {}

func (AllocStart) allocator()               {}
func (AllocAddFramework) allocator()        {}
func (AllocUpdateFramework) allocator()     {}
func (AllocRemoveFramework) allocator()     {}
func (AllocActivateFramework) allocator()   {}
func (AllocDeactivateFramework) allocator() {}
func (AllocAddAgent) allocator()            {}
func (AllocUpdateAgent) allocator()         {}
func (AllocRemoveAgent) allocator()         {}
func (AllocActivateAgent) allocator()       {}
func (AllocDeactivateAgent) allocator()     {}
func (AllocRecover) allocator()             {}
func (AllocTrack) allocator()               {}
func (AllocConvert) allocator()             {}
func (AllocConvertFree) allocator()         {}
func (AllocSuppress) allocator()            {}
func (AllocRevive) allocator()              {}
func (AllocRequest) allocator()             {}
func (AllocUpdateWeights) allocator()       {}
func (AllocUpdateQuota) allocator()         {}
