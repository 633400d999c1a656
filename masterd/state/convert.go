package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// admitOperation checks what makes an operation fit to be looked at, and
// completes it. It answers for one that isn't.
func (m *Machine) admitOperation(acc *acceptance, o *mesos.Offer_Operation) bool {
	err := upgradeOperation(o)
	if err == nil && len(o.GetReserve().GetSource()) > 0 {
		// So in Mesos 1.11: operators may re-reserve, frameworks not yet.
		err = errors.New("a framework can't reserve with a 'source'")
	}
	if err != nil {
		m.refuseOperation(acc, o, fmt.Errorf("invalid resources: %w", err))
		return false
	}
	if o.Id != nil && !m.mayGiveFeedback(acc, o) {
		return false
	}
	for _, list := range resources.Lists(o) {
		allocate(list, acc.role)
	}
	return true
}

// mayGiveFeedback says whether the outcome of an operation can be told to a
// framework that wants to know it.
func (m *Machine) mayGiveFeedback(acc *acceptance, o *mesos.Offer_Operation) bool {
	caps := acc.a.caps
	_, isLaunch := launched(o)
	switch {
	case isLaunch:
		m.refuseOperation(acc, o, fmt.Errorf("%s takes no operation ID", o.GetType()))
	case acc.f.conn.Stream == "":
		m.warn("dropping an operation of a driver that wants feedback", "framework_id", acc.f.id, "operation", o.GetType().String())
		// The driver aborts on this: it could not hear of the operation.
		m.send(acc.f.conn.PID, frameworkError("operation feedback is given to schedulers that use the HTTP API, not to drivers"))
	case !caps.resourceProvider:
		m.dropOperation(acc.f, o, fmt.Sprintf("agent %s does not give operation feedback: it lacks RESOURCE_PROVIDER", acc.a.id))
	case resources.ProviderOf(o) == nil && !caps.agentOperationFeedback:
		m.dropOperation(acc.f, o, fmt.Sprintf(
			"agent %s gives no feedback on operations on its own resources: it lacks AGENT_OPERATION_FEEDBACK", acc.a.id))
	default:
		return true
	}
	return false
}

// refuseOperation answers an operation, also a launch, that must not be done.
func (m *Machine) refuseOperation(acc *acceptance, o *mesos.Offer_Operation, err error) {
	tasks, isLaunch := launched(o)
	if !isLaunch {
		m.dropOperation(acc.f, o, err.Error())
		return
	}
	invalid := mesos.TaskStatus_REASON_TASK_INVALID
	if o.GetType() == mesos.Offer_Operation_LAUNCH_GROUP {
		invalid = mesos.TaskStatus_REASON_TASK_GROUP_INVALID
	}
	m.refuseTasks(acc.f, tasks, taskError(invalid, err))
}

// convert does an operation that turns resources of the offers into others.
func (m *Machine) convert(acc *acceptance, o *mesos.Offer_Operation) {
	err := m.validateOperation(authorOf(acc.f), acc.a, o)
	if err == nil {
		err = m.mayOperate(acc.f, o)
	}
	if err == nil {
		err = m.convertValid(acc, o)
	}
	if err != nil {
		m.dropOperation(acc.f, o, err.Error())
	}
}

func (m *Machine) convertValid(acc *acceptance, o *mesos.Offer_Operation) error {
	conversions, err := resources.Conversions(o)
	if err != nil {
		return err
	}
	m.rescindVolumes(acc.a, o.GetDestroy().GetVolumes())
	remaining, err := acc.remaining.ApplyConversions(conversions)
	if err != nil {
		return err
	}
	if err := m.applyOperation(acc.a, acc.f, o, conversions); err != nil {
		return err
	}
	switch o.GetType() {
	case mesos.Offer_Operation_GROW_VOLUME, mesos.Offer_Operation_SHRINK_VOLUME:
		// The outcome is out of the reach of later operations of this ACCEPT.
		acc.remaining = acc.remaining.Subtract(conversions[0].Consumed)
		acc.resized = acc.resized.Add(conversions[0].Converted)
	default:
		acc.remaining = remaining
		acc.shared = remaining.Shared()
	}
	m.emit(AllocConvert{Framework: acc.f.id, Agent: acc.a.id, Conversions: conversions})
	return nil
}

