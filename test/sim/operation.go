package sim

import (
	"fmt"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// What frameworks do with reservations and volumes: they reserve what is offered,
// make volumes of reserved disk, and undo both again. Those that speak HTTP want to
// know what became of it.

// convert makes an operation of something that is left of an offer, and books its
// outcome as what is left; nil if there is nothing for it.
func (f *framework) convert(o *mesos.Offer, left *resources.Resources) *mesos.Offer_Operation {
	role := o.GetAllocationInfo().GetRole()
	if role == "" {
		role = f.roles[0]
	}
	var items []resources.Item
	for it := range left.All() {
		if it.Name() == "cpus" || it.Name() == "disk" {
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return nil
	}
	op := f.operationOn(items[f.sim.rng.IntN(len(items))], *left, role)
	if op == nil {
		return nil
	}
	after, err := left.Apply(op)
	if err != nil {
		return nil
	}
	*left = after
	f.sim.stats.Operations++
	if f.operations == nil {
		f.operations = map[string]operation{}
	}
	if !f.driver && f.sim.chance(0.7) {
		f.operationSerial++
		op.Id = &mesos.OperationID{Value: new(fmt.Sprintf("%s-o%d", f.node, f.operationSerial))}
		f.operations[op.Id.GetValue()] = operation{}
	}
	return op
}

func (f *framework) operationOn(it resources.Item, left resources.Resources, role string) *mesos.Offer_Operation {
	one := it.Resources().Proto()
	switch {
	case it.IsPersistentVolume():
		return f.onVolume(it, left)
	case it.IsDynamicallyReserved() && it.Name() == "disk" && f.sim.chance(0.6):
		return f.create(one)
	case it.IsDynamicallyReserved():
		return &mesos.Offer_Operation{
			Type: mesos.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesos.Offer_Operation_Unreserve{Resources: one},
		}
	case it.IsReserved():
		return nil
	}
	part, ok := it.Shrink(500)
	if !ok {
		return nil
	}
	reserved, err := part.Resources().PushReservation(&mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role,
	})
	if err != nil {
		return nil
	}
	return &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_RESERVE.Enum(), Reserve: &mesos.Offer_Operation_Reserve{Resources: reserved.Proto()},
	}
}

// operation is one that a framework wants to know about: the state that it ended
// in, by its agent's word, nil before.
type operation struct{ ended *mesos.OperationState }

func operationEnded(s mesos.OperationState) bool {
	switch s {
	case mesos.OperationState_OPERATION_FINISHED, mesos.OperationState_OPERATION_FAILED,
		mesos.OperationState_OPERATION_ERROR, mesos.OperationState_OPERATION_DROPPED:
		return true
	}
	return false
}

// operationUpdate takes what became of an operation, mostly acknowledges it, and
// holds it against what was told before.
func (f *framework) operationUpdate(s *mesos.OperationStatus) {
	id := s.GetOperationId().GetValue()
	before, known := f.operations[id]
	if !known {
		f.sim.fail("%s hears of an operation that it did not ask for: %v", f.node, s)
		return
	}
	if s.Uuid != nil && operationEnded(s.GetState()) {
		if before.ended != nil && s.GetState() != *before.ended {
			f.sim.fail("operation %s ended as %s, and now its agent says %s", id, *before.ended, s.GetState())
		}
		before.ended = s.State
	}
	f.operations[id] = before
	if s.Uuid == nil || f.sim.troubled() && f.sim.chance(0.15) {
		return
	}
	f.later(f.sim.upTo(100*time.Millisecond), func() {
		if f.subscribed {
			f.call(&scheduler.Call{
				Type: scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(),
				AcknowledgeOperationStatus: &scheduler.Call_AcknowledgeOperationStatus{
					AgentId: s.AgentId, OperationId: s.OperationId, Uuid: s.Uuid.GetValue(),
				},
			})
		}
	})
}

// checkOperations: after the trouble master and agents agree on what there is, and
// on what was acknowledged.
func (s *sim) checkOperations() {
	v := s.master.machine.View()
	for o := range v.Operations.All() {
		s.fail("the master still waits for operation %s of %s on %s, %s", o.GetInfo().GetType(),
			o.GetFrameworkId().GetValue(), o.GetAgentId().GetValue(), o.GetLatestStatus().GetState())
	}
	totals := map[string]resources.Resources{}
	for a := range v.Agents.All() {
		totals[string(a.ID)] = resources.Of(a.Total...)
	}
	for _, a := range s.agents {
		own := a.machine.View()
		if n := len(own.Operations); n > 0 {
			s.fail("%s still has %d operations", a.node, n)
		}
		if total, has := totals[own.Agent.GetId().GetValue()], resources.Of(own.Total...); !total.Equal(has) {
			s.fail("%s has %s, and the master believes %s", a.node, has, total)
		}
	}
}

// holdsWithout says whether an agent has what is offered or in use there but for
// tasks and executors that got lost on their way to it: these may name reservations
// that got lost with them. Until the agent has said so the master believes in both.
// Or they got there after the agent had said what it has: its registration crossed
// with them, and it has to register once more.
func (m *master) holdsWithout(v *state.View, a *state.Agent, sum resources.Resources) bool {
	there := map[string]bool{}
	for _, own := range m.sim.agents {
		if own.machine == nil || own.machine.View().Agent.GetId().GetValue() != string(a.ID) {
			continue
		}
		if holds(resources.Of(own.machine.View().Total...), sum) {
			return true
		}
		for _, f := range own.machine.View().Frameworks {
			for _, e := range f.Executors {
				there[e.ID] = true
				for _, t := range e.Queued {
					there[t.GetTaskId().GetValue()] = true
				}
				for _, t := range e.Launched {
					there[t.GetTaskId().GetValue()] = true
				}
			}
		}
	}
	for t := range v.Tasks.All() {
		if t.GetAgentId().GetValue() == string(a.ID) && !terminal(t.GetState()) && !there[t.GetTaskId().GetValue()] {
			sum = sum.Subtract(m.parse(t.GetResources()).Unallocate())
		}
	}
	for e := range v.Executors.All() {
		if e.Agent == a.ID && !there[e.Info.GetExecutorId().GetValue()] {
			sum = sum.Subtract(m.parse(e.Info.GetResources()).Unallocate())
		}
	}
	return holds(m.parse(a.Total), sum)
}
