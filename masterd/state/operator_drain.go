package state

import (
	"fmt"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// DRAIN_AGENT, DEACTIVATE_AGENT and REACTIVATE_AGENT concern agents that are
// registered, expected back after a change of leader, or unreachable. What is
// decided about the latter two takes effect when they come back.

// drainAgent does DRAIN_AGENT: the agent is not offered any more, and ends what
// it runs.
func (m *Machine) drainAgent(in OperatorCall) {
	call := in.Call.GetDrainAgent()
	id := AgentID(call.GetAgentId().GetValue())
	if err := m.checkDrain(id); err != nil {
		m.reply(in.Reply, 400, err.Error())
		return
	}
	if mv := m.former.moves[id]; mv != nil && mv.gone {
		m.reply(in.Reply, 409, "The agent is about to be marked gone")
		return
	}
	config := drainConfig(call)
	m.writeDuty(in, id, op.DrainAgent{ID: call.GetAgentId(), Config: config}, func() {
		m.policy.draining[id] = &mesos.DrainInfo{State: mesos.DrainState_DRAINING.Enum(), Config: config}
		m.policy.deactivated[id] = true
		m.showDuty(id)
		m.info("draining an agent", "agent_id", id, "markGone", config.GetMarkGone())
		if a := m.agents[id]; a != nil {
			m.deactivateAgent(a)
			m.send(a.pid, &messages.DrainSlaveMessage{Config: config})
			a.drainStarted = m.now
			m.checkDrained(a)
		}
	})
}

func (m *Machine) checkDrain(id AgentID) error {
	a := m.agents[id]
	if a == nil {
		return nil // writeDuty looks for it
	}
	if k := machineOf(a.info, a.pid); m.policy.machines[k] != nil {
		return fmt.Errorf("agent %s is on machine %s of the maintenance schedule", id, machineText(m.policy.machines[k].GetId()))
	}
	if !a.caps.agentDraining {
		return fmt.Errorf("agent %s does not know how to drain", id)
	}
	return nil
}

// drainConfig is the order that an agent gets.
func drainConfig(call *mesosmaster.Call_DrainAgent) *mesos.DrainConfig {
	config := &mesos.DrainConfig{MarkGone: new(call.GetMarkGone())}
	if d := call.MaxGracePeriod; d != nil {
		config.MaxGracePeriod = &mesos.DurationInfo{Nanoseconds: new(d.AsDuration().Nanoseconds())}
	}
	return config
}

// operatorDeactivate does DEACTIVATE_AGENT: the agent is not offered any more.
func (m *Machine) operatorDeactivate(in OperatorCall) {
	protoID := in.Call.GetDeactivateAgent().GetAgentId()
	id := AgentID(protoID.GetValue())
	m.writeDuty(in, id, op.DeactivateAgent{ID: protoID}, func() {
		m.policy.deactivated[id] = true
		m.showDuty(id)
		m.info("deactivated an agent", "agent_id", id)
		if a := m.agents[id]; a != nil {
			m.deactivateAgent(a)
		}
	})
}

// operatorReactivate does REACTIVATE_AGENT: the end of deactivation, and of
// draining that is done.
func (m *Machine) operatorReactivate(in OperatorCall) {
	protoID := in.Call.GetReactivateAgent().GetAgentId()
	id := AgentID(protoID.GetValue())
	switch {
	case !m.policy.deactivated[id]:
		m.reply(in.Reply, 400, "The agent is not deactivated")
		return
	case m.policy.draining[id].GetState() == mesos.DrainState_DRAINING:
		m.reply(in.Reply, 400, "The agent is still draining")
		return
	}
	m.writeDuty(in, id, op.ReactivateAgent{ID: protoID}, func() {
		delete(m.policy.draining, id)
		delete(m.policy.deactivated, id)
		m.showDuty(id)
		m.info("reactivated an agent", "agent_id", id)
		a := m.agents[id]
		if a == nil {
			return
		}
		a.drainStarted = time.Time{}
		m.touchAgent(a)
		if a.connected && !a.active {
			a.active = true
			m.emit(AllocActivateAgent{Agent: id})
		}
	})
}

// writeDuty writes an operation about an agent that must be known, then does it
// and answers.
func (m *Machine) writeDuty(in OperatorCall, id AgentID, o op.Operation, then func()) {
	if m.agents[id] == nil && m.former.recovered.get(id) == nil && m.former.unreachable.get(id) == nil {
		m.reply(in.Reply, 400, "No agent with this ID is known")
		return
	}
	m.persist(func(results []op.Result) {
		if err := results[0].Err; err != nil {
			m.reply(in.Reply, 409, "The agent was removed meanwhile: "+err.Error())
			return
		}
		then()
		m.reply(in.Reply, 200, "")
	}, o)
}

// showDuty renews the record of an agent that is not registered.
func (m *Machine) showDuty(id AgentID) {
	if old := m.former.unreachable.get(id); old != nil {
		m.former.unreachable.put(id, &FormerAgent{
			ID: id, Since: old.Since, Drain: m.policy.draining[id], Deactivated: m.policy.deactivated[id],
		})
	}
}
