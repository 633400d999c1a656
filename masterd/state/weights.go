package state

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

var errRoleNotAllowed = errors.New("it is not among the master's --roles")

// allows says whether a role is on the whitelist.
func (c *Config) allows(role string) bool {
	return c.Roles == nil || role == roles.Default || slices.Contains(c.Roles, role)
}

// allows says whether a role is on the whitelist.
func (m *Machine) allows(role string) bool { return m.roles == nil || m.roles[role] }

func validateWeight(role string, weight float64) error {
	if err := roles.Validate(role); err != nil {
		return err
	}
	if !(weight > 0) || math.IsInf(weight, 0) {
		return fmt.Errorf("role '%s' can't have weight %v: a weight is a positive number", role, weight)
	}
	return nil
}

// RoleOfWeight is the role that a weight is for: white space around it doesn't count.
func RoleOfWeight(w *mesos.WeightInfo) string { return strings.TrimSpace(w.GetRole()) }

// CheckForm finds what is wrong with a call about weights or quotas whatever the master's
// state. It is asked before ACLs are, as in Mesos; the machine checks again.
func CheckForm(call *mesosmaster.Call) error {
	switch call.GetType() {
	case mesosmaster.Call_UPDATE_WEIGHTS:
		for _, w := range call.GetUpdateWeights().GetWeightInfos() {
			if err := validateWeight(RoleOfWeight(w), w.GetWeight()); err != nil {
				return fmt.Errorf("Invalid weights: %w", err)
			}
		}
	case mesosmaster.Call_UPDATE_QUOTA:
		for _, c := range call.GetUpdateQuota().GetQuotaConfigs() {
			if err := validateQuota(c); err != nil {
				return fmt.Errorf("Invalid quota: %w", err)
			}
		}
	}
	return nil
}

// seedWeights takes over the weights of the configuration if the registry has
// none yet.
func (m *Machine) seedWeights() {
	switch {
	case len(m.cfg.Weights) == 0:
		return
	case len(m.policy.weights) > 0:
		m.warn("the weights of --weights are ignored: the registry has weights")
		return
	}
	m.policy.weights = maps.Clone(m.cfg.Weights)
	m.persist(func([]op.Result) {}, op.UpdateWeights{Weights: m.policy.sortedWeights()})
}

// updateWeights does UPDATE_WEIGHTS: all of its weights or none.
func (m *Machine) updateWeights(in OperatorCall) {
	weights := make([]*mesos.WeightInfo, 0, len(in.Call.GetUpdateWeights().GetWeightInfos()))
	for _, w := range in.Call.GetUpdateWeights().GetWeightInfos() {
		role := RoleOfWeight(w)
		err := validateWeight(role, w.GetWeight())
		if err == nil && !m.allows(role) {
			err = fmt.Errorf("role '%s': %w", role, errRoleNotAllowed)
		}
		if err != nil {
			m.reply(in.Reply, 400, "Invalid weights: "+err.Error())
			return
		}
		weights = append(weights, &mesos.WeightInfo{Role: &role, Weight: w.Weight})
	}
	m.persist(func([]op.Result) {
		m.applyWeights(weights)
		m.reply(in.Reply, 200, "")
	}, op.UpdateWeights{Weights: weights})
}

// applyWeights tells the allocator first: what is rescinded then is shared out
// anew by the new weights.
func (m *Machine) applyWeights(weights []*mesos.WeightInfo) {
	changed := maps.Clone(m.policy.weights)
	concerned := false
	for _, w := range weights {
		changed[w.GetRole()] = w.GetWeight()
		concerned = concerned || m.isRoleKnown(w.GetRole())
		m.info("the weight of a role changed", "role", w.GetRole(), "weight", w.GetWeight())
	}
	m.policy.weights = changed
	m.emit(AllocUpdateWeights{Weights: weights})
	if !concerned {
		return
	}
	for a := range m.agentList.all() {
		for o := range a.offers.all() {
			m.rescind(o)
		}
	}
}

// isRoleKnown says whether a framework is subscribed to a role, or has or is
// offered something in it.
func (m *Machine) isRoleKnown(role string) bool {
	for f := range m.frameworkList.all() {
		if f.subscribedTo(role) {
			return true
		}
		for it := range f.used.Add(f.offered).All() {
			if it.AllocatedTo() == role {
				return true
			}
		}
	}
	return false
}
