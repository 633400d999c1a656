package state

import (
	"bytes"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// applyToProvider passes an operation on to its resource provider. Of those whose
// outcome is certain the agent counts it at once, as the master does; of the
// others the provider tells it.
func (m *Machine) applyToProvider(id *mesos.ResourceProviderID, msg *messages.ApplyOperationMessage) {
	op := msg.GetOperationInfo()
	p := m.providers.subscribed[id.GetValue()]
	if p == nil {
		// It never gets it: there is no use in waiting for what it says.
		status := m.operationStatus(op, mesos.OperationState_OPERATION_DROPPED)
		status.ResourceProviderId, status.Message = id, new("the resource provider is not subscribed")
		m.sendOperationStatus(msg.GetFrameworkId(), msg.GetOperationUuid(), status, nil)
		return
	}
	status := m.operationStatus(op, mesos.OperationState_OPERATION_PENDING)
	status.ResourceProviderId = id
	m.operations[string(msg.GetOperationUuid().GetValue())] = &mesos.Operation{
		FrameworkId: msg.FrameworkId, AgentId: m.info.Id, Info: op, LatestStatus: status, Uuid: msg.OperationUuid,
	}
	if isSpeculative(op) {
		if total, err := applied(p.total, op); err == nil {
			p.total = total
		} else {
			m.warn("operation can't be applied to what the resource provider has", append(providerFields(p), "error", err.Error())...)
			m.providersChanged() // the master believes it can
		}
	}
	version := msg.GetResourceVersionUuid().GetUuid()
	if version == nil {
		version = p.version
	}
	m.tellProvider(p, &resourceprovider.Event{
		Type: resourceprovider.Event_APPLY_OPERATION.Enum(),
		ApplyOperation: &resourceprovider.Event_ApplyOperation{
			FrameworkId: msg.FrameworkId, Info: op, OperationUuid: msg.OperationUuid, ResourceVersionUuid: version,
		},
	})
}

// isSpeculative says whether an operation's outcome is certain if it is applied.
func isSpeculative(op *mesos.Offer_Operation) bool {
	return op.GetType() != mesos.Offer_Operation_CREATE_DISK && op.GetType() != mesos.Offer_Operation_DESTROY_DISK
}

// providerOperationStatus takes over what became of an operation and passes it
// on. The agent doesn't keep it: the provider repeats it until it is acknowledged.
func (m *Machine) providerOperationStatus(u *resourceprovider.Call_UpdateOperationStatus) {
	status, latest := withAgent(u.GetStatus(), m.info.Id), withAgent(u.GetLatestStatus(), m.info.Id)
	uuid := string(u.GetOperationUuid().GetValue())
	o := m.operations[uuid]
	if o != nil {
		if id := o.GetInfo().GetId(); id != nil { // some providers forget it
			status.OperationId = id
			if latest != nil {
				latest.OperationId = id
			}
		}
		m.advanceOperation(uuid, o, status, latest)
	}
	if m.phase != Running {
		m.debug("status of operation dropped: the agent is not registered", "uuid", uuidString([]byte(uuid)))
		return
	}
	m.sendOperationStatus(u.GetFrameworkId(), u.GetOperationUuid(), status, latest)
}

// withAgent is a status with what the provider doesn't know.
func withAgent(s *mesos.OperationStatus, agent *mesos.AgentID) *mesos.OperationStatus {
	if s == nil {
		return nil
	}
	return &mesos.OperationStatus{
		OperationId: s.OperationId, State: s.State, Message: s.Message, ConvertedResources: s.ConvertedResources,
		Uuid: s.Uuid, AgentId: agent, ResourceProviderId: s.ResourceProviderId,
	}
}

// advanceOperation takes over a status of an operation. When the operation succeeds, its
// outcome takes the place of what it consumed.
func (m *Machine) advanceOperation(uuid string, o *mesos.Operation, status, latest *mesos.OperationStatus) {
	if latest == nil {
		latest = status
	}
	was := o.GetLatestStatus().GetState()
	if isTerminalOperation(was) {
		latest = o.LatestStatus
	}
	o = advanced(o, latest, status)
	m.operations[uuid] = o
	if isTerminalOperation(was) || !isTerminalOperation(latest.GetState()) {
		return
	}
	m.providers.count(o)
	p := m.providers.subscribed[providerOf(o)]
	if p == nil || latest.GetState() != mesos.OperationState_OPERATION_FINISHED || isSpeculative(o.GetInfo()) {
		return
	}
	consumed, err := resources.Consumed(o.GetInfo())
	if err == nil {
		convert := resources.Conversion{Consumed: consumed, Converted: resources.Of(latest.GetConvertedResources()...)}
		p.total, err = convertTotal(p.total, convert.Unallocate())
	}
	if err != nil {
		// What it has can't be told from what it said: it has to say it again.
		m.log(Error, "outcome of operation doesn't fit what the resource provider has: disconnecting it",
			append(providerFields(p), "error", err.Error())...)
		m.dismissProvider(p)
	}
}

func convertTotal(total resources.Resources, c resources.Conversion) (resources.Resources, error) {
	out, err := c.Apply(total)
	if err != nil {
		return total, err
	}
	return out, nil
}

// advanced is an operation with a new latest status. told, unless it is nil or a
// repetition, is added to those that were told.
func advanced(o *mesos.Operation, latest, told *mesos.OperationStatus) *mesos.Operation {
	out := ownedBy(o, o.AgentId)
	out.LatestStatus = latest
	if told != nil && !repeats(o, told) {
		out.Statuses = append(slices.Clip(out.Statuses), told)
	}
	return out
}

// repeats says whether a status was told before. One without UUID is not meant to
// be acknowledged, so it is compared with the last.
func repeats(o *mesos.Operation, told *mesos.OperationStatus) bool {
	if told.Uuid != nil {
		return statusWith(o, told.Uuid) != nil
	}
	n := len(o.GetStatuses())
	return n > 0 && o.Statuses[n-1].GetState() == told.GetState()
}

// ownedBy is a copy of an operation, with the agent's ID, which its provider
// doesn't know.
func ownedBy(o *mesos.Operation, agent *mesos.AgentID) *mesos.Operation {
	return &mesos.Operation{
		FrameworkId: o.FrameworkId, AgentId: agent, Info: o.Info, LatestStatus: o.LatestStatus,
		Statuses: o.Statuses, Uuid: o.Uuid,
	}
}

// statusWith finds a status by its UUID; nil for none.
func statusWith(o *mesos.Operation, uuid *mesos.UUID) *mesos.OperationStatus {
	for _, s := range o.GetStatuses() {
		if uuid != nil && s.Uuid != nil && bytes.Equal(s.Uuid.GetValue(), uuid.GetValue()) {
			return s
		}
	}
	return nil
}

// acknowledgeToProvider passes an acknowledgement on. An operation whose outcome
// is acknowledged is forgotten; if the provider doesn't hear of it, it lists the
// operation again.
func (m *Machine) acknowledgeToProvider(o *mesos.Operation, id string, msg *messages.AcknowledgeOperationStatusMessage) {
	p := m.providers.subscribed[id]
	if p == nil {
		m.debug("acknowledgement of an operation dropped: its resource provider is not subscribed", "provider", id)
	} else {
		m.tellProvider(p, &resourceprovider.Event{
			Type: resourceprovider.Event_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
			AcknowledgeOperationStatus: &resourceprovider.Event_AcknowledgeOperationStatus{
				StatusUuid: msg.StatusUuid, OperationUuid: msg.OperationUuid,
			},
		})
	}
	if o == nil {
		return
	}
	last := statusWith(o, msg.StatusUuid)
	if n := len(o.GetStatuses()); last == nil && n > 0 {
		last = o.Statuses[n-1]
	}
	if last != nil && isTerminalOperation(last.GetState()) {
		delete(m.operations, string(o.GetUuid().GetValue()))
		m.drained()
	}
}

// reconcileProvider answers a question about an operation that the agent doesn't
// know, or lets the provider answer.
func (m *Machine) reconcileProvider(framework *mesos.FrameworkID, q *messages.ReconcileOperationsMessage_Operation) {
	id := q.GetResourceProviderId().GetValue()
	p := m.providers.subscribed[id]
	if p != nil && q.OperationUuid != nil {
		m.tellProvider(p, &resourceprovider.Event{
			Type: resourceprovider.Event_RECONCILE_OPERATIONS.Enum(),
			ReconcileOperations: &resourceprovider.Event_ReconcileOperations{
				OperationUuids: []*mesos.UUID{q.OperationUuid},
			},
		})
		return
	}
	state := mesos.OperationState_OPERATION_UNKNOWN
	if p == nil && m.providers.known[id] != nil {
		state = mesos.OperationState_OPERATION_RECOVERING // it is expected back
	}
	status := m.operationStatus(&mesos.Offer_Operation{Id: q.GetOperationId()}, state)
	status.ResourceProviderId = q.ResourceProviderId
	m.sendOperationStatus(framework, q.GetOperationUuid(), status, nil)
}

// endProviderOperations ends what was under way on a provider that is gone.
func (m *Machine) endProviderOperations(id string) {
	for uuid, o := range sorted(m.providerOperations(id)) {
		delete(m.operations, uuid)
		if isTerminalOperation(o.GetLatestStatus().GetState()) {
			continue
		}
		status := m.operationStatus(o.GetInfo(), mesos.OperationState_OPERATION_GONE_BY_OPERATOR)
		status.Message = new("The resource provider was removed before a terminal operation status update was received")
		status.ResourceProviderId = &mesos.ResourceProviderID{Value: &id}
		if m.phase == Running {
			m.sendOperationStatus(o.GetFrameworkId(), o.GetUuid(), status, nil)
		}
	}
	m.drained()
}
