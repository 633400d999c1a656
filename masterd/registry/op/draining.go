package op

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Draining and deactivation concern admitted and unreachable agents alike:
// ErrUnknownAgent for all others. While any agent is deactivated the registry
// asks for masters that know what that means (AGENT_DRAINING).

// DrainAgent starts to drain an agent, and deactivates it.
type DrainAgent struct {
	ID     *mesos.AgentID
	Config *mesos.DrainConfig
}

// MarkDrained notes that nothing runs on a draining agent any more:
// ErrNotDraining.
type MarkDrained struct{ ID *mesos.AgentID }

// DeactivateAgent keeps an agent from being offered.
type DeactivateAgent struct{ ID *mesos.AgentID }

// ReactivateAgent ends draining and deactivation.
type ReactivateAgent struct{ ID *mesos.AgentID }

func (o DrainAgent) apply(b *book) (bool, error) {
	drain := &mesos.DrainInfo{State: mesos.DrainState_DRAINING.Enum(), Config: o.Config}
	if o.Config == nil {
		drain.Config = &mesos.DrainConfig{}
	}
	err := b.revise(o.ID, func(d *duty) error {
		d.drain, d.deactivated = drain, true
		return nil
	})
	b.require(mesos.MasterInfo_Capability_AGENT_DRAINING, err == nil)
	return err == nil, err
}

func (o MarkDrained) apply(b *book) (bool, error) {
	err := b.revise(o.ID, func(d *duty) error {
		if d.drain.GetState() != mesos.DrainState_DRAINING {
			return ErrNotDraining
		}
		d.drain = &mesos.DrainInfo{State: mesos.DrainState_DRAINED.Enum(), Config: d.drain.Config}
		return nil
	})
	return err == nil, err
}

func (o DeactivateAgent) apply(b *book) (bool, error) {
	err := b.revise(o.ID, func(d *duty) error {
		d.deactivated = true
		return nil
	})
	b.require(mesos.MasterInfo_Capability_AGENT_DRAINING, err == nil)
	return err == nil, err
}

func (o ReactivateAgent) apply(b *book) (bool, error) {
	err := b.revise(o.ID, func(d *duty) error {
		d.drain, d.deactivated = nil, false
		return nil
	})
	if err == nil && !b.anyDeactivated() {
		b.unrequire(mesos.MasterInfo_Capability_AGENT_DRAINING)
	}
	return err == nil, err
}

// duty is what the two lists have in common of an agent.
type duty struct {
	drain       *mesos.DrainInfo
	deactivated bool
}

// flag returns the wire form of deactivated, unset for false as Mesos has it.
func (d duty) flag() *bool {
	if !d.deactivated {
		return nil
	}
	return new(true)
}

// revise replaces the entry of an agent by one with a changed duty.
func (b *book) revise(id *mesos.AgentID, change func(*duty) error) error {
	if s := b.admitted(id.GetValue()); s != nil {
		d := duty{s.DrainInfo, s.GetDeactivated()}
		if err := change(&d); err != nil {
			return err
		}
		b.setAdmitted(&registry.Registry_Slave{Info: s.Info, DrainInfo: d.drain, Deactivated: d.flag()})
		return nil
	}
	u := b.unreachable(id.GetValue())
	if u == nil {
		return ErrUnknownAgent
	}
	d := duty{u.DrainInfo, u.GetDeactivated()}
	if err := change(&d); err != nil {
		return err
	}
	b.setUnreachable(&registry.Registry_UnreachableSlave{
		Id: u.Id, Timestamp: u.Timestamp, DrainInfo: d.drain, Deactivated: d.flag(),
	})
	return nil
}

func (b *book) anyDeactivated() bool {
	for _, s := range b.r.GetSlaves().GetSlaves() {
		if s.GetDeactivated() {
			return true
		}
	}
	for _, s := range b.r.GetUnreachable().GetSlaves() {
		if s.GetDeactivated() {
			return true
		}
	}
	return false
}
