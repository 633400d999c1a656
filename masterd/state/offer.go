package state

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// offer is an outstanding offer.
type offer struct {
	id        OfferID
	info      *mesos.Offer // with allocation, also for frameworks that don't see it
	role      string
	framework *framework
	agent     *agent
	resources resources.Resources
	made      time.Time

	inFramework, onAgent *node[offer]
}

// allocated makes offers of what the allocator proposes. What can't be offered
// any more goes back. One event per framework carries all of its offers, in the
// order of their proposals.
func (m *Machine) allocated(in Allocated) {
	var order []*framework
	made := map[*framework][]*mesos.Offer{}
	for _, p := range in.Proposals {
		if m.crowded(p) {
			continue
		}
		var o *offer
		if in.Quota >= m.policy.version {
			o = m.propose(p)
		}
		if o == nil {
			m.refuseProposal(p)
			continue
		}
		if made[o.framework] == nil {
			order = append(order, o.framework)
		}
		made[o.framework] = append(made[o.framework], m.asSeen(o))
	}
	for _, f := range order {
		f.stats.OffersSent += uint64(len(made[f]))
		m.sendEvent(f, &scheduler.Event{
			Type:   scheduler.Event_OFFERS.Enum(),
			Offers: &scheduler.Event_Offers{Offers: made[f]},
		})
	}
}

// refuseProposal gives back what can't be offered, unless the allocator has
// been told to forget who it was for or from.
func (m *Machine) refuseProposal(p Proposal) {
	if m.frameworks[p.Framework] != nil && m.agents[p.Agent] != nil {
		m.emit(AllocRecover{Framework: p.Framework, Agent: p.Agent, Resources: p.Resources})
	}
}

// crowded gives back what is proposed of an agent that has as many executors as
// it may, with a filter, so that it is not proposed again at once.
func (m *Machine) crowded(p Proposal) bool {
	a := m.agents[p.Agent]
	if a == nil || m.cfg.MaxExecutorsPerAgent == 0 || a.executors.length < m.cfg.MaxExecutorsPerAgent ||
		m.frameworks[p.Framework] == nil {
		return false
	}
	m.debug("not offering an agent with as many executors as it may have", "agent_id", a.id)
	m.emit(AllocRecover{
		Framework: p.Framework, Agent: p.Agent, Resources: p.Resources, Filters: orDefault(nil),
	})
	return true
}

// propose makes an offer of a proposal, unless the framework, the agent or the
// resources went away since.
func (m *Machine) propose(p Proposal) *offer {
	f, a := m.frameworks[p.Framework], m.agents[p.Agent]
	if f == nil || !f.connected || !f.active || a == nil || !a.active || !f.subscribedTo(p.Role) {
		return nil
	}
	offered := resources.Of(p.Resources...)
	if offered.IsEmpty() || !a.free().Contains(offered.Unallocate()) {
		m.warn("the allocator proposed what is not free", "agent_id", a.id, "framework_id", f.id, "resources", offered.String())
		return nil
	}
	o := m.newOffer(p, f, a, offered)
	m.offers[o.id] = o
	o.inFramework, o.onAgent = f.offers.add(o), a.offers.add(o)
	f.offered, a.offered = f.offered.Add(offered), a.offered.Add(offered)
	m.touchFramework(f)
	m.touchAgent(a)
	m.published.offerTable.put(o.id, &Offer{Offer: o.info, Made: o.made})
	if m.cfg.OfferTimeout > 0 {
		m.arm(Timer{TimerOffer, string(o.id)}, m.cfg.OfferTimeout)
	}
	return o
}

