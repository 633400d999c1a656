package state

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// needsCheckpoint says which resources an agent must remember: what frameworks
// and operators reserved, and volumes. Resource providers remember their own.
func needsCheckpoint(it resources.Item) bool {
	return it.Provider() == nil && (it.IsDynamicallyReserved() || it.IsPersistentVolume())
}

// applyOperation does a valid operation of a framework, or with nil of an
// operator, to an agent: to what we know of it, and by message. It fails
// without any effect.
func (m *Machine) applyOperation(a *agent, f *framework, info *mesos.Offer_Operation, conversions []resources.Conversion) error {
	version := a.versionFor(resources.ProviderOf(info))
	if a.caps.resourceProvider && version == nil {
		return fmt.Errorf("resource provider %s is not known", resources.ProviderOf(info).GetValue())
	}
	total, err := a.total.ApplyConversions(resources.OfTotal(conversions))
	if err != nil {
		return err
	}
	a.total, a.checkpointed = total, total.Filter(needsCheckpoint)
	m.touchAgent(a)
	if f != nil {
		f.countOperation(info.GetType())
		m.touchFramework(f)
	}
	if a.caps.resourceProvider {
		m.sendOperation(a, f, info, version)
	} else {
		m.sendCheckpointed(a)
	}
	return nil
}

// versionFor is the view of its resources, by a provider or by the agent itself,
// that an operation is based on.
func (a *agent) versionFor(provider *mesos.ResourceProviderID) *mesos.UUID {
	if provider == nil {
		return a.resourceVersion
	}
	return a.providers[provider.GetValue()].getVersion()
}

func (m *Machine) sendOperation(a *agent, f *framework, info *mesos.Offer_Operation, version *mesos.UUID) {
	provider := resources.ProviderOf(info)
	record := &mesos.Operation{
		AgentId: a.info.GetId(),
		Info:    info,
		LatestStatus: &mesos.OperationStatus{
			OperationId:        info.Id,
			State:              mesos.OperationState_OPERATION_PENDING.Enum(),
			AgentId:            a.info.GetId(),
			ResourceProviderId: provider,
		},
		Uuid: m.newOperationUUID(),
	}
	if f != nil {
		record.FrameworkId = f.protoID
	}
	m.addOperation(record, a)
	m.send(a.pid, &messages.ApplyOperationMessage{
		FrameworkId:         record.FrameworkId,
		OperationInfo:       info,
		OperationUuid:       record.Uuid,
		ResourceVersionUuid: &messages.ResourceVersionUUID{ResourceProviderId: provider, Uuid: version},
	})
}

// sendCheckpointed tells an agent that knows no operations what to remember, all
// of it.
func (m *Machine) sendCheckpointed(a *agent) {
	list := a.checkpointed.Proto()
	if !a.caps.reservationRefinement {
		old, err := resources.Downgrade(list)
		if err != nil {
			// It lost the capability since they were made, and could not read them.
			m.warn("an agent can't be told its reservations", "agent_id", a.id, "reason", err.Error())
			return
		}
		list = old
	}
	m.send(a.pid, &messages.CheckpointResourcesMessage{Resources: list})
}
