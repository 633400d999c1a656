package state

import (
	"fmt"
	"maps"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// updateQuota does UPDATE_QUOTA: all of its configs or none.
func (m *Machine) updateQuota(in OperatorCall) {
	call := in.Call.GetUpdateQuota()
	if err := m.checkQuotas(call.GetQuotaConfigs(), call.GetForce()); err != nil {
		m.reply(in.Reply, 400, "Invalid quota: "+err.Error())
		return
	}
	m.writeQuotas(call.GetQuotaConfigs(), func() {
		all := m.consumption()
		for _, c := range call.GetQuotaConfigs() {
			m.enforceQuota(c, all)
		}
		m.reply(in.Reply, 200, "")
	})
}

// checkQuotas holds configs against the roles, against what is consumed, and
// against what else is guaranteed.
func (m *Machine) checkQuotas(configs []*quota.QuotaConfig, force bool) error {
	for _, c := range configs {
		if err := validateQuota(c); err != nil {
			return err
		}
		if !m.allows(c.GetRole()) {
			return fmt.Errorf("role '%s': %w", c.GetRole(), errRoleNotAllowed)
		}
	}
	if !force {
		if err := m.checkConsumed(configs); err != nil {
			return err
		}
	}
	planned := withQuotas(m.policy.planned, configs)
	if err := validateHierarchy(planned); err != nil || force {
		return err
	}
	return validateCapacity(planned, m.capacity())
}

// checkConsumed refuses limits below what the roles have already.
func (m *Machine) checkConsumed(configs []*quota.QuotaConfig) error {
	all := m.consumption()
	for _, c := range configs {
		limits, consumed := resources.LimitsOfScalars(c.GetLimits()), all.consumed[c.GetRole()]
		if !limits.Allows(consumed) {
			return fmt.Errorf("role '%s' consumes more (%s) than the limits allow (%s) (use 'force' to go ahead nevertheless)",
				c.GetRole(), consumed, limits)
		}
	}
	return nil
}

// withQuotas returns quotas with some replaced.
func withQuotas(quotas map[string]*quota.QuotaConfig, configs []*quota.QuotaConfig) map[string]*quota.QuotaConfig {
	changed := maps.Clone(quotas)
	for _, c := range configs {
		changed[c.GetRole()] = c
	}
	return changed
}

// writeQuotas makes configs durable, puts them into effect and goes on.
func (m *Machine) writeQuotas(configs []*quota.QuotaConfig, then func()) {
	m.policy.planned = withQuotas(m.policy.planned, configs)
	m.persist(func([]op.Result) {
		m.policy.quotas = withQuotas(m.policy.quotas, configs)
		m.tellQuotas(configs)
		for _, c := range configs {
			m.info("the quota of a role changed", "role", c.GetRole(),
				"guarantees", resources.QuantitiesOfScalars(c.GetGuarantees()).String(),
				"limits", resources.LimitsOfScalars(c.GetLimits()).String())
		}
		then()
	}, op.UpdateQuota{Configs: configs})
}

func (m *Machine) tellQuotas(configs []*quota.QuotaConfig) {
	m.policy.version++
	m.emit(AllocUpdateQuota{Quotas: configs, Version: m.policy.version})
}

// enforceQuota takes offers back so that a role does not get above its limits
// with what it was offered, and that its guarantees can be met. It errs on the
// side of rescinding too much: reservations that are offered count twice, and
// what the allocator has free is not counted on.
func (m *Machine) enforceQuota(c *quota.QuotaConfig, all consumption) {
	role := c.GetRole()
	limits := resources.LimitsOfScalars(c.GetLimits())
	for f := range m.frameworkList.all() {
		for o := range f.offers.all() {
			if limits.Allows(all.has(role)) {
				break
			}
			if roles.InSubtree(o.role, role) {
				all.takeBack(o)
				m.rescind(o)
			}
		}
	}
	guarantees := resources.QuantitiesOfScalars(c.GetGuarantees())
	var freed resources.Quantities
	for a := range m.agentList.all() {
		if len(m.offers) == 0 {
			return
		}
		for o := range a.offers.all() {
			if all.has(role).Add(freed).Contains(guarantees) {
				return
			}
			if !roles.InSubtree(o.role, role) {
				freed = freed.Add(o.resources.Amounts())
				all.takeBack(o)
				m.rescind(o)
			}
		}
	}
}
