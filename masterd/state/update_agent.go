package state

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// updateAgent takes over what changed of an agent: the resources that it may
// lend revocably, its resource providers, the operations that it knows, and the
// versions of its own view.
func (m *Machine) updateAgent(msg *messages.UpdateSlaveMessage) {
	m.stats.Messages[MessageUpdateAgent]++
	a := m.agents[AgentID(msg.GetSlaveId().GetValue())]
	if a == nil {
		m.debug("an update of an unknown agent", "agent_id", msg.GetSlaveId().GetValue())
		return
	}
	total, err := a.updatedTotal(msg)
	if err != nil {
		m.warn("ignoring an invalid update of an agent", "agent_id", a.id, "reason", err.Error())
		return
	}
	if !m.isNews(a, msg, total) {
		m.checkDrained(a)
		return
	}
	if v := msg.GetResourceVersionUuid(); v != nil {
		a.resourceVersion = v
	}
	reconcile := m.missingOperations(a, msg)
	m.updateProviders(a, msg)
	a.total = total.Subtract(a.orphaned())
	tracked := m.returnOperations(a, msg)
	m.touchAgent(a)
	m.updateTotal(a)
	for _, o := range tracked {
		m.emit(AllocTrack{Framework: o.framework.id, Agent: a.id, Resources: o.held.Copied()})
	}
	if len(reconcile.GetOperations()) > 0 {
		m.send(a.pid, reconcile)
	}
	m.rescindChanged(a, msg)
	m.checkDrained(a)
}

// orphaned is what operations without a framework hold, without allocation. The
// agent counts it, we don't.
func (a *agent) orphaned() (sum resources.Resources) {
	for o := range a.operations.all() {
		if o.orphan {
			sum = sum.Add(o.held.Unallocate())
		}
	}
	return sum
}

// isNews says whether an update tells anything that we don't know.
func (m *Machine) isNews(a *agent, msg *messages.UpdateSlaveMessage, total resources.Resources) bool {
	v := msg.GetResourceVersionUuid()
	switch {
	case !total.Equal(a.total.Add(a.orphaned())):
		return true
	case v != nil && !bytes.Equal(v.GetValue(), a.resourceVersion.GetValue()):
		return true
	case m.newsOfOperations(a, "", msg.GetOperations().GetOperations()):
		return true
	case msg.ResourceProviders == nil:
		return false
	case len(msg.GetResourceProviders().GetProviders()) != len(a.providers):
		return true
	}
	for _, p := range msg.GetResourceProviders().GetProviders() {
		id := p.GetInfo().GetId().GetValue()
		known := a.providers[id]
		if known == nil || !proto.Equal(known.info, p.GetInfo()) ||
			!bytes.Equal(known.version.GetValue(), p.GetResourceVersionUuid().GetValue()) ||
			m.newsOfOperations(a, id, p.GetOperations().GetOperations()) {
			return true
		}
	}
	return false
}

// newsOfOperations says whether an agent or one of its providers knows other
// operations than we do, or other states of them.
func (m *Machine) newsOfOperations(a *agent, provider string, told []*mesos.Operation) bool {
	ours := 0
	for o := range a.operations.all() {
		if o.provider == provider {
			ours++
		}
	}
	if ours != len(told) {
		return true
	}
	for _, t := range told {
		o := m.operations[string(t.GetUuid().GetValue())]
		if o == nil || o.agent != a || o.state() != t.GetLatestStatus().GetState() {
			return true
		}
	}
	return false
}

// rescindChanged takes the offers back that an update may have made wrong: with
// resources that an agent may take away any time, if it told of such, and with
// what it does not have any more.
func (m *Machine) rescindChanged(a *agent, msg *messages.UpdateSlaveMessage) {
	lends, provides := lendsResources(msg), msg.ResourceProviders != nil
	for o := range a.offers.all() {
		for it := range o.resources.All() {
			if lends && it.IsRevocable() || provides && it.Provider() != nil {
				m.rescind(o)
				break
			}
		}
	}
	m.rescindLost(a)
}

// rescindLost takes the offers back that hold what an agent does not have.
func (m *Machine) rescindLost(a *agent) {
	for o := range a.offers.all() {
		lost := !a.total.Contains(o.resources.NonShared().Unallocate())
		for it := range o.resources.Shared().Unallocate().All() {
			lost = lost || !a.total.Contains(it.One())
		}
		if lost {
			m.rescind(o)
		}
	}
}

// updatedTotal is what an agent has after an update. Agents before 1.5 don't
// say whether they tell of oversubscribed resources: they always do.
func (a *agent) updatedTotal(msg *messages.UpdateSlaveMessage) (resources.Resources, error) {
	own := func(it resources.Item) bool { return it.Provider() == nil }
	total := a.total.NonRevocable().Filter(own)
	if lendsResources(msg) {
		revocable, err := read(msg.GetOversubscribedResources())
		if err != nil {
			return total, err
		}
		total = total.Add(revocable)
	} else {
		total = total.Add(a.total.Revocable().Filter(own))
	}
	if msg.ResourceProviders == nil {
		// Of an agent that says nothing of providers: they stay what they were.
		others := a.total.Filter(func(it resources.Item) bool { return it.Provider() != nil })
		return total.Add(others).Add(a.orphaned()), nil
	}
	for _, p := range msg.GetResourceProviders().GetProviders() {
		if p.GetInfo().GetId().GetValue() == "" {
			return total, errors.New("a resource provider has no ID")
		}
		provided, err := read(p.GetTotalResources())
		if err != nil {
			return total, err
		}
		total = total.Add(provided)
	}
	return total, nil
}

// lendsResources says whether an update tells of oversubscribed resources.
func lendsResources(msg *messages.UpdateSlaveMessage) bool {
	return msg.UpdateOversubscribedResources == nil || *msg.UpdateOversubscribedResources
}

// read checks and converts resources that came from outside.
func read(list []*mesos.Resource) (resources.Resources, error) {
	if err := upgrade(list); err != nil {
		return resources.Resources{}, err
	}
	return resources.New(list)
}
