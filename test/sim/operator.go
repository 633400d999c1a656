package sim

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// operator is a person with little patience: weights, quotas, maintenance and
// draining change all the time, and what the master refuses is tried again or
// not. In the end everything is put right again.
type operator struct {
	sim *sim
}

func newOperator(s *sim) *operator {
	o := &operator{sim: s}
	s.after(s.upTo(20*time.Second), o.act)
	return o
}

// act does something, and plans the next.
func (o *operator) act() {
	if o.sim.master.machine == nil { // nobody has led yet
		o.sim.after(time.Second, o.act)
		return
	}
	if !o.sim.troubled() {
		o.tidyUp()
		return
	}
	o.sim.after(o.sim.upTo(8*time.Second), o.act)
	switch o.sim.rng.IntN(8) {
	case 0:
		o.weigh()
	case 1, 2:
		o.limit()
	case 3:
		o.schedule()
	case 4:
		o.call(&mesosmaster.Call{Type: mesosmaster.Call_START_MAINTENANCE.Enum(),
			StartMaintenance: &mesosmaster.Call_StartMaintenance{Machines: o.scheduled()}})
	case 5:
		o.bringUp()
	case 6:
		o.drain()
	case 7:
		o.toggle()
	}
}

// call makes a call; what comes of it shows in the next View.
func (o *operator) call(c *mesosmaster.Call) {
	c = carry(o.sim, c)
	m := o.sim.master
	m.replies++
	m.calls[m.replies] = func(status int) {
		o.sim.note("operator: %s is %d", c.GetType(), status)
		if status == 200 {
			o.sim.stats.Policies++
		}
	}
	m.step(state.OperatorCall{Reply: m.replies, Call: c})
}

// aRole is one that frameworks have, at the top of the tree.
func (o *operator) aRole() string {
	f := o.sim.frameworks[o.sim.rng.IntN(len(o.sim.frameworks))]
	return top(f.allRoles()[0])
}

func (o *operator) weigh() {
	o.call(&mesosmaster.Call{Type: mesosmaster.Call_UPDATE_WEIGHTS.Enum(), UpdateWeights: &mesosmaster.Call_UpdateWeights{
		WeightInfos: []*mesos.WeightInfo{{Role: new(o.aRole()), Weight: new(0.5 + 4*o.sim.rng.Float64())}},
	}})
}

func (o *operator) limit() {
	config := &quota.QuotaConfig{Role: new(o.aRole())}
	if o.sim.chance(0.8) {
		cpus := float64(o.sim.rng.IntN(10))
		config.Limits = map[string]*mesos.Value_Scalar{"cpus": {Value: &cpus}}
		if o.sim.chance(0.5) {
			config.Guarantees = map[string]*mesos.Value_Scalar{"cpus": {Value: new(cpus / 2)}}
		}
	}
	o.setQuota(config, o.sim.chance(0.5))
}

func (o *operator) setQuota(config *quota.QuotaConfig, force bool) {
	o.call(&mesosmaster.Call{Type: mesosmaster.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &mesosmaster.Call_UpdateQuota{
		Force: &force, QuotaConfigs: []*quota.QuotaConfig{config},
	}})
}

// schedule schedules a few machines, besides those that are down.
func (o *operator) schedule() {
	v := o.sim.master.machine.View()
	window := &maintenance.Window{
		MachineIds:     v.Maintenance.GetDownMachines(),
		Unavailability: &mesos.Unavailability{Start: &mesos.TimeInfo{Nanoseconds: new(o.sim.now.UnixNano())}},
	}
	down := map[string]bool{}
	for _, id := range window.MachineIds {
		down[id.GetHostname()] = true
	}
	for _, a := range o.sim.agents {
		if !down[a.node] && o.sim.chance(0.3) {
			window.MachineIds = append(window.MachineIds, a.machineID())
		}
	}
	s := &maintenance.Schedule{}
	if len(window.MachineIds) > 0 {
		s.Windows = []*maintenance.Window{window}
	}
	o.setSchedule(s)
}

func (o *operator) setSchedule(s *maintenance.Schedule) {
	o.call(&mesosmaster.Call{Type: mesosmaster.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(),
		UpdateMaintenanceSchedule: &mesosmaster.Call_UpdateMaintenanceSchedule{Schedule: s}})
}

func (a *agent) machineID() *mesos.MachineID {
	_, address, _ := strings.Cut(a.pid, "@")
	ip, _, _ := strings.Cut(address, ":")
	return &mesos.MachineID{Hostname: &a.node, Ip: &ip}
}

// scheduled is the first machine that may go down.
func (o *operator) scheduled() []*mesos.MachineID {
	for _, d := range o.sim.master.machine.View().Maintenance.GetDrainingMachines() {
		return []*mesos.MachineID{d.GetId()}
	}
	return nil
}

func (o *operator) bringUp() {
	if down := o.sim.master.machine.View().Maintenance.GetDownMachines(); len(down) > 0 {
		o.call(&mesosmaster.Call{Type: mesosmaster.Call_STOP_MAINTENANCE.Enum(),
			StopMaintenance: &mesosmaster.Call_StopMaintenance{Machines: down}})
	}
}

// anAgent is the ID of one that is registered, nil if there is none.
func (o *operator) anAgent() *mesos.AgentID {
	v := o.sim.master.machine.View()
	n := 0
	for a := range v.Agents.All() {
		if n++; n > o.sim.rng.IntN(len(o.sim.agents)) {
			return a.Info.GetId()
		}
	}
	return nil
}

func (o *operator) drain() {
	id := o.anAgent()
	if id == nil {
		return
	}
	o.call(&mesosmaster.Call{Type: mesosmaster.Call_DRAIN_AGENT.Enum(), DrainAgent: &mesosmaster.Call_DrainAgent{
		AgentId: id, MaxGracePeriod: durationpb.New(o.sim.upTo(10 * time.Second)), MarkGone: new(o.sim.chance(0.2)),
	}})
}

// toggle deactivates an agent, or reactivates it.
func (o *operator) toggle() {
	id := o.anAgent()
	switch {
	case id == nil:
	case o.sim.chance(0.3):
		o.call(&mesosmaster.Call{Type: mesosmaster.Call_DEACTIVATE_AGENT.Enum(),
			DeactivateAgent: &mesosmaster.Call_DeactivateAgent{AgentId: id}})
	default:
		o.reactivate(id)
	}
}

func (o *operator) reactivate(id *mesos.AgentID) {
	o.call(&mesosmaster.Call{Type: mesosmaster.Call_REACTIVATE_AGENT.Enum(),
		ReactivateAgent: &mesosmaster.Call_ReactivateAgent{AgentId: id}})
}

// tidyUp takes everything back, as far as the master lets it, and looks again
// later: an agent may still be draining, or have been away.
func (o *operator) tidyUp() {
	o.sim.after(20*time.Second, o.tidyUp)
	v := o.sim.master.machine.View()
	for _, f := range o.sim.frameworks {
		role := top(f.allRoles()[0])
		if q := v.Quotas[role]; len(q.GetLimits())+len(q.GetGuarantees()) > 0 {
			o.setQuota(&quota.QuotaConfig{Role: &role}, false)
		}
	}
	o.bringUp()
	if len(v.Schedule.GetWindows()) > 0 && len(v.Maintenance.GetDownMachines()) == 0 {
		o.setSchedule(&maintenance.Schedule{})
	}
	for a := range v.Agents.All() {
		if a.Deactivated && a.Drain.GetState() != mesos.DrainState_DRAINING {
			o.reactivate(a.Info.GetId())
		}
	}
}