func (m *Machine) newOffer(p Proposal, f *framework, a *agent, offered resources.Resources) *offer {
	id := fmt.Sprintf("%s-O%d", m.cfg.Master.GetId(), m.nextOffer)
	m.nextOffer++
	o := &offer{id: OfferID(id), role: p.Role, framework: f, agent: a, resources: offered, made: m.now}
	o.info = &mesos.Offer{
		Id:             &mesos.OfferID{Value: &id},
		FrameworkId:    f.protoID,
		AgentId:        a.info.GetId(),
		Hostname:       a.info.Hostname,
		Resources:      p.Resources,
		Attributes:     a.info.GetAttributes(),
		Url:            agentURL(a),
		Unavailability: m.policy.unavailability(machineOf(a.info, a.pid)),
		AllocationInfo: &mesos.Resource_AllocationInfo{Role: &o.role},
		Domain:         a.info.GetDomain(),
	}
	for e := range a.executors.all() {
		if e.framework == f {
			o.info.ExecutorIds = append(o.info.ExecutorIds, e.info.GetExecutorId())
		}
	}
	return o
}

// agentURL is where the HTTP endpoints of an agent are.
func agentURL(a *agent) *mesos.URL {
	id, address, _ := strings.Cut(string(a.pid), "@")
	_, portText, _ := strings.Cut(address[strings.LastIndexByte(address, ']')+1:], ":")
	port, _ := strconv.ParseUint(portText, 10, 16)
	return &mesos.URL{
		Scheme: new("http"),
		Address: &mesos.Address{
			Hostname: a.info.Hostname,
			Ip:       new(a.pid.host()),
			Port:     new(int32(port)),
		},
		Path: new("/" + id),
	}
}

// asSeen is an offer as its framework understands it.
func (m *Machine) asSeen(o *offer) *mesos.Offer {
	caps := o.framework.caps
	if caps.multiRole && caps.reservationRefinement {
		return o.info
	}
	list := o.info.Resources
	if !caps.reservationRefinement {
		list = downgraded(list)
	}
	seen := copyOffer(o.info)
	if !caps.multiRole {
		list, seen.AllocationInfo = withoutAllocation(list), nil
	}
	seen.Resources = list
	return seen
}

// copyOffer is a shallow copy.
func copyOffer(o *mesos.Offer) *mesos.Offer {
	return &mesos.Offer{
		Id:             o.Id,
		FrameworkId:    o.FrameworkId,
		AgentId:        o.AgentId,
		Hostname:       o.Hostname,
		Resources:      o.Resources,
		ExecutorIds:    o.ExecutorIds,
		Attributes:     o.Attributes,
		Url:            o.Url,
		Unavailability: o.Unavailability,
		AllocationInfo: o.AllocationInfo,
		Domain:         o.Domain,
	}
}

// rescind takes an offer back and tells the framework.
func (m *Machine) rescind(o *offer) { m.rescindWith(o, nil) }

// rescindWith is rescind with what the framework doesn't get again, and for how
// long.
func (m *Machine) rescindWith(o *offer, filters *mesos.Filters) {
	o.framework.stats.OffersRescinded++
	m.sendEvent(o.framework, rescindEvent(o.info.GetId()))
	m.discard(o, filters)
}

// discard takes an offer back and gives its resources to the allocator.
func (m *Machine) discard(o *offer, filters *mesos.Filters) {
	m.recoverResources(o.framework.id, o.agent, o.resources, filters)
	m.removeOffer(o)
}

// removeOffer forgets an offer. What becomes of its resources is up to the
// caller.
func (m *Machine) removeOffer(o *offer) {
	f, a := o.framework, o.agent
	delete(m.offers, o.id)
	f.offers.remove(o.inFramework)
	a.offers.remove(o.onAgent)
	f.offered, a.offered = f.offered.Subtract(o.resources), a.offered.Subtract(o.resources)
	m.touchFramework(f)
	m.touchAgent(a)
	m.published.offerTable.drop(o.id)
	m.disarm(Timer{TimerOffer, string(o.id)})
}

func (m *Machine) offerTimeout(id OfferID) {
	if o := m.offers[id]; o != nil {
		m.rescind(o)
	}
	if o := m.inverse[id]; o != nil {
		m.rescindInverse(o)
	}
}
