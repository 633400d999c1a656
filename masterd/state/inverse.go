package state

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosallocator "github.com/mesos-operator/mesos-operator/api/mesos/v1/allocator"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// inverseOffer is a request to leave an agent that was not answered yet.
type inverseOffer struct {
	id        OfferID
	info      *mesos.InverseOffer
	framework *framework
	agent     *agent

	inFramework, onAgent *node[inverseOffer]
}

// askBack makes inverse offers of what the allocator proposes, one event per
// framework.
func (m *Machine) askBack(proposals []InverseProposal) {
	var order []*framework
	made := map[*framework][]*mesos.InverseOffer{}
	for _, p := range proposals {
		o := m.proposeInverse(p)
		if o == nil {
			if m.frameworks[p.Framework] != nil && m.agents[p.Agent] != nil {
				m.emit(AllocUpdateInverseOffer{Framework: p.Framework, Agent: p.Agent})
			}
			continue
		}
		if made[o.framework] == nil {
			order = append(order, o.framework)
		}
		made[o.framework] = append(made[o.framework], o.info)
	}
	for _, f := range order {
		m.sendEvent(f, &scheduler.Event{
			Type:          scheduler.Event_INVERSE_OFFERS.Enum(),
			InverseOffers: &scheduler.Event_InverseOffers{InverseOffers: made[f]},
		})
	}
}

// proposeInverse makes an inverse offer, unless framework, agent or schedule
// changed meanwhile.
func (m *Machine) proposeInverse(p InverseProposal) *inverseOffer {
	f, a := m.frameworks[p.Framework], m.agents[p.Agent]
	if f == nil || !f.connected || !f.active || a == nil || !a.active {
		return nil
	}
	u := m.policy.unavailability(machineOf(a.info, a.pid))
	if u == nil {
		return nil
	}
	id := fmt.Sprintf("%s-O%d", m.cfg.Master.GetId(), m.nextOffer) // IDs as those of offers
	m.nextOffer++
	o := &inverseOffer{id: OfferID(id), framework: f, agent: a, info: &mesos.InverseOffer{
		Id: &mesos.OfferID{Value: &id}, FrameworkId: f.protoID, AgentId: a.info.GetId(), Url: agentURL(a), Unavailability: u,
	}}
	m.inverse[o.id] = o
	o.inFramework, o.onAgent = f.inverse.add(o), a.inverse.add(o)
	if m.cfg.OfferTimeout > 0 {
		m.arm(Timer{TimerOffer, id}, m.cfg.OfferTimeout)
	}
	return o
}

// rescindInverse takes an inverse offer back: the framework is told, and asked
// again when there is reason to.
func (m *Machine) rescindInverse(o *inverseOffer) {
	m.sendEvent(o.framework, &scheduler.Event{
		Type:                scheduler.Event_RESCIND_INVERSE_OFFER.Enum(),
		RescindInverseOffer: &scheduler.Event_RescindInverseOffer{InverseOfferId: o.info.GetId()},
	})
	m.discardInverse(o, nil)
}

// discardInverse forgets an inverse offer, with the filters of the framework's
// answer if there was one.
func (m *Machine) discardInverse(o *inverseOffer, filters *mesos.Filters) {
	delete(m.inverse, o.id)
	o.framework.inverse.remove(o.inFramework)
	o.agent.inverse.remove(o.onAgent)
	m.disarm(Timer{TimerOffer, string(o.id)})
	if !o.agent.removed {
		m.emit(AllocUpdateInverseOffer{Framework: o.framework.id, Agent: o.agent.id, Filters: filters})
	}
}

// answerInverse takes a framework's answer to inverse offers: for
// GET_MAINTENANCE_STATUS, and for its filters.
func (m *Machine) answerInverse(
	f *framework, ids []*mesos.OfferID, filters *mesos.Filters, answer mesosallocator.InverseOfferStatus_Status,
) {
	for _, id := range ids {
		o := m.inverse[OfferID(id.GetValue())]
		if o == nil || o.framework != f {
			m.warn("an answer to an inverse offer that is not there any more", "framework_id", f.id, "offer_id", id.GetValue())
			continue
		}
		m.setAnswer(o.agent, &mesosallocator.InverseOfferStatus{
			Status: &answer, FrameworkId: f.protoID, Timestamp: m.timeInfo(),
		})
		m.discardInverse(o, orDefault(filters))
	}
}

// setAnswer replaces what a framework answered about an agent. The list may be
// in a View, so it is not changed in place.
func (m *Machine) setAnswer(a *agent, answer *mesosallocator.InverseOfferStatus) {
	kept := slices.DeleteFunc(slices.Clone(a.answers), func(old *mesosallocator.InverseOfferStatus) bool {
		return old.GetFrameworkId().GetValue() == answer.GetFrameworkId().GetValue()
	})
	a.answers = append(kept, answer)
	m.policy.status = nil
}

// forgetAnswers drops what frameworks said about leaving an agent.
func (m *Machine) forgetAnswers(a *agent) {
	if a.answers != nil {
		a.answers, m.policy.status = nil, nil
	}
}