// convertDisk has a resource provider create or destroy a disk. Its source is
// held until the provider says what became of it.
func (m *Machine) convertDisk(acc *acceptance, o *mesos.Offer_Operation) {
	source, err := resources.Consumed(o)
	switch {
	case err != nil:
	case !acc.a.caps.resourceProvider:
		err = fmt.Errorf("agent %s lacks RESOURCE_PROVIDER", acc.a.id)
	default:
		err = m.validateOperation(authorOf(acc.f), acc.a, o)
	}
	if err == nil {
		err = m.mayOperate(acc.f, o)
	}
	if err == nil && !acc.remaining.Contains(source) {
		err = fmt.Errorf("%w: %s is not in what is left of the offer: %s", resources.ErrNotContained, source, acc.remaining)
	}
	if err == nil {
		err = m.applyOperation(acc.a, acc.f, o, nil)
	}
	if err != nil {
		m.dropOperation(acc.f, o, err.Error())
		return
	}
	acc.remaining = acc.remaining.Subtract(source)
}

// rescindVolumes takes the offers back that hold volumes which are about to be
// destroyed: shared ones, which several may be offered.
func (m *Machine) rescindVolumes(a *agent, volumes []*mesos.Resource) {
	doomed := resources.Of(volumes...).Unallocate()
	if doomed.IsEmpty() {
		return
	}
	for o := range a.offers.all() {
		offered := o.resources.Unallocate()
		for it := range doomed.All() {
			if offered.Contains(it.Resources()) {
				m.rescind(o)
				break
			}
		}
	}
}

// available is what a task may use: what is left, and shared volumes however
// many tasks of this ACCEPT use them already.
func (acc *acceptance) available() resources.Resources {
	if acc.shared.IsEmpty() {
		return acc.remaining
	}
	return acc.remaining.NonShared().Add(acc.shared)
}

// take takes what a launch uses off what is left. Of a shared volume there may
// be more users than copies were offered: the allocator learns of these.
func (m *Machine) take(acc *acceptance, used resources.Resources) {
	if !acc.shared.IsEmpty() {
		if extra := used.Shared().Subtract(acc.remaining.Shared()); !extra.IsEmpty() {
			m.emit(AllocConvert{
				Framework: acc.f.id, Agent: acc.a.id, Conversions: []resources.Conversion{{Converted: extra}},
			})
		}
	}
	acc.remaining = acc.remaining.Subtract(used)
}

// settle gives back what the operations left over. What they made of it is free
// at once; what the framework left as it was counts as declined.
func (m *Machine) settle(acc *acceptance, filters *mesos.Filters) {
	made := acc.remaining.Subtract(acc.offered)
	m.recoverResources(acc.f.id, acc.a, made.Add(acc.resized), nil)
	m.recoverResources(acc.f.id, acc.a, acc.remaining.Subtract(made), filters)
}

// dropOperation tells a framework that asked for feedback that an operation
// was not done.
func (m *Machine) dropOperation(f *framework, o *mesos.Offer_Operation, reason string) {
	m.warn("dropping an operation", "framework_id", f.id, "operation", o.GetType().String(), "reason", reason)
	m.stats.Operations.add(o.GetType(), mesos.OperationState_OPERATION_ERROR, 1)
	if o.Id == nil || f.conn.Stream == "" {
		return
	}
	m.sendEvent(f, operationEvent(&mesos.OperationStatus{
		OperationId: o.Id,
		State:       mesos.OperationState_OPERATION_ERROR.Enum(),
		Message:     &reason,
	}))
}

// upgradeOperation checks the resources of an operation and brings them into
// the form that they have in memory.
func upgradeOperation(o *mesos.Offer_Operation) error {
	tasks, isLaunch := launched(o)
	if !isLaunch {
		for _, list := range resources.Lists(o) {
			if err := upgrade(list); err != nil {
				return err
			}
		}
		return nil
	}
	for _, t := range tasks {
		if err := upgrade(t.GetResources()); err != nil {
			return err
		}
		if err := upgrade(t.GetExecutor().GetResources()); err != nil {
			return err
		}
	}
	return upgrade(o.GetLaunchGroup().GetExecutor().GetResources())
}

// provider is what an agent told of one of its resource providers. What it has
// is in the agent's total.
type provider struct {
	info    *mesos.ResourceProviderInfo
	version *mesos.UUID
}

func (p *provider) getVersion() *mesos.UUID {
	if p == nil {
		return nil
	}
	return p.version
}

// resourceVersions is the view of its resources, by the agent and by its
// providers, that a launch is based on.
func (a *agent) resourceVersions() []*messages.ResourceVersionUUID {
	var versions []*messages.ResourceVersionUUID
	if a.resourceVersion != nil {
		versions = append(versions, &messages.ResourceVersionUUID{Uuid: a.resourceVersion})
	}
	for _, id := range slices.Sorted(maps.Keys(a.providers)) {
		p := a.providers[id]
		versions = append(versions, &messages.ResourceVersionUUID{ResourceProviderId: p.info.GetId(), Uuid: p.version})
	}
	return versions
}
