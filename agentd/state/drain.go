package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// drainAgent kills all tasks, and refuses new ones until no framework is left.
func (m *Machine) drainAgent(msg *messages.DrainSlaveMessage) {
	if len(m.frameworks) == 0 && len(m.operations) == 0 {
		m.inform("draining is complete: nothing runs here")
		return
	}
	m.inform("draining", "frameworks", len(m.frameworks))
	m.drain, m.drainAt = msg.GetConfig(), m.now
	m.checkpoint(DrainRecord{AgentID: m.agentID(), Config: m.drain})
	for _, f := range sorted(m.frameworks) {
		for _, r := range sorted(f.runs) {
			m.drainRun(r)
		}
	}
}

func (m *Machine) drainRun(r *run) {
	for id, t := range sorted(r.launched) {
		m.kill(r, id, m.drainPolicy(t.GetKillPolicy()))
	}
	for len(r.queued) > 0 {
		before := len(r.queued)
		m.kill(r, r.queued[0].info.GetTaskId().GetValue(), nil)
		if len(r.queued) == before {
			return // the executor is ending anyway
		}
	}
}

// drainPolicy shortens a task's grace period to that of the draining.
func (m *Machine) drainPolicy(own *mesos.KillPolicy) *mesos.KillPolicy {
	most := m.drain.GetMaxGracePeriod()
	if most == nil {
		return nil
	}
	if own.GetGracePeriod() != nil && own.GetGracePeriod().GetNanoseconds() <= most.GetNanoseconds() {
		return nil
	}
	return &mesos.KillPolicy{GracePeriod: most}
}

// drained ends draining once nothing is left.
func (m *Machine) drained() {
	if m.drain == nil || len(m.frameworks) > 0 || len(m.operations) > 0 {
		return
	}
	m.inform("draining is complete")
	m.drain = nil
	m.checkpoint(DrainRecord{AgentID: m.agentID()})
}
