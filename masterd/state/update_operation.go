package state

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// orphanPatience is how long after an agent's return the master waits for the
// framework of an operation before it acknowledges the outcome in its place:
// MIN_WAIT_BEFORE_ORPHAN_OPERATION_ADOPTION of Mesos.
const orphanPatience = 10 * time.Minute

// operationUpdate passes what became of an operation on to its framework and
// takes it over. As with tasks it is not stored until acknowledged: the agent
// sends it again.
func (m *Machine) operationUpdate(msg *messages.UpdateOperationStatusMessage) {
	m.stats.Messages[MessageOperationStatusUpdate]++
	id := FrameworkID(msg.GetFrameworkId().GetValue())
	if msg.OperationUuid == nil {
		// The answer of the agent itself to a reconciliation that was passed on.
		m.tellOperation(m.frameworks[id], msg.GetStatus())
		return
	}
	a := m.agents[AgentID(msg.GetSlaveId().GetValue())]
	if a == nil {
		m.stats.InvalidOperationUpdates++
		m.warn("an operation's update of an unknown agent", "agent_id", msg.GetSlaveId().GetValue())
		return
	}
	o := m.operations[string(msg.GetOperationUuid().GetValue())]
	if o == nil || o.agent != a {
		m.unknownUpdate(a, msg)
		return
	}
	m.stats.ValidOperationUpdates++
	status, latest := msg.GetStatus(), msg.LatestStatus
	if named := o.info.GetInfo().GetId(); named != nil {
		status.OperationId = named // answers to reconciliation lack it
	}
	if latest == nil {
		latest = status
	}
	latest.OperationId = status.OperationId
	m.advanceOperation(o, latest, true)
	m.reportOperation(o, status)
	m.checkDrained(a)
}

// unknownUpdate takes an update of an operation that is not known (any more). One
// with an ID is the framework's to acknowledge. Nobody waits for one without, so
// the master does that, as it did before if its acknowledgement got lost.
func (m *Machine) unknownUpdate(a *agent, msg *messages.UpdateOperationStatusMessage) {
	if msg.FrameworkId == nil && msg.GetStatus().Uuid == nil {
		return // it repeats what was settled with the agent before
	}
	m.stats.InvalidOperationUpdates++
	if ack := a.acknowledged[string(msg.GetOperationUuid().GetValue())]; ack != nil {
		m.send(a.pid, ack)
		return
	}
	if msg.GetStatus().OperationId != nil {
		m.tellOperation(m.frameworks[FrameworkID(msg.GetFrameworkId().GetValue())], msg.GetStatus())
		return
	}
	if uuid := msg.GetStatus().Uuid; uuid != nil {
		m.send(a.pid, &messages.AcknowledgeOperationStatusMessage{
			StatusUuid: uuid, OperationUuid: msg.OperationUuid, ResourceProviderId: msg.GetStatus().ResourceProviderId,
		})
	}
}

// reportOperation tells the framework of an operation what became of it, or
// acknowledges that if there is nobody to tell.
func (m *Machine) reportOperation(o *operation, status *mesos.OperationStatus) {
	id := o.frameworkID()
	last := o.info.GetStatuses()[len(o.info.GetStatuses())-1]
	waited := o.info.GetInfo().Id != nil && id != "" && !m.completed.has(id)
	if waited && o.framework != nil {
		m.tellOperation(o.framework, status)
		if settled(last.GetState()) && last.Uuid == nil {
			m.removeOperation(o) // it is not repeated, so nobody acknowledges it
		}
		return
	}
	if last.Uuid != nil {
		back := o.agent.reregistered
		if waited && !back.IsZero() && m.now.Sub(back) < orphanPatience {
			return // the framework may still come
		}
		m.acknowledgeStatus(o, last.Uuid)
	}
	if settled(last.GetState()) {
		m.removeOperation(o)
	}
}

func (m *Machine) acknowledgeStatus(o *operation, uuid *mesos.UUID) {
	m.sendAcknowledgement(o.agent, settled(o.state()), &messages.AcknowledgeOperationStatusMessage{
		StatusUuid:         uuid,
		OperationUuid:      o.info.Uuid,
		ResourceProviderId: resources.ProviderOf(o.info.GetInfo()),
	})
}

// maxAcknowledged bounds what is remembered of acknowledgements. They are of use
// for as long as messages cross.
const maxAcknowledged = 1000

// sendAcknowledgement sends an acknowledgement. One that is the last of its
// operation is remembered: an agent may list the operation once more before it
// arrives.
func (m *Machine) sendAcknowledgement(a *agent, last bool, ack *messages.AcknowledgeOperationStatusMessage) {
	m.send(a.pid, ack)
	if !last {
		return
	}
	if a.acknowledged == nil || len(a.acknowledged) >= maxAcknowledged {
		a.acknowledged = map[string]*messages.AcknowledgeOperationStatusMessage{}
	}
	a.acknowledged[string(ack.GetOperationUuid().GetValue())] = ack
}

