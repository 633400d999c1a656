package state

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// operatorCall does what an operator asks for.
func (m *Machine) operatorCall(in OperatorCall) {
	if part := missingPart(in.Call); part != "" {
		m.reply(in.Reply, 400, "'"+part+"' is missing")
		return
	}
	switch in.Call.GetType() {
	case mesosmaster.Call_TEARDOWN:
		m.operatorTeardown(in)
	case mesosmaster.Call_MARK_AGENT_GONE:
		m.operatorMarkGone(in)
	case mesosmaster.Call_DRAIN_AGENT:
		m.drainAgent(in)
	case mesosmaster.Call_DEACTIVATE_AGENT:
		m.operatorDeactivate(in)
	case mesosmaster.Call_REACTIVATE_AGENT:
		m.operatorReactivate(in)
	case mesosmaster.Call_UPDATE_MAINTENANCE_SCHEDULE:
		m.updateSchedule(in)
	case mesosmaster.Call_START_MAINTENANCE:
		m.startMaintenance(in)
	case mesosmaster.Call_STOP_MAINTENANCE:
		m.stopMaintenance(in)
	case mesosmaster.Call_UPDATE_WEIGHTS:
		m.updateWeights(in)
	case mesosmaster.Call_UPDATE_QUOTA:
		m.updateQuota(in)
	case mesosmaster.Call_SET_QUOTA:
		m.setQuota(in)
	case mesosmaster.Call_REMOVE_QUOTA:
		m.removeQuota(in)
	default:
		if agent, o := operationOf(in.Call); o != nil {
			m.operatorOperation(in, agent, o)
			return
		}
		m.reply(in.Reply, 501, "This master does not do "+in.Call.GetType().String()+" yet")
	}
}

// missingPart names the field that a call lacks whose type asks for it: that of
// the same name.
func missingPart(c *mesosmaster.Call) string {
	message := c.ProtoReflect()
	field := message.Descriptor().Fields().ByName(protoreflect.Name(strings.ToLower(c.GetType().String())))
	if field == nil || message.Has(field) {
		return ""
	}
	return string(field.Name())
}

func (m *Machine) operatorTeardown(in OperatorCall) {
	f := m.frameworks[FrameworkID(in.Call.GetTeardown().GetFrameworkId().GetValue())]
	if f == nil {
		m.reply(in.Reply, 400, "No framework with this ID is known")
		return
	}
	m.removeFramework(f)
	m.reply(in.Reply, 200, "")
}

// operatorMarkGone declares an agent dead for ever. The answer waits for the
// registry.
func (m *Machine) operatorMarkGone(in OperatorCall) {
	protoID := in.Call.GetMarkAgentGone().GetAgentId()
	id := AgentID(protoID.GetValue())
	if m.former.gone.get(id) != nil {
		m.reply(in.Reply, 200, "")
		return
	}
	if mv := m.former.moves[id]; mv != nil && (mv.gone || mv.removing || mv.unreachable) {
		m.reply(in.Reply, 503, "The agent is about to be marked gone or unreachable, or to be removed")
		return
	}
	if m.agents[id] == nil && m.former.recovered.get(id) == nil && m.former.unreachable.get(id) == nil {
		m.reply(in.Reply, 404, "No agent with this ID is known")
		return
	}
	move := m.former.moving(id)
	move.gone = true
	when := m.timeInfo()
	m.persist(func(results []op.Result) {
		move.gone = false
		m.former.settle(id)
		if err := results[0].Err; err != nil {
			m.reply(in.Reply, 500, err.Error())
			return
		}
		m.markedGone(id, when)
		m.reply(in.Reply, 200, "")
	}, op.MarkGone{ID: protoID, Since: when})
}

func (m *Machine) markedGone(id AgentID, when *mesos.TimeInfo) {
	m.info("marked an agent gone", "agent_id", id)
	m.former.gone.put(id, &FormerAgent{ID: id, Since: timeOf(when)})
	m.former.recovered.drop(id)
	m.cancelRemoval(id, removalRecovery)
	m.former.unreachable.drop(id)
	delete(m.policy.draining, id)
	delete(m.policy.deactivated, id)
	m.endParked(id)
	m.recountOperations(id)
	a := m.agents[id]
	if a == nil {
		return
	}
	m.send(a.pid, &messages.ShutdownMessage{Message: new(goneText)})
	m.stopAllocating(a)
	m.leaveOperations(a, mesos.OperationState_OPERATION_GONE_BY_OPERATOR, goneText)
	for t := range a.tasks.all() {
		m.leaveTask(t, goneReport(t.framework), false)
	}
	m.dropAgent(a)
}

// goneReport is what a framework is told about tasks on a gone agent.
func goneReport(f *framework) report {
	r := report{
		state:   f.lostState(mesos.TaskState_TASK_GONE_BY_OPERATOR),
		reason:  mesos.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR.Enum(),
		message: goneText,
	}
	if !f.caps.partitionAware {
		r.reason = mesos.TaskStatus_REASON_AGENT_REMOVED.Enum()
	}
	return r
}

// endParked ends the tasks of an agent that was unreachable.
func (m *Machine) endParked(id AgentID) {
	parked := m.former.tasks[id]
	if parked == nil {
		return
	}
	for u := range parked.all() {
		status := m.statusOf(u.info, goneReport(u.framework))
		m.sendEvent(u.framework, updateEvent(status))
		m.endUnreachable(u, status)
	}
}
