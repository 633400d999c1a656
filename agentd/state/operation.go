package state

import (
	"cmp"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// applyOperation changes the agent's resources as a master asks for: the master
// has done so on its side already, so there is no way to refuse.
func (m *Machine) applyOperation(msg *messages.ApplyOperationMessage) {
	uuid := string(msg.GetOperationUuid().GetValue())
	if m.agentID() == "" || m.operations[uuid] != nil {
		return
	}
	if provider := resources.ProviderOf(msg.GetOperationInfo()); provider != nil {
		m.applyToProvider(provider, msg)
		return
	}
	totals, err := applied(m.totals, msg.GetOperationInfo())
	if err == nil {
		_, err = applyCheckpointed(resources.Of(m.info.GetResources()...), totals.Filter(needsCheckpoint))
	}
	if err != nil {
		m.operationFailed(msg, err)
		return
	}
	status := m.operationStatus(msg.GetOperationInfo(), mesos.OperationState_OPERATION_FINISHED)
	id := m.cfg.Random.UUID()
	status.Uuid = &mesos.UUID{Value: id[:]}
	m.operations[uuid] = &mesos.Operation{
		FrameworkId:  msg.FrameworkId,
		AgentId:      m.info.Id,
		Info:         msg.OperationInfo,
		LatestStatus: status,
		Statuses:     []*mesos.OperationStatus{status},
		Uuid:         msg.OperationUuid,
	}
	m.totals = totals
	m.inform("operation applied", "operation", msg.GetOperationInfo().GetType().String(), "uuid", uuidString([]byte(uuid)))
	m.keepResources()
	m.forwardOperation(uuid, updateRetryMin)
}

// applied is Resources.Apply for what the agent has, which is not allocated.
func applied(totals resources.Resources, op *mesos.Offer_Operation) (resources.Resources, error) {
	conversions, err := resources.Conversions(op)
	if err != nil {
		return totals, err
	}
	for i, c := range conversions {
		conversions[i] = c.Unallocate()
	}
	return totals.ApplyConversions(conversions)
}

// operationFailed brings a master that believes otherwise back to the truth:
// reregistering tells it what the agent really has.
func (m *Machine) operationFailed(msg *messages.ApplyOperationMessage, err error) {
	m.log(Error, "operation can't be applied: registering again", "operation",
		msg.GetOperationInfo().GetType().String(), "error", err.Error())
	m.sendOperationStatus(msg.GetFrameworkId(), msg.GetOperationUuid(),
		m.operationStatus(msg.GetOperationInfo(), mesos.OperationState_OPERATION_DROPPED), nil)
	m.redetect()
}

func (m *Machine) operationStatus(op *mesos.Offer_Operation, s mesos.OperationState) *mesos.OperationStatus {
	return &mesos.OperationStatus{OperationId: op.GetId(), State: &s, AgentId: m.info.Id}
}

func (m *Machine) sendOperationStatus(
	framework *mesos.FrameworkID, uuid *mesos.UUID, status, latest *mesos.OperationStatus,
) {
	m.send(&messages.UpdateOperationStatusMessage{
		FrameworkId: framework, SlaveId: m.info.Id, Status: status, LatestStatus: latest, OperationUuid: uuid,
	})
}

func operationTimer(uuid string) Timer { return Timer{Kind: TimerRetryOperation, Task: uuid} }

func (m *Machine) forwardOperation(uuid string, wait time.Duration) {
	o := m.operations[uuid]
	if o == nil || m.phase != Running {
		return
	}
	m.operationWaits[uuid] = wait
	m.sendOperationStatus(o.FrameworkId, o.Uuid, o.LatestStatus, o.LatestStatus)
	m.do(Arm{Timer: operationTimer(uuid), After: wait})
}

func (m *Machine) retryOperation(uuid string) {
	m.forwardOperation(uuid, min(2*m.operationWaits[uuid], updateRetryMax))
}

// acknowledgeOperation forgets an operation whose outcome is known.
func (m *Machine) acknowledgeOperation(msg *messages.AcknowledgeOperationStatusMessage) {
	uuid := string(msg.GetOperationUuid().GetValue())
	o := m.operations[uuid]
	if id := cmp.Or(providerOf(o), msg.GetResourceProviderId().GetValue()); id != "" {
		m.acknowledgeToProvider(o, id, msg)
		return
	}
	if o == nil || string(o.GetLatestStatus().GetUuid().GetValue()) != string(msg.GetStatusUuid().GetValue()) {
		m.debug("acknowledgement of no pending operation ignored", "uuid", uuidString([]byte(uuid)))
		return
	}
	delete(m.operations, uuid)
	delete(m.operationWaits, uuid)
	m.do(Disarm{operationTimer(uuid)})
	m.checkpoint(ResourcesRecord{Resources: m.checkpointed(), Operations: m.operationsOf("")})
	m.drained()
}

// operationsOf lists the operations of a resource provider, or with "" those on
// the agent's own resources, whose outcome is not acknowledged.
func (m *Machine) operationsOf(provider string) []*mesos.Operation {
	var out []*mesos.Operation
	for _, o := range sorted(m.operations) {
		if providerOf(o) == provider {
			out = append(out, o)
		}
	}
	return out
}

// allOperations lists those of all.
func (m *Machine) allOperations() []*mesos.Operation {
	var out []*mesos.Operation
	for _, o := range sorted(m.operations) {
		out = append(out, o)
	}
	return out
}

// checkpointResources takes over the reservations and volumes that a master
// without operation feedback sends as a whole.
func (m *Machine) checkpointResources(msg *messages.CheckpointResourcesMessage) {
	kept, err := resources.New(msg.GetResources())
	if err == nil {
		kept = kept.Unallocate()
		var totals resources.Resources
		if totals, err = applyCheckpointed(resources.Of(m.info.GetResources()...), kept); err == nil {
			m.totals = totals
			m.keepResources()
			return
		}
	}
	m.log(Error, "resources can't be changed: registering again", "error", err.Error())
	m.redetect()
}

// reconcileOperations tells a framework or master what it asks for. What the
// agent doesn't know never arrived here.
func (m *Machine) reconcileOperations(msg *messages.ReconcileOperationsMessage) {
	for _, o := range msg.GetOperations() {
		known := m.findOperation(msg.GetFrameworkId(), o)
		switch {
		case o.ResourceProviderId != nil && (known == nil || msg.FrameworkId == nil):
			m.reconcileProvider(msg.GetFrameworkId(), o)
		case msg.FrameworkId != nil:
			status := m.operationStatus(&mesos.Offer_Operation{Id: o.GetOperationId()}, mesos.OperationState_OPERATION_UNKNOWN)
			if known != nil {
				// Without UUID: this one needs no acknowledgement.
				status = withAgent(known.GetLatestStatus(), m.info.Id)
				status.OperationId, status.Uuid = known.GetInfo().GetId(), nil
			}
			m.sendOperationStatus(msg.FrameworkId, o.GetOperationUuid(), status, nil)
		case known == nil:
			status := m.operationStatus(nil, mesos.OperationState_OPERATION_DROPPED)
			m.sendOperationStatus(nil, o.GetOperationUuid(), status, nil)
		}
	}
}

func (m *Machine) findOperation(
	framework *mesos.FrameworkID, o *messages.ReconcileOperationsMessage_Operation,
) *mesos.Operation {
	if o.OperationUuid != nil {
		return m.operations[string(o.GetOperationUuid().GetValue())]
	}
	for _, known := range sorted(m.operations) {
		if known.GetFrameworkId().GetValue() == framework.GetValue() &&
			known.GetInfo().GetId().GetValue() == o.GetOperationId().GetValue() {
			return known
		}
	}
	return nil
}
