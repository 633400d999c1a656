package engine

import (
	"errors"
	"time"

	"github.com/go-logr/logr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// bridge translates the machine's effects into calls of an allocator.Allocator.
// The two know nothing of each other: the machine speaks in wire messages, the
// allocator in its algebra.
type bridge struct {
	allocator allocator.Allocator
	limits    constraint.Limits
	log       logr.Logger
	// quota is the version of the quotas that the allocator has.
	quota uint64
}

// Bridge makes an allocator fit for an Engine. limits are those on offer
// constraints (--offer_constraints_re2_max_*).
func Bridge(a allocator.Allocator, limits constraint.Limits, log logr.Logger) Allocator {
	return &bridge{allocator: a, limits: limits, log: log}
}

// Apply implements Allocator. An error tells that machine and allocator
// disagree about who is there; the allocator's books stay in order, so it is
// logged for whoever looks for the cause.
func (b *bridge) Apply(e state.AllocatorEffect, now time.Time) (due bool) {
	due, err := b.apply(e, now)
	if err != nil {
		b.log.Error(err, "the allocator does not agree with the master", "effect", e)
	}
	return due
}

func (b *bridge) apply(e state.AllocatorEffect, now time.Time) (due bool, err error) {
	a := b.allocator
	switch e := e.(type) {
	case state.AllocStart:
		a.Start(e.ExpectedAgents, e.Quotas, e.Weights, now)
	case state.AllocUpdateWeights:
		a.UpdateWeights(e.Weights)
	case state.AllocUpdateQuota:
		a.UpdateQuota(e.Quotas)
		b.quota = e.Version
		return true, nil
	case state.AllocUpdateUnavailability:
		return a.UpdateUnavailability(allocator.AgentID(e.Agent), e.Unavailability)
	case state.AllocUpdateInverseOffer:
		err = a.UpdateInverseOffer(allocator.FrameworkID(e.Framework), allocator.AgentID(e.Agent), e.Filters, now)
	case state.AllocWhitelist:
		a.Whitelist(e.Hosts)
	case state.AllocRequest: // of no consequence, as in Mesos
	case state.AllocRecover:
		err = a.Recover(allocator.FrameworkID(e.Framework), allocator.AgentID(e.Agent),
			resources.Of(e.Resources...), e.Filters, now)
	case state.AllocTrack:
		err = a.Track(allocator.FrameworkID(e.Framework), allocator.AgentID(e.Agent), resources.Of(e.Resources...))
	case state.AllocConvert:
		err = a.UpdateAllocation(allocator.FrameworkID(e.Framework), allocator.AgentID(e.Agent),
			consumed(e.Conversions), e.Conversions)
	case state.AllocConvertFree:
		return b.convertFree(e)
	default:
		if due, ok, err := b.applyFramework(e); ok {
			return due, err
		}
		return b.applyAgent(e)
	}
	return false, err
}

// consumed is all that conversions take.
func consumed(conversions []resources.Conversion) (sum resources.Resources) {
	for _, c := range conversions {
		sum = sum.Add(c.Consumed)
	}
	return sum
}

// convertFree lets the master have its way when the allocator has proposed what
// is to be converted and the master does not know that yet: it will refuse the
// proposal and give back what was in it.
func (b *bridge) convertFree(e state.AllocConvertFree) (due bool, err error) {
	id := allocator.AgentID(e.Agent.Info.GetId().GetValue())
	if err = b.allocator.UpdateAvailable(id, e.Conversions); errors.Is(err, allocator.ErrNotAvailable) {
		return b.applyAgent(e.Agent)
	}
	return true, err
}

func (b *bridge) applyFramework(e state.AllocatorEffect) (due, ok bool, err error) {
	a := b.allocator
	switch e := e.(type) {
	case state.AllocAddFramework:
		f := b.framework(e.Info, e.Suppressed, e.Constraints)
		f.Active = e.Active
		due, err = a.AddFramework(f, heldOnAgents(e.Used))
	case state.AllocUpdateFramework:
		due, err = a.UpdateFramework(b.framework(e.Info, e.Suppressed, e.Constraints))
	case state.AllocRemoveFramework:
		err = a.RemoveFramework(allocator.FrameworkID(e.Framework))
	case state.AllocActivateFramework:
		due, err = a.ActivateFramework(allocator.FrameworkID(e.Framework))
	case state.AllocDeactivateFramework:
		err = a.DeactivateFramework(allocator.FrameworkID(e.Framework))
	case state.AllocSuppress:
		err = a.Suppress(allocator.FrameworkID(e.Framework), e.Roles)
	case state.AllocRevive:
		due, err = a.Revive(allocator.FrameworkID(e.Framework), e.Roles)
	default:
		return false, false, nil
	}
	return due, true, err
}

func (b *bridge) applyAgent(e state.AllocatorEffect) (due bool, err error) {
	a := b.allocator
	switch e := e.(type) {
	case state.AllocAddAgent:
		return a.AddAgent(allocator.Agent{
			Info: e.Info, Capabilities: e.Capabilities,
			Total: resources.Of(e.Total...), Unavailability: e.Unavailability,
		}, heldByFrameworks(e.Used))
	case state.AllocUpdateAgent:
		return a.UpdateAgent(allocator.Agent{
			Info: e.Info, Capabilities: e.Capabilities, Total: resources.Of(e.Total...),
		})
	case state.AllocRemoveAgent:
		return false, a.RemoveAgent(allocator.AgentID(e.Agent))
	case state.AllocActivateAgent:
		return true, a.ActivateAgent(allocator.AgentID(e.Agent))
	case state.AllocDeactivateAgent:
		return false, a.DeactivateAgent(allocator.AgentID(e.Agent))
	}
	panic("engine: an allocator effect that is not known")
}

// framework compiles what was validated by the machine. Constraints that
// don't compile here would exclude nothing, so they are reported.
func (b *bridge) framework(
	info *mesos.FrameworkInfo, suppressed []string, constraints *scheduler.OfferConstraints,
) allocator.Framework {
	f := allocator.Framework{Info: info, Suppressed: suppressed}
	if constraints == nil {
		return f
	}
	var err error
	if f.Constraints, err = constraint.Compile(constraints, b.limits); err != nil {
		b.log.Error(err, "offer constraints are ignored", "framework_id", info.GetId().GetValue())
	}
	return f
}

func heldOnAgents(used []state.AgentResources) []allocator.Held {
	held := make([]allocator.Held, len(used))
	for i, u := range used {
		held[i] = allocator.Held{Agent: allocator.AgentID(u.Agent), Resources: resources.Of(u.Resources...)}
	}
	return held
}

func heldByFrameworks(used []state.FrameworkResources) []allocator.Held {
	held := make([]allocator.Held, len(used))
	for i, u := range used {
		held[i] = allocator.Held{Framework: allocator.FrameworkID(u.Framework), Resources: resources.Of(u.Resources...)}
	}
	return held
}

// Stats implements Allocator.
func (b *bridge) Stats() allocator.Stats { return b.allocator.Stats() }

// Allocate implements Allocator.
func (b *bridge) Allocate(now time.Time) state.Allocated {
	proposals := b.allocator.Allocate(now)
	out := state.Allocated{Quota: b.quota, Proposals: make([]state.Proposal, len(proposals))}
	for i, p := range proposals {
		out.Proposals[i] = state.Proposal{
			Framework: state.FrameworkID(p.Framework),
			Role:      p.Role,
			Agent:     state.AgentID(p.Agent),
			Resources: p.Resources.Allocate(p.Role).Proto(),
		}
	}
	for _, p := range b.allocator.InverseOffers(now) {
		out.Inverse = append(out.Inverse, state.InverseProposal{
			Framework: state.FrameworkID(p.Framework), Agent: state.AgentID(p.Agent), Unavailability: p.Unavailability,
		})
	}
	return out
}
