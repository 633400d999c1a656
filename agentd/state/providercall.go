package state

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// providerCall is a call of the resource provider API.
func (m *Machine) providerCall(in ProviderCall) {
	call := in.Call
	if m.agentID() == "" || m.phase == Terminating {
		m.reply(in.Reply, statusUnavailable, "Agent has not registered yet or is ending")
		return
	}
	if call.GetType() == resourceprovider.Call_SUBSCRIBE {
		m.subscribeProvider(in)
		return
	}
	p := m.providers.subscribed[call.GetResourceProviderId().GetValue()]
	if err := checkProviderCall(p, in); err != nil {
		m.reply(in.Reply, statusBadRequest, err.Error())
		return
	}
	if call.GetType() == resourceprovider.Call_UNKNOWN {
		m.reply(in.Reply, statusNotImplemented, "")
		return
	}
	m.reply(in.Reply, statusAccepted, "")
	switch call.GetType() {
	case resourceprovider.Call_UPDATE_STATE:
		m.updateProviderState(p, call.GetUpdateState())
	case resourceprovider.Call_UPDATE_OPERATION_STATUS:
		m.providerOperationStatus(call.GetUpdateOperationStatus())
	case resourceprovider.Call_UPDATE_PUBLISH_RESOURCES_STATUS:
		m.publicationAnswered(p, call.GetUpdatePublishResourcesStatus())
	}
}

// checkProviderCall checks what the form of a call doesn't tell: whether it is
// from the provider that is subscribed, and about its own resources.
func checkProviderCall(p *provider, in ProviderCall) error {
	switch {
	case p == nil:
		return fmt.Errorf("Resource provider is not subscribed")
	case !ownCall(p, in.Call):
		return fmt.Errorf("Inconsistent call: Inconsistent resource provider ID in '%s'", fieldOf(in.Call))
	case in.Session == "":
		return fmt.Errorf("All non-subscribe calls should include the 'Mesos-Stream-Id' header")
	case in.Session != p.session:
		return fmt.Errorf("The stream ID '%s' included in this request didn't match the stream ID currently"+
			" associated with resource provider ID %s", in.Session, p.id)
	}
	return nil
}

func fieldOf(call *resourceprovider.Call) string {
	if call.GetType() == resourceprovider.Call_UPDATE_STATE {
		return "update_state"
	}
	return "update_operation_status"
}

// ownCall says whether all that a call tells is about the provider itself.
func ownCall(p *provider, call *resourceprovider.Call) bool {
	own := func(id *mesos.ResourceProviderID) bool { return id != nil && id.GetValue() == p.id }
	ownAll := func(rs []*mesos.Resource) bool {
		for _, r := range rs {
			if !own(r.ProviderId) {
				return false
			}
		}
		return true
	}
	if u := call.GetUpdateOperationStatus(); call.GetType() == resourceprovider.Call_UPDATE_OPERATION_STATUS {
		for _, s := range []*mesos.OperationStatus{u.GetStatus(), u.GetLatestStatus()} {
			if s != nil && (!own(s.ResourceProviderId) || !ownAll(s.GetConvertedResources())) {
				return false
			}
		}
	}
	for _, o := range call.GetUpdateState().GetOperations() {
		if !own(resources.ProviderOf(o.GetInfo())) {
			return false
		}
	}
	return ownAll(call.GetUpdateState().GetResources())
}

// updateProviderState takes over what a provider has, and which operations it
// knows. One that it doesn't list it never got, or forgot with its outcome. Of one
// that it lists as over, the total has the outcome already.
func (m *Machine) updateProviderState(p *provider, state *resourceprovider.Call_UpdateState) {
	p.total = resources.Of(state.GetResources()...).Unallocate()
	p.version = state.GetResourceVersionUuid()
	listed := map[string]*mesos.Operation{}
	for _, o := range state.GetOperations() {
		listed[string(o.GetUuid().GetValue())] = o
	}
	for uuid, o := range sorted(m.providerOperations(p.id)) {
		latest := listed[uuid].GetLatestStatus()
		switch {
		case listed[uuid] == nil:
			delete(m.operations, uuid)
		case isTerminalOperation(latest.GetState()) && !isTerminalOperation(o.GetLatestStatus().GetState()):
			m.operations[uuid] = advanced(o, latest, nil)
			m.providers.count(m.operations[uuid])
		}
	}
	for uuid, o := range listed {
		// Those of another agent or provider must not take the place of ours.
		if m.operations[uuid] == nil {
			m.operations[uuid] = ownedBy(o, m.info.Id)
		}
	}
	m.inform("resource provider told its state", append(providerFields(p), "resources", p.total.String(), "operations", len(listed))...)
	m.providersChanged()
	m.drained()
}
