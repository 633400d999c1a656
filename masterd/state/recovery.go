package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// recover starts to lead with what the registry has.
func (m *Machine) recover(in Recovered) {
	if m.recovered {
		return
	}
	r := in.Registry
	if missing := op.Missing(r, m.cfg.Master.GetCapabilities()); len(missing) > 0 {
		m.emit(Abdicate{Reason: fmt.Errorf(
			"the registry asks for master capabilities that this one lacks: %s", strings.Join(missing, ", "))})
		return
	}
	m.recovered, m.elected = true, m.now
	m.recoverAgents(r)
	m.policy.read(r)
	m.seedWeights()
	m.emit(AllocStart{
		ExpectedAgents: len(r.GetSlaves().GetSlaves()),
		Quotas:         m.policy.sortedQuotas(),
		Weights:        m.policy.sortedWeights(),
	})
	m.arm(Timer{Kind: TimerRecovery}, m.cfg.AgentReregisterTimeout)
	m.arm(Timer{Kind: TimerRegistryGC}, m.cfg.RegistryGCInterval)
	m.info("recovered the registry", "agents", len(r.GetSlaves().GetSlaves()),
		"unreachable", len(r.GetUnreachable().GetSlaves()), "gone", len(r.GetGone().GetSlaves()))
}

func (m *Machine) recoverAgents(r *registry.Registry) {
	m.former.expected = len(r.GetSlaves().GetSlaves())
	for _, s := range r.GetSlaves().GetSlaves() {
		id := AgentID(s.GetInfo().GetId().GetValue())
		info := copyAgentInfo(s.GetInfo())
		info.Resources = resources.Of(info.Resources...).Proto()
		m.former.recovered.put(id, info)
		m.policy.readDuty(id, s.GetDrainInfo(), s.GetDeactivated())
	}
	for _, s := range r.GetUnreachable().GetSlaves() {
		id := AgentID(s.GetId().GetValue())
		m.policy.readDuty(id, s.GetDrainInfo(), s.GetDeactivated())
		m.former.unreachable.put(id, &FormerAgent{
			ID: id, Since: timeOf(s.GetTimestamp()), Drain: s.GetDrainInfo(), Deactivated: s.GetDeactivated(),
		})
	}
	for _, s := range r.GetGone().GetSlaves() {
		id := AgentID(s.GetId().GetValue())
		m.former.gone.put(id, &FormerAgent{ID: id, Since: timeOf(s.GetTimestamp())})
	}
}

// copyAgentInfo is a shallow copy.
func copyAgentInfo(a *mesos.AgentInfo) *mesos.AgentInfo {
	c := &mesos.AgentInfo{
		Hostname:   a.Hostname,
		Resources:  a.Resources,
		Attributes: a.Attributes,
		Id:         a.Id,
		Port:       a.Port,
		Domain:     a.Domain,
	}
	// SlaveInfo has a field that AgentInfo lacks (checkpoint), and JSON
	// answers show it.
	c.ProtoReflect().SetUnknown(a.ProtoReflect().GetUnknown())
	return c
}

func (p *policy) sortedQuotas() []*quota.QuotaConfig {
	return slices.SortedFunc(maps.Values(p.quotas), func(a, b *quota.QuotaConfig) int {
		return cmp.Compare(a.GetRole(), b.GetRole())
	})
}

func (p *policy) sortedWeights() []*mesos.WeightInfo {
	var weights []*mesos.WeightInfo
	for _, role := range slices.Sorted(maps.Keys(p.weights)) {
		weights = append(weights, &mesos.WeightInfo{Role: &role, Weight: new(p.weights[role])})
	}
	return weights
}

// ErrTooManyMissing says that more agents are missing after a change of leader
// than the operator allows to be marked unreachable. It is rather the master, or
// its network, that something is wrong with.
var ErrTooManyMissing = errors.New("too many agents are missing")

// recoveryTimeout marks the agents unreachable that the registry knew and that
// did not come back.
func (m *Machine) recoveryTimeout() {
	var late []*mesos.AgentInfo
	for info := range m.former.recovered.all() {
		late = append(late, info)
	}
	if missing := float64(len(late)) / float64(max(m.former.expected, 1)); missing > m.cfg.RecoveryAgentRemovalLimit {
		m.emit(Abdicate{Reason: fmt.Errorf("%w: %d agents (%.1f%%) did not come back within %v after a change of leader, and the limit is %.1f%%",
			ErrTooManyMissing, len(late), 100*missing, m.cfg.AgentReregisterTimeout, 100*m.cfg.RecoveryAgentRemovalLimit)})
		return
	}
	for _, info := range late {
		m.scheduleRemoval(removal{agent: AgentID(info.GetId().GetValue()), cause: removalRecovery, info: info})
	}
}

// sweepRegistry forgets unreachable and gone agents that are too many or too
// old.
func (m *Machine) sweepRegistry() {
	m.arm(Timer{Kind: TimerRegistryGC}, m.cfg.RegistryGCInterval)
	unreachable := m.stale(&m.former.unreachable)
	gone := m.stale(&m.former.gone)
	if len(unreachable)+len(gone) == 0 {
		return
	}
	m.persist(func([]op.Result) {
		for _, id := range unreachable {
			// One that came back meanwhile is not in the list any more.
			if m.former.unreachable.get(id) != nil {
				m.former.unreachable.drop(id)
				m.forgetUnreachable(id)
			}
		}
		for _, id := range gone {
			m.former.gone.drop(id)
		}
		m.info("swept the registry", "unreachable", len(unreachable), "gone", len(gone))
	}, op.Prune{Unreachable: protoAgentIDs(unreachable), Gone: protoAgentIDs(gone)})
}

// stale returns the agents of a list that are to be forgotten, oldest first.
func (m *Machine) stale(t *table[AgentID, FormerAgent]) []AgentID {
	var ids []AgentID
	surplus := len(t.where) - m.cfg.RegistryMaxAgentCount
	for r := range t.all() {
		if len(ids) < surplus || m.now.Sub(r.Since) > m.cfg.RegistryMaxAgentAge {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func protoAgentIDs(ids []AgentID) []*mesos.AgentID {
	protos := make([]*mesos.AgentID, len(ids))
	for i, id := range ids {
		protos[i] = &mesos.AgentID{Value: new(string(id))}
	}
	return protos
}
