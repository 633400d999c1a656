package allocator

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// agent is a registered agent and who holds what there.
type agent struct {
	id     AgentID
	info   *mesos.AgentInfo
	active bool

	traits

	// total is what it has. used is held by somebody, free is the rest; neither carries
	// allocation_info. Shared volumes are always free.
	total, used, free resources.Resources
	shared            resources.Resources
	// usedScalars are those of used.
	usedScalars vector
	// freeUnreserved are the scalars of free that guarantees can be met with.
	freeUnreserved vector

	holdings []holding

	// arrival numbers agents in the order in which they came.
	arrival uint64
	// givenIn is the last cycle in which something of it was proposed.
	givenIn uint64
	// candidate says that it waits for the next cycle.
	candidate bool
	// heldBack says that quota kept something from being proposed.
	heldBack bool
	// ruledOut has a bit for each client that can't use seen, nor anything contained in it.
	ruledOut bitset
	seen     resources.Resources

	filters  filters
	refusals refusals

	unavailability *mesos.Unavailability
	// asked are the frameworks with an outstanding inverse offer.
	asked map[FrameworkID]bool
}

// traits are what checks go by, computed once.
type traits struct {
	hostname, region, zone      string
	multiRole, hierarchicalRole bool
	// remote says that it is in another region than the master.
	remote bool
	// gpus says that it has some. hasReserved and hasSpecial (shared, revocable or refined) are false
	// for most agents, so that most checks can be left out.
	gpus, hasReserved, hasSpecial bool
}

// holding is what a framework holds in a role, without allocation_info.
type holding struct {
	framework FrameworkID
	role      string
	// client is nil while the framework is unknown.
	client    *client
	resources resources.Resources
}

// bitset is a set of small numbers.
type bitset []uint64

func (b bitset) has(i int) bool { return i>>6 < len(b) && b[i>>6]&(1<<(i&63)) != 0 }

func (b *bitset) set(i int) {
	for len(*b) <= i>>6 {
		*b = append(*b, 0)
	}
	(*b)[i>>6] |= 1 << (i & 63)
}

func (b bitset) clear(i int) {
	if i>>6 < len(b) {
		b[i>>6] &^= 1 << (i & 63)
	}
}

// AddAgent implements Allocator.
func (h *Hierarchical) AddAgent(desc Agent, held []Held) (bool, error) {
	id := AgentID(desc.Info.GetId().GetValue())
	if h.agents[id] != nil {
		return false, fmt.Errorf("adding agent %s: %w", id, ErrExists)
	}
	h.serial++
	a := &agent{id: id, active: true, arrival: h.serial}
	h.agents[id] = a
	h.schedule(a, desc.Unavailability)
	h.describeAgent(a, desc)
	h.setTotal(a, desc.Total)
	for _, x := range held {
		h.hold(a, x.Framework, x.Resources)
	}
	h.sorter.settle()
	if h.held && len(h.agents) >= h.expected {
		h.held = false
	}
	h.nominate(a)
	return !h.held, nil
}

// UpdateAgent implements Allocator. An agent that says what it said before is not looked at again.
func (h *Hierarchical) UpdateAgent(desc Agent) (bool, error) {
	a, err := h.agent("updating", AgentID(desc.Info.GetId().GetValue()))
	if err != nil {
		return false, err
	}
	before, changed := a.traits, false
	if !resources.EqualAttributes(a.info.GetAttributes(), desc.Info.GetAttributes()) {
		h.dropAgentFilters(a)
		changed = true
	}
	h.describeAgent(a, desc)
	if !a.total.Equal(desc.Total) {
		h.setTotal(a, desc.Total)
		changed = true
	}
	if !changed && a.traits == before {
		return false, nil
	}
	a.ruledOut = nil
	h.nominate(a)
	return !h.held, nil
}