// tellOperation sends a status to a framework that is connected over HTTP.
func (m *Machine) tellOperation(f *framework, status *mesos.OperationStatus) {
	if f == nil || !f.connected || f.conn.Stream == "" {
		m.debug("an operation's update has nobody to go to", "operation", status.GetOperationId().GetValue())
		return
	}
	m.sendEvent(f, operationEvent(status))
}

// advanceOperation takes a status over. When it settles the operation what that
// held becomes free: converted, or if the agent's total counts that already
// (counted false) as it is.
func (m *Machine) advanceOperation(o *operation, status *mesos.OperationStatus, uncounted bool) {
	was := o.state()
	latest, statuses := o.info.LatestStatus, o.info.Statuses
	if !settled(was) {
		latest = status
		m.stats.Operations.add(o.kind(), was, -1)
		m.stats.Operations.add(o.kind(), status.GetState(), 1)
	}
	if n := len(statuses); n == 0 || !proto.Equal(statuses[n-1], status) {
		statuses = append(statuses[:n:n], status)
	}
	m.changeOperation(o, latest, statuses)
	if settled(was) || !settled(status.GetState()) || o.held.IsEmpty() {
		return
	}
	if status.GetState() != mesos.OperationState_OPERATION_FINISHED {
		m.freeHeld(o)
		return
	}
	m.finishDisk(o, status, uncounted)
}

// finishDisk puts the outcome of an operation that succeeded in the place of
// what it held.
func (m *Machine) finishDisk(o *operation, status *mesos.OperationStatus, uncounted bool) {
	converted, err := read(status.GetConvertedResources())
	if err != nil {
		m.warn("an operation has an invalid outcome", "agent_id", o.agent.id, "reason", err.Error())
	}
	a, held := o.agent, o.held
	switch {
	case !uncounted && o.orphan:
		o.held = resources.Resources{} // the new total has the outcome
		return
	case !uncounted:
		m.freeHeld(o)
		return
	}
	o.held = resources.Resources{}
	if o.orphan {
		a.total = a.total.Add(converted.Unallocate())
		m.updateTotal(a)
		return
	}
	m.unuse(o.framework, a, held)
	a.total = a.total.Subtract(held.Unallocate()).Add(converted.Unallocate())
	m.touchAgent(a)
	m.emit(AllocConvert{
		Framework: o.framework.id, Agent: a.id, Conversions: []resources.Conversion{{Consumed: held, Converted: converted}},
	})
	m.recoverResources(o.framework.id, a, converted, nil)
}

// acknowledgeOperation passes a framework's acknowledgement on to the agent.
func (m *Machine) acknowledgeOperation(f *framework, call *scheduler.Call_AcknowledgeOperationStatus) {
	m.stats.Messages[MessageOperationUpdateAck]++
	a := m.agents[AgentID(call.GetAgentId().GetValue())]
	o := f.operationIDs[call.GetOperationId().GetValue()]
	problem := ""
	var acknowledged *mesos.OperationStatus
	switch {
	case a == nil || !a.connected:
		problem = "its agent is not connected"
	case call.ResourceProviderId != nil && !a.caps.resourceProvider, call.ResourceProviderId == nil && !a.caps.agentOperationFeedback:
		problem = "its agent gives no feedback of that kind"
	case o == nil || o.agent != a:
		problem = "the operation is not known"
	default:
		if acknowledged = o.statusOf(call.GetUuid()); acknowledged == nil {
			problem = "the status is not known"
		}
	}
	if problem != "" {
		m.stats.InvalidOperationUpdateAcks++
		m.warn("ignoring an acknowledgement of an operation", "framework_id", f.id, "reason", problem,
			"operation", call.GetOperationId().GetValue(), "agent_id", call.GetAgentId().GetValue())
		return
	}
	uuid := o.info.Uuid
	if settled(acknowledged.GetState()) {
		m.removeOperation(o)
	}
	m.sendAcknowledgement(a, settled(acknowledged.GetState()), &messages.AcknowledgeOperationStatusMessage{
		StatusUuid: acknowledged.Uuid, OperationUuid: uuid, ResourceProviderId: call.ResourceProviderId,
	})
	m.stats.ValidOperationUpdateAcks++
	m.checkDrained(a)
}

// statusOf finds a status by its UUID.
func (o *operation) statusOf(uuid []byte) *mesos.OperationStatus {
	for _, s := range o.info.GetStatuses() {
		if s.Uuid != nil && bytes.Equal(s.Uuid.GetValue(), uuid) {
			return s
		}
	}
	return nil
}
