package state

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// operationOf turns a call about reservations or volumes into the operation that
// it asks for; nil for calls about something else.
func operationOf(c *mesosmaster.Call) (*mesos.AgentID, *mesos.Offer_Operation) {
	switch c.GetType() {
	case mesosmaster.Call_RESERVE_RESOURCES:
		r := c.GetReserveResources()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:    mesos.Offer_Operation_RESERVE.Enum(),
			Reserve: &mesos.Offer_Operation_Reserve{Source: r.GetSource(), Resources: r.GetResources()},
		}
	case mesosmaster.Call_UNRESERVE_RESOURCES:
		r := c.GetUnreserveResources()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:      mesos.Offer_Operation_UNRESERVE.Enum(),
			Unreserve: &mesos.Offer_Operation_Unreserve{Resources: r.GetResources()},
		}
	case mesosmaster.Call_CREATE_VOLUMES:
		r := c.GetCreateVolumes()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:   mesos.Offer_Operation_CREATE.Enum(),
			Create: &mesos.Offer_Operation_Create{Volumes: r.GetVolumes()},
		}
	case mesosmaster.Call_DESTROY_VOLUMES:
		r := c.GetDestroyVolumes()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:    mesos.Offer_Operation_DESTROY.Enum(),
			Destroy: &mesos.Offer_Operation_Destroy{Volumes: r.GetVolumes()},
		}
	case mesosmaster.Call_GROW_VOLUME:
		r := c.GetGrowVolume()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:       mesos.Offer_Operation_GROW_VOLUME.Enum(),
			GrowVolume: &mesos.Offer_Operation_GrowVolume{Volume: r.GetVolume(), Addition: r.GetAddition()},
		}
	case mesosmaster.Call_SHRINK_VOLUME:
		r := c.GetShrinkVolume()
		return r.GetAgentId(), &mesos.Offer_Operation{
			Type:         mesos.Offer_Operation_SHRINK_VOLUME.Enum(),
			ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{Volume: r.GetVolume(), Subtract: r.GetSubtract()},
		}
	}
	return nil, nil
}

// operatorOperation reserves, or changes volumes, for an operator: out of what
// nobody uses. Offers that are in the way are taken back.
func (m *Machine) operatorOperation(in OperatorCall, id *mesos.AgentID, o *mesos.Offer_Operation) {
	a := m.agents[AgentID(id.GetValue())]
	if a == nil {
		m.reply(in.Reply, 400, "No agent with this ID is registered")
		return
	}
	by := author{}
	if in.Principal != "" {
		by.principal = &in.Principal
	}
	err := upgradeOperation(o)
	if err == nil {
		err = m.validateOperation(by, a, o)
	}
	var conversions []resources.Conversion
	if err == nil {
		conversions, err = resources.Conversions(o)
	}
	if err != nil {
		m.reply(in.Reply, 400, fmt.Sprintf("Invalid %s operation on agent %s: %v", o.GetType(), a.id, err))
		return
	}
	// Only now, as in Mesos: what is invalid is told so to everybody.
	if !m.cfg.Authorizer.ForName(in.Principal).MayAll(acl.WantsOf(o)) {
		m.reply(in.Reply, 403, "")
		return
	}
	if err := m.convertFree(a, o, conversions); err != nil {
		m.reply(in.Reply, 409, err.Error())
		return
	}
	m.info("an operator changed reservations or volumes", "agent_id", a.id, "operation", o.GetType().String(),
		"principal", in.Principal)
	m.reply(in.Reply, 202, "")
}

// convertFree does an operation on what is free, and makes it free as far as
// offers are in the way.
func (m *Machine) convertFree(a *agent, o *mesos.Offer_Operation, conversions []resources.Conversion) error {
	conversions = resources.OfTotal(conversions)
	m.rescindVolumes(a, o.GetDestroy().GetVolumes())
	m.rescindNeeded(a, o, conversions)
	if _, err := a.free().ApplyConversions(conversions); err != nil {
		return err
	}
	if err := m.applyOperation(a, nil, o, conversions); err != nil {
		return err
	}
	m.emit(AllocConvertFree{
		Agent:       AllocUpdateAgent{Info: a.info, Capabilities: a.caps.types(), Total: a.total.Proto()},
		Conversions: conversions,
	})
	return nil
}

// rescindNeeded takes back offers that hold something of what conversions need,
// until that is free. Their frameworks aren't offered the rest for the 5 seconds of
// the default filter: who reserves from outside often does so in several steps.
func (m *Machine) rescindNeeded(a *agent, o *mesos.Offer_Operation, conversions []resources.Conversion) {
	needed, err := resources.Consumed(o)
	if err != nil {
		return
	}
	needed = needed.Unallocate()
	for offer := range a.offers.all() {
		free := a.free()
		if _, err := free.ApplyConversions(conversions); err == nil {
			return
		}
		missing := needed.Subtract(free)
		if !missing.Subtract(offer.resources.Unallocate()).Equal(missing) {
			m.rescindWith(offer, orDefault(nil))
		}
	}
}