func (h *Hierarchical) agent(doing string, id AgentID) (*agent, error) {
	if a := h.agents[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("%s agent %s: %w", doing, id, ErrUnknownAgent)
}

func (h *Hierarchical) describeAgent(a *agent, desc Agent) {
	a.info, a.hostname = desc.Info, desc.Info.GetHostname()
	domain := desc.Info.GetDomain().GetFaultDomain()
	a.region, a.zone = domain.GetRegion().GetName(), domain.GetZone().GetName()
	a.multiRole, a.hierarchicalRole = false, false
	for _, c := range desc.Capabilities {
		switch c {
		case mesos.AgentInfo_Capability_MULTI_ROLE:
			a.multiRole = true
		case mesos.AgentInfo_Capability_HIERARCHICAL_ROLE:
			a.hierarchicalRole = true
		}
	}
	a.remote = h.isRemote(desc.Info)
}

// isRemote compares regions. Who has no domain is nowhere remote.
func (h *Hierarchical) isRemote(info *mesos.AgentInfo) bool {
	here, there := h.cfg.Domain.GetFaultDomain(), info.GetDomain().GetFaultDomain()
	return here != nil && there != nil && here.GetRegion().GetName() != there.GetRegion().GetName()
}

// setTotal replaces what the agent has.
func (h *Hierarchical) setTotal(a *agent, total resources.Resources) {
	h.tree.trackReserved(&h.names, total, 1)
	h.tree.trackReserved(&h.names, a.total, -1)
	h.sorter.total.addAll(h.names.measure(total))
	h.sorter.total.subtractAll(h.names.measure(a.total))
	h.sorter.version++
	a.total, a.shared = total, total.Shared()
	a.gpus = total.Scalar("gpus") > 0
	a.hasReserved, a.hasSpecial = false, false
	for it := range total.All() {
		a.hasReserved = a.hasReserved || it.IsReserved()
		a.hasSpecial = a.hasSpecial || it.IsShared() || it.IsRevocable() || it.IsRefined()
	}
	h.setUsed(a, a.used)
	h.quotaEased = true
}

// setUsed replaces what is held on the agent.
func (h *Hierarchical) setUsed(a *agent, used resources.Resources) {
	h.measureUsed(a, used)
	h.setFree(a, a.total.NonShared().Subtract(used.NonShared()).Add(a.shared))
}

func (h *Hierarchical) measureUsed(a *agent, used resources.Resources) {
	a.used = used
	h.used.subtractAll(a.usedScalars)
	a.usedScalars = h.names.measure(used)
	h.used.addAll(a.usedScalars)
}

func (h *Hierarchical) setFree(a *agent, free resources.Resources) {
	a.free = free
	h.freeUnreserved.subtractAll(a.freeUnreserved)
	clear(a.freeUnreserved)
	for it := range free.All() {
		if isQuotable(it) {
			a.freeUnreserved.add(h.names.id(it.Name()), it.Scalar())
		}
	}
	h.freeUnreserved.addAll(a.freeUnreserved)
}

// isQuotable reports whether the item counts against limits and can meet guarantees.
func isQuotable(it resources.Item) bool {
	return it.Type() == mesos.Value_SCALAR && !it.IsReserved() && !it.IsRevocable()
}

// RemoveAgent implements Allocator.
func (h *Hierarchical) RemoveAgent(id AgentID) error {
	a, err := h.agent("removing", id)
	if err != nil {
		return err
	}
	for len(a.holdings) > 0 {
		last := a.holdings[len(a.holdings)-1]
		_ = h.release(a, last.framework, last.role, last.resources)
	}
	h.dropAgentFilters(a)
	h.setTotal(a, resources.Resources{})
	delete(h.agents, id)
	h.schedule(a, nil)
	h.sorter.settle()
	return nil
}

// ActivateAgent implements Allocator.
func (h *Hierarchical) ActivateAgent(id AgentID) error {
	a, err := h.agent("activating", id)
	if err != nil {
		return err
	}
	a.active = true
	h.nominate(a)
	return nil
}

// DeactivateAgent implements Allocator.
func (h *Hierarchical) DeactivateAgent(id AgentID) error {
	a, err := h.agent("deactivating", id)
	if err != nil {
		return err
	}
	a.active = false
	return nil
}

// Whitelist implements Allocator.
func (h *Hierarchical) Whitelist(hosts map[string]bool) {
	h.whitelist = hosts
	h.nominateAll()
}

func (h *Hierarchical) mayPropose(a *agent) bool {
	return h.isOpen(a) && h.agents[a.id] == a
}

// isOpen says whether the agent, which is known, may be proposed.
func (h *Hierarchical) isOpen(a *agent) bool {
	return a.active && (h.whitelist == nil || h.whitelist[a.hostname])
}

// nominate lets the next cycle look at the agent.
func (h *Hierarchical) nominate(a *agent) {
	if !a.candidate {
		a.candidate = true
		h.candidates = append(h.candidates, a)
	}
}

// nominateAll lets the next cycle look at all agents.
func (h *Hierarchical) nominateAll() { h.everyAgent = true }
