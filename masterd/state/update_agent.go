package state

import (
	"bytes"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// updateAgent takes over what changed of an agent's resources: what it may
// lend revocably, and the version of its own view.
func (m *Machine) updateAgent(msg *messages.UpdateSlaveMessage) {
	m.stats.Messages[MessageUpdateAgent]++
	a := m.agents[AgentID(msg.GetSlaveId().GetValue())]
	if a == nil {
		m.debug("an update of an unknown agent", "agent", msg.GetSlaveId().GetValue())
		return
	}
	total, err := a.updatedTotal(msg)
	if err != nil {
		m.warn("ignoring an invalid update of an agent", "agent", a.id, "reason", err.Error())
		return
	}
	changed := !total.Equal(a.total)
	if !changed && bytes.Equal(msg.GetResourceVersionUuid().GetValue(), a.resourceVersion.GetValue()) {
		m.checkDrained(a)
		return
	}
	a.total, a.providers = total, providerVersions(msg)
	if v := msg.GetResourceVersionUuid(); v != nil {
		a.resourceVersion = v
	}
	m.touchAgent(a)
	m.emit(AllocUpdateAgent{Info: a.info, Capabilities: a.caps.types(), Total: a.total.Proto()})
	if changed {
		m.rescindLent(a)
	}
	m.checkDrained(a)
}

// rescindLent takes the offers back that hold what an agent may take away any
// time.
func (m *Machine) rescindLent(a *agent) {
	for o := range a.offers.all() {
		for it := range o.resources.All() {
			if it.IsRevocable() || it.Provider() != nil {
				m.rescind(o)
				break
			}
		}
	}
}

// updatedTotal is what an agent has after an update. Agents before 1.5 don't
// say whether they tell of oversubscribed resources: they always do.
func (a *agent) updatedTotal(msg *messages.UpdateSlaveMessage) (resources.Resources, error) {
	own := func(it resources.Item) bool { return it.Provider() == nil }
	total := a.total.NonRevocable().Filter(own)
	if msg.UpdateOversubscribedResources == nil || *msg.UpdateOversubscribedResources {
		revocable, err := read(msg.GetOversubscribedResources())
		if err != nil {
			return total, err
		}
		total = total.Add(revocable)
	} else {
		total = total.Add(a.total.Revocable().Filter(own))
	}
	for _, p := range msg.GetResourceProviders().GetProviders() {
		provided, err := read(p.GetTotalResources())
		if err != nil {
			return total, err
		}
		total = total.Add(provided)
	}
	return total, nil
}

// providerVersions is the view that each resource provider has of its
// resources.
func providerVersions(msg *messages.UpdateSlaveMessage) []*messages.ResourceVersionUUID {
	var versions []*messages.ResourceVersionUUID
	for _, p := range msg.GetResourceProviders().GetProviders() {
		versions = append(versions, &messages.ResourceVersionUUID{
			ResourceProviderId: p.GetInfo().GetId(), Uuid: p.GetResourceVersionUuid(),
		})
	}
	return versions
}

// read checks and converts resources that came from outside.
func read(list []*mesos.Resource) (resources.Resources, error) {
	if err := upgrade(list); err != nil {
		return resources.Resources{}, err
	}
	return resources.New(list)
}
