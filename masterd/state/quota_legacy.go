package state

import (
	"maps"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// SET_QUOTA and REMOVE_QUOTA are of before Mesos 1.9: one role at a time, no
// changing of what is set, and one amount for both guarantee and limit.

// setQuota does SET_QUOTA.
func (m *Machine) setQuota(in OperatorCall) {
	request := in.Call.GetSetQuota().GetQuotaRequest()
	config, err := validateQuotaRequest(request)
	if err != nil {
		m.reply(in.Reply, 400, "Invalid quota: "+err.Error())
		return
	}
	role := config.GetRole()
	switch {
	case !m.allows(role):
		m.reply(in.Reply, 400, "Invalid quota: role '"+role+"': "+errRoleNotAllowed.Error())
		return
	case m.policy.planned[role] != nil:
		m.reply(in.Reply, 400, "Role '"+role+"' has a quota already")
		return
	}
	planned := withQuotas(m.policy.planned, []*quota.QuotaConfig{config})
	if err := validateHierarchy(planned); err != nil {
		m.reply(in.Reply, 400, "Invalid quota: "+err.Error())
		return
	}
	if !request.GetForce() {
		if err := validateCapacity(planned, m.capacity()); err != nil {
			m.reply(in.Reply, 409, "Quota not set: "+err.Error())
			return
		}
	}
	m.writeQuotas([]*quota.QuotaConfig{config}, func() {
		m.rescindFor(config)
		m.reply(in.Reply, 200, "")
	})
}

// rescindFor takes offers back, an agent at a time, until they would do for the
// guarantees and come from as many agents as there are frameworks to use them.
func (m *Machine) rescindFor(c *quota.QuotaConfig) {
	frameworks := 0
	for f := range m.frameworkList.all() {
		if f.active && f.connected && f.subscribedTo(c.GetRole()) {
			frameworks++
		}
	}
	guarantees := resources.QuantitiesOfScalars(c.GetGuarantees())
	var rescinded resources.Quantities
	visited := 0
	for a := range m.agentList.all() {
		if rescinded.Contains(guarantees) && visited >= frameworks {
			return
		}
		if !a.active || a.offers.length == 0 {
			continue
		}
		for o := range a.offers.all() {
			rescinded = rescinded.Add(o.resources.Unallocate().Unreserved().NonRevocable().Quantities())
			m.rescind(o)
		}
		visited++
	}
}

// removeQuota does REMOVE_QUOTA: unlike a reset by UPDATE_QUOTA it leaves
// nothing behind.
func (m *Machine) removeQuota(in OperatorCall) {
	role := in.Call.GetRemoveQuota().GetRole()
	switch {
	case !m.allows(role):
		m.reply(in.Reply, 400, "Invalid role '"+role+"': "+errRoleNotAllowed.Error())
		return
	case m.policy.planned[role] == nil:
		m.reply(in.Reply, 400, "Role '"+role+"' has no quota")
		return
	}
	planned := maps.Clone(m.policy.planned)
	delete(planned, role)
	if err := validateHierarchy(planned); err != nil {
		m.reply(in.Reply, 400, "Quota not removed: "+err.Error())
		return
	}
	m.policy.planned = planned
	none := []*quota.QuotaConfig{{Role: &role}}
	m.persist(func([]op.Result) {
		quotas := maps.Clone(m.policy.quotas)
		delete(quotas, role)
		m.policy.quotas = quotas
		m.tellQuotas(none)
		m.info("the quota of a role was removed", "role", role)
		m.reply(in.Reply, 200, "")
	}, op.UpdateQuota{Configs: none})
}
