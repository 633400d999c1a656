package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// acknowledgeOperation takes an acknowledgement for an operation. None is ever
// under way, so it belongs to none.
func (m *Machine) acknowledgeOperation(f *framework, call *scheduler.Call_AcknowledgeOperationStatus) {
	m.stats.Messages[MessageOperationUpdateAck]++
	m.stats.InvalidOperationUpdateAcks++
	m.warn("an acknowledgement for an unknown operation", "framework", f.id,
		"operation", call.GetOperationId().GetValue())
}

// reconcileOperations tells a framework where operations stand by what is
// known of their agents.
func (m *Machine) reconcileOperations(f *framework, named []*scheduler.Call_ReconcileOperations_Operation) {
	m.stats.Messages[MessageReconcileOperations]++
	for _, o := range named {
		state, message := m.operationState(o)
		m.sendEvent(f, operationEvent(&mesos.OperationStatus{
			OperationId:        o.OperationId,
			State:              &state,
			Message:            new("Reconciliation: " + message),
			AgentId:            o.AgentId,
			ResourceProviderId: o.ResourceProviderId,
		}))
	}
}

func (m *Machine) operationState(o *scheduler.Call_ReconcileOperations_Operation) (mesos.OperationState, string) {
	id := AgentID(o.GetAgentId().GetValue())
	switch {
	case o.AgentId == nil:
		return mesos.OperationState_OPERATION_UNKNOWN, "Operation is unknown and no 'agent_id' was provided"
	case m.former.recovered.get(id) != nil:
		return mesos.OperationState_OPERATION_RECOVERING, "Agent is recovered but has not re-registered"
	case m.agents[id] != nil:
		return mesos.OperationState_OPERATION_UNKNOWN, "Operation is unknown"
	case m.former.unreachable.get(id) != nil:
		return mesos.OperationState_OPERATION_UNREACHABLE, "Agent is unreachable"
	case m.former.gone.get(id) != nil:
		return mesos.OperationState_OPERATION_GONE_BY_OPERATOR, "Agent marked gone by operator"
	}
	return mesos.OperationState_OPERATION_UNKNOWN, "Both operation and agent are unknown"
}
