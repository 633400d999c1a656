package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// reconcileOperations tells a framework where its operations stand: those it
// names, or all that are known. What only an agent can know it is asked for.
func (m *Machine) reconcileOperations(f *framework, named []*scheduler.Call_ReconcileOperations_Operation) {
	m.stats.Messages[MessageReconcileOperations]++
	if len(named) == 0 {
		for o := range f.operations.all() {
			m.sendEvent(f, operationEvent(o.lastStatus()))
		}
		return
	}
	var asked []*agent
	questions := map[*agent]*messages.ReconcileOperationsMessage{}
	for _, n := range named {
		if o := f.operationIDs[n.GetOperationId().GetValue()]; o != nil {
			m.sendEvent(f, operationEvent(o.lastStatus()))
			continue
		}
		if a := m.knowsProvider(n); a != nil {
			if questions[a] == nil {
				questions[a] = &messages.ReconcileOperationsMessage{FrameworkId: f.protoID}
				asked = append(asked, a)
			}
			questions[a].Operations = append(questions[a].Operations, &messages.ReconcileOperationsMessage_Operation{
				OperationId: n.OperationId, ResourceProviderId: n.ResourceProviderId,
			})
			continue
		}
		state, message := m.unknownOperation(n)
		m.sendEvent(f, operationEvent(&mesos.OperationStatus{
			OperationId:        n.OperationId,
			State:              &state,
			Message:            new("Reconciliation: " + message),
			AgentId:            n.AgentId,
			ResourceProviderId: n.ResourceProviderId,
		}))
	}
	for _, a := range asked {
		m.send(a.pid, questions[a])
	}
}

// knowsProvider returns the agent that has to say whether it ever saw the
// resource provider of an operation that we don't know; nil if it need not be
// asked.
func (m *Machine) knowsProvider(n *scheduler.Call_ReconcileOperations_Operation) *agent {
	a := m.agents[AgentID(n.GetAgentId().GetValue())]
	if a == nil || n.ResourceProviderId == nil || !a.caps.agentOperationFeedback ||
		a.providers[n.GetResourceProviderId().GetValue()] != nil {
		return nil
	}
	return a
}

// lastStatus is the status that the framework was told last, without UUID: it
// is not repeated, so it must not be acknowledged.
func (o *operation) lastStatus() *mesos.OperationStatus {
	last := o.info.GetLatestStatus()
	if n := len(o.info.GetStatuses()); n > 0 {
		last = o.info.GetStatuses()[n-1]
	}
	return &mesos.OperationStatus{
		OperationId:        last.OperationId,
		State:              last.State,
		Message:            last.Message,
		ConvertedResources: last.ConvertedResources,
		AgentId:            last.AgentId,
		ResourceProviderId: last.ResourceProviderId,
	}
}

func (m *Machine) unknownOperation(n *scheduler.Call_ReconcileOperations_Operation) (mesos.OperationState, string) {
	id := AgentID(n.GetAgentId().GetValue())
	switch {
	case n.AgentId == nil:
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

// leaveOperations tells frameworks what has become of all their operations on an
// agent that is taken from them.
func (m *Machine) leaveOperations(a *agent, state mesos.OperationState, message string) {
	for o := range a.operations.all() {
		m.stats.Operations.add(o.kind(), state, 1)
		if state == mesos.OperationState_OPERATION_UNREACHABLE {
			m.former.operations[a.id] = append(m.former.operations[a.id], o.kind())
		}
		if o.info.GetInfo().Id == nil || o.framework == nil {
			continue
		}
		m.tellOperation(o.framework, &mesos.OperationStatus{
			OperationId:        o.info.GetInfo().Id,
			State:              &state,
			Message:            &message,
			AgentId:            a.info.GetId(),
			ResourceProviderId: o.info.GetLatestStatus().GetResourceProviderId(),
		})
	}
}

// recountOperations takes the operations of an agent that was unreachable out of
// the metrics: it came back and tells of them, or it never will.
func (m *Machine) recountOperations(id AgentID) {
	for _, t := range m.former.operations[id] {
		m.stats.Operations.add(t, mesos.OperationState_OPERATION_UNREACHABLE, -1)
	}
	delete(m.former.operations, id)
}
