package state

import (
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
)

// policy is what operators decided, as the registry has it.
type policy struct {
	// weights and quotas are in Views as they are: replaced, never changed.
	weights map[string]float64
	quotas  map[string]*quota.QuotaConfig
	// planned are the quotas as they will be once all is durable that is being
	// written: what further changes are held against.
	planned map[string]*quota.QuotaConfig
	// version counts the AllocUpdateQuota effects.
	version uint64

	// schedule is that of maintenance, never nil; machines are those in it, and
	// status is what GET_MAINTENANCE_STATUS shows, nil if that is out of date.
	schedule    *maintenance.Schedule
	machines    map[machineKey]*mesos.MachineInfo
	status      *maintenance.ClusterStatus
	draining    map[AgentID]*mesos.DrainInfo
	deactivated map[AgentID]bool
}

// machineKey is a MachineID as a value. Hostnames are in lower case: their case
// does not matter.
type machineKey struct{ hostname, ip string }

func keyOfMachine(id *mesos.MachineID) machineKey {
	return machineKey{strings.ToLower(id.GetHostname()), id.GetIp()}
}

func (p *policy) init() {
	p.weights = map[string]float64{}
	p.quotas = map[string]*quota.QuotaConfig{}
	p.planned = p.quotas
	p.machines = map[machineKey]*mesos.MachineInfo{}
	p.schedule = &maintenance.Schedule{}
	p.draining = map[AgentID]*mesos.DrainInfo{}
	p.deactivated = map[AgentID]bool{}
}

// machineOf returns the machine that an agent is on.
func machineOf(info *mesos.AgentInfo, pid PID) machineKey {
	return machineKey{strings.ToLower(info.GetHostname()), pid.host()}
}

func (p *policy) isDown(k machineKey) bool {
	return p.machines[k].GetMode() == mesos.MachineInfo_DOWN
}

// unavailability returns when a machine is in maintenance, nil if no time is
// set.
func (p *policy) unavailability(k machineKey) *mesos.Unavailability {
	return p.machines[k].GetUnavailability()
}

// read takes over what a registry says.
func (p *policy) read(r *registry.Registry) {
	p.weights, p.quotas = map[string]float64{}, map[string]*quota.QuotaConfig{} // a View may have the former
	for _, w := range r.GetWeights() {
		p.weights[w.GetInfo().GetRole()] = w.GetInfo().GetWeight()
	}
	for _, q := range r.GetQuotas() {
		p.quotas[q.GetInfo().GetRole()] = guaranteeConfig(q.GetInfo())
	}
	for _, q := range r.GetQuotaConfigs() {
		p.quotas[q.GetRole()] = q
	}
	p.planned = p.quotas
	for _, mc := range r.GetMachines().GetMachines() {
		p.machines[keyOfMachine(mc.GetInfo().GetId())] = mc.GetInfo()
	}
	if s := r.GetSchedules(); len(s) > 0 {
		p.schedule = s[0]
	}
}

// readDuty takes over how an agent is kept from being offered.
func (p *policy) readDuty(id AgentID, drain *mesos.DrainInfo, deactivated bool) {
	if drain != nil {
		p.draining[id] = drain
	}
	if deactivated {
		p.deactivated[id] = true
	}
}

// guaranteeConfig turns a quota of a master before 1.9 into the form of today:
// what was guaranteed was the limit, too.
func guaranteeConfig(info *quota.QuotaInfo) *quota.QuotaConfig {
	c := &quota.QuotaConfig{
		Role:       info.Role,
		Guarantees: map[string]*mesos.Value_Scalar{},
		Limits:     map[string]*mesos.Value_Scalar{},
	}
	for _, r := range info.GetGuarantee() {
		c.Guarantees[r.GetName()] = r.GetScalar()
		c.Limits[r.GetName()] = r.GetScalar()
	}
	return c
}
