package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// What an agent tells of operations in its updates: which it knows, so that a
// new leader learns of them, and those that got lost come to light.

// missingOperations asks for the operations that we know and the agent does not
// list. Those that it never got it answers with OPERATION_DROPPED.
func (m *Machine) missingOperations(a *agent, msg *messages.UpdateSlaveMessage) *messages.ReconcileOperationsMessage {
	listed := map[string]bool{}
	list := func(told []*mesos.Operation) {
		for _, t := range told {
			listed[string(t.GetUuid().GetValue())] = true
		}
	}
	subscribed := map[string]bool{"": true}
	list(msg.GetOperations().GetOperations())
	for _, p := range msg.GetResourceProviders().GetProviders() {
		subscribed[p.GetInfo().GetId().GetValue()] = true
		list(p.GetOperations().GetOperations())
	}
	question := &messages.ReconcileOperationsMessage{}
	for o := range a.operations.all() {
		if listed[o.uuid] || !subscribed[o.provider] {
			continue
		}
		question.Operations = append(question.Operations, &messages.ReconcileOperationsMessage_Operation{
			OperationUuid: o.info.Uuid, ResourceProviderId: resources.ProviderOf(o.info.GetInfo()),
		})
	}
	return question
}

// returnOperations takes in the operations that an agent lists. It returns those
// whose frameworks hold something by them that the allocator doesn't know of.
func (m *Machine) returnOperations(a *agent, msg *messages.UpdateSlaveMessage) (tracked []*operation) {
	told := slices.Clone(msg.GetOperations().GetOperations())
	for _, p := range msg.GetResourceProviders().GetProviders() {
		told = append(told, p.GetOperations().GetOperations()...)
	}
	for _, t := range told {
		known := m.operations[string(t.GetUuid().GetValue())]
		ack := a.acknowledged[string(t.GetUuid().GetValue())]
		switch {
		case known == nil && ack != nil:
			m.send(a.pid, ack) // that got lost, or crossed with the list
		case known == nil:
			if err := checkReturned(a, t); err != nil {
				m.warn("ignoring an operation that an agent lists", "agent_id", a.id, "reason", err.Error())
				continue
			}
			if o := m.addOperation(t, a); o.framework != nil && !o.held.IsEmpty() {
				tracked = append(tracked, o)
			}
		case known.agent == a && settled(t.GetLatestStatus().GetState()) && !settled(known.state()):
			// The total that came with it has the outcome already. The status
			// itself comes in an update.
			if !known.held.IsEmpty() {
				m.advanceOperation(known, t.GetLatestStatus(), false)
			}
		}
	}
	return tracked
}

// checkReturned checks what the books rely on.
func checkReturned(a *agent, o *mesos.Operation) error {
	switch {
	case len(o.GetUuid().GetValue()) != uuidSize:
		return validateUUID("uuid", o.GetUuid().GetValue())
	case o.AgentId != nil && AgentID(o.GetAgentId().GetValue()) != a.id:
		return fmt.Errorf("it is agent %s's", o.GetAgentId().GetValue())
	}
	if err := upgradeOperation(o.GetInfo()); err != nil {
		return err
	}
	if id := resources.ProviderOf(o.GetInfo()); id != nil && a.providers[id.GetValue()] == nil {
		return fmt.Errorf("its resource provider %s is not known", id.GetValue())
	}
	return nil
}

// updateProviders takes over which resource providers an agent has. The
// operations of those that went away go with them.
func (m *Machine) updateProviders(a *agent, msg *messages.UpdateSlaveMessage) {
	if msg.ResourceProviders == nil {
		return
	}
	now := map[string]*provider{}
	for _, p := range msg.GetResourceProviders().GetProviders() {
		now[p.GetInfo().GetId().GetValue()] = &provider{info: p.GetInfo(), version: p.GetResourceVersionUuid()}
	}
	for _, id := range slices.Sorted(maps.Keys(a.providers)) {
		if now[id] != nil {
			continue
		}
		m.info("a resource provider went away", "agent_id", a.id, "provider", id)
		for o := range a.operations.all() {
			if o.provider == id {
				m.removeOperation(o)
			}
		}
	}
	a.providers = now
}
