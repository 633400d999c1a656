package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// sendDrain repeats to an agent that came back that it is to be drained: it
// may have missed it, or been restarted since.
func (m *Machine) sendDrain(a *agent) {
	if d := m.policy.draining[a.id]; d != nil {
		m.send(a.pid, &messages.DrainSlaveMessage{Config: d.GetConfig()})
		a.drainStarted = m.now
		m.touchAgent(a)
		if !a.caps.resourceProvider {
			m.checkDrained(a) // others tell of their operations only after this
		}
	}
}

// checkLater lets the end of the Step look whether an agent is drained that
// something was taken off.
func (m *Machine) checkLater(a *agent) {
	if m.policy.draining[a.id].GetState() == mesos.DrainState_DRAINING {
		m.emptied = append(m.emptied, a)
	}
}

func (m *Machine) checkEmptied() {
	for len(m.emptied) > 0 {
		a := m.emptied[0]
		m.emptied = m.emptied[1:]
		if m.agents[a.id] == a {
			m.checkDrained(a)
		}
	}
}

// checkDrained notes that nothing is left on a draining agent.
func (m *Machine) checkDrained(a *agent) {
	d := m.policy.draining[a.id]
	if d.GetState() != mesos.DrainState_DRAINING || a.tasks.length > 0 || a.operations.length > 0 || m.former.moves[a.id] != nil {
		return
	}
	id := a.info.GetId()
	when := m.timeInfo()
	move := m.former.moving(a.id)
	ops := []op.Operation{op.MarkDrained{ID: id}}
	if d.GetConfig().GetMarkGone() {
		ops = append(ops, op.MarkGone{ID: id, Since: when})
		move.gone = true
	} else {
		move.drained = true
	}
	m.persist(func(results []op.Result) {
		move.gone, move.drained = false, false
		m.former.settle(a.id)
		if err := results[len(results)-1].Err; err != nil {
			m.warn("the registry refused to mark an agent drained", "agent_id", a.id, "error", err.Error())
			return
		}
		if len(ops) > 1 {
			m.markedGone(a.id, when)
			return
		}
		if m.policy.draining[a.id] == nil {
			return // it unregistered meanwhile
		}
		m.policy.draining[a.id] = &mesos.DrainInfo{State: mesos.DrainState_DRAINED.Enum(), Config: d.Config}
		m.touchAgent(a)
	}, ops...)
}
