package sim

import (
	"strings"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// top is the role at the top of a role's branch.
func top(role string) string {
	name, _, _ := strings.Cut(role, "/")
	return name
}

// checkOffers: what is offered may be, and tells of scheduled maintenance.
func (m *master) checkOffers(v *state.View) {
	agents := map[string]*state.Agent{}
	for a := range v.Agents.All() {
		agents[string(a.ID)] = a
	}
	away := map[string]*mesos.Unavailability{}
	for _, w := range v.Schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			away[id.GetHostname()] = w.GetUnavailability()
		}
	}
	down := map[string]bool{}
	for _, id := range v.Maintenance.GetDownMachines() {
		down[id.GetHostname()] = true
	}
	for o := range v.Offers.All() {
		a := agents[o.Offer.GetAgentId().GetValue()]
		switch host := o.Offer.GetHostname(); {
		case a.Deactivated:
			m.sim.fail("offer %s is of agent %s, which is deactivated", o.Offer.GetId().GetValue(), a.ID)
		case down[host]:
			m.sim.fail("offer %s is of agent %s, whose machine is down", o.Offer.GetId().GetValue(), a.ID)
		case !proto.Equal(o.Offer.GetUnavailability(), away[host]):
			m.sim.fail("offer %s of agent %s says %v, the schedule %v", o.Offer.GetId().GetValue(), a.ID,
				o.Offer.GetUnavailability(), away[host])
		}
	}
}

// checkLimits: offers that are made of what the master still knows take no role
// above its limit. What agents bring along when they come back may, and what was
// set by force. A proposal that was under way when a quota changed is no offer:
// the master gives it back.
func (m *master) checkLimits(before, v *state.View) {
	known := map[string]bool{}
	for o := range before.Offers.All() {
		known[o.Offer.GetId().GetValue()] = true
	}
	offered := map[string]resources.Quantities{}
	for o := range v.Offers.All() {
		if known[o.Offer.GetId().GetValue()] {
			continue
		}
		role := top(o.Offer.GetAllocationInfo().GetRole())
		// What is reserved counts since it was reserved, offered or not.
		offered[role] = offered[role].Add(m.parse(o.Offer.GetResources()).Unreserved().Quantities())
	}
	for role, more := range offered {
		limits := resources.LimitsOfScalars(v.Quotas[role].GetLimits())
		if len(limits) == 0 || limits.Allows(m.heldBy(v, role)) {
			continue
		}
		for _, l := range limits {
			if held := m.heldBy(v, role).Get(l.Name); more.Get(l.Name) > 0 && held > l.Value {
				m.sim.fail("role %s is limited to %s of %s and has %s, of which %s was just offered",
					role, l.Value, l.Name, held, more.Get(l.Name))
			}
		}
	}
}

// heldBy is what counts against the quota of a role: what is reserved for it and
// those below, held or not, and what these use and are offered beside.
func (m *master) heldBy(v *state.View, role string) resources.Quantities {
	var sum resources.Quantities
	for f := range v.Frameworks.All() {
		for name, r := range m.parse(f.Used).Add(m.parse(f.Offered)).ByAllocation() {
			if top(name) == role {
				sum = sum.Add(r.Unreserved().Quantities())
			}
		}
	}
	for a := range v.Agents.All() {
		for name, r := range m.parse(a.Total).ByReservation() {
			if top(name) == role {
				sum = sum.Add(r.Quantities())
			}
		}
	}
	return sum
}

// brings says whether an effect tells the allocator of what it did not propose.
func brings(e state.Effect) bool {
	switch e.(type) {
	case state.AllocAddAgent, state.AllocAddFramework, state.AllocTrack, state.AllocUpdateAgent:
		return true
	}
	return false
}
