package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// This file and driver_messages.go are the dialect of native drivers: what
// they say is turned into calls, and events into what they understand.

// driverCall does what a driver asks for with mesos.scheduler.Call. There is
// no answer: what can't be done is dropped, or told by an error that makes the
// driver abort.
func (m *Machine) driverCall(in PeerMessage, c *v0.Call) {
	call := v1Call(c)
	if err := validateCall(call, ""); err != nil {
		m.countInvalid(call.GetType())
		m.warn("dropping an invalid call of a driver", "from", in.From, "reason", err.Error())
		return
	}
	if c.GetType() == scheduler.Call_SUBSCRIBE {
		s := c.GetSubscribe()
		m.subscribe(subscription{
			conn:        Connection{PID: in.From},
			principal:   in.Principal,
			info:        s.GetFrameworkInfo(),
			constraints: s.GetOfferConstraints(),
			force:       s.GetForce(),
		}, s.GetSuppressedRoles())
		return
	}
	f := m.driver(in, call.GetFrameworkId())
	if f == nil {
		return
	}
	f.countCall(call.GetType())
	if !f.connected {
		// The link broke and the driver did not notice. This makes it abort
		// rather than wait for ever.
		m.send(in.From, frameworkError("Framework disconnected"))
		return
	}
	switch call.GetType() {
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS, scheduler.Call_RECONCILE_OPERATIONS:
		m.warn("dropping a call that drivers can't make", "framework_id", f.id, "call", call.GetType().String())
	case scheduler.Call_UPDATE_FRAMEWORK:
		if err := m.callUpdateFramework(f, call.GetUpdateFramework()); err != nil {
			m.send(in.From, frameworkError(err.Error()))
		}
	default:
		m.call(f, call)
	}
}

// v1Call is a driver's call in the form of the v1 API; SUBSCRIBE is told apart
// before.
func v1Call(c *v0.Call) *scheduler.Call {
	call := &scheduler.Call{
		FrameworkId:          c.FrameworkId,
		Type:                 c.Type,
		Accept:               c.Accept,
		Decline:              c.Decline,
		Kill:                 c.Kill,
		Shutdown:             c.Shutdown,
		Acknowledge:          c.Acknowledge,
		Reconcile:            c.Reconcile,
		Message:              c.Message,
		Request:              c.Request,
		AcceptInverseOffers:  c.AcceptInverseOffers,
		DeclineInverseOffers: c.DeclineInverseOffers,
		Revive:               c.Revive,
		Suppress:             c.Suppress,

		AcknowledgeOperationStatus: c.AcknowledgeOperationStatus,
		ReconcileOperations:        c.ReconcileOperations,
		UpdateFramework:            c.UpdateFramework,
	}
	if s := c.Subscribe; s != nil {
		call.Subscribe = &scheduler.Call_Subscribe{
			FrameworkInfo:    s.FrameworkInfo,
			SuppressedRoles:  s.SuppressedRoles,
			OfferConstraints: s.OfferConstraints,
		}
	}
	return call
}

// driver returns the framework that a driver speaks for, nil if it speaks for
// none.
func (m *Machine) driver(in PeerMessage, id *mesos.FrameworkID) *framework {
	f := m.frameworks[FrameworkID(id.GetValue())]
	if f == nil || f.conn.PID != in.From {
		m.warn("dropping a message for a framework that is unknown or not the sender's",
			"from", in.From, "framework_id", id.GetValue(), "message", messageName(in.Message))
		return nil
	}
	return f
}

// peerExited deals with the end of the connection to a driver or an agent.
func (m *Machine) peerExited(pid PID) {
	if f := m.byPID[pid]; f != nil {
		// In case it was only the connection that ended.
		m.sendEvent(f, errorEvent("Framework disconnected"))
		m.disconnected(f)
		return
	}
	if a := m.agentsByPID[pid]; a != nil {
		m.agentExited(a)
	}
}

// tellDriverSubscribed answers a driver's subscription.
func (m *Machine) tellDriverSubscribed(f *framework, again bool) {
	var msg proto.Message = &messages.FrameworkRegisteredMessage{FrameworkId: f.protoID, MasterInfo: m.cfg.Master}
	if again {
		msg = &messages.FrameworkReregisteredMessage{FrameworkId: f.protoID, MasterInfo: m.cfg.Master}
	}
	m.send(f.conn.PID, msg)
}

// tellDriver sends an event as the message that a driver has for it. Events
// that it has none for are those it did not ask for.
func (m *Machine) tellDriver(f *framework, e *scheduler.Event) {
	if msg := m.driverMessageOf(f, e); msg != nil {
		m.send(f.conn.PID, msg)
	}
}

func (m *Machine) driverMessageOf(f *framework, e *scheduler.Event) proto.Message {
	switch e.GetType() {
	case scheduler.Event_OFFERS:
		return m.driverOffers(e.GetOffers().GetOffers())
	case scheduler.Event_RESCIND:
		return &messages.RescindResourceOfferMessage{OfferId: e.GetRescind().GetOfferId()}
	case scheduler.Event_INVERSE_OFFERS:
		return m.driverInverseOffers(e.GetInverseOffers().GetInverseOffers())
	case scheduler.Event_RESCIND_INVERSE_OFFER:
		return &messages.RescindInverseOfferMessage{InverseOfferId: e.GetRescindInverseOffer().GetInverseOfferId()}
	case scheduler.Event_UPDATE:
		return m.driverUpdate(f, e.GetUpdate().GetStatus())
	case scheduler.Event_MESSAGE:
		msg := e.GetMessage()
		return &messages.ExecutorToFrameworkMessage{
			SlaveId: msg.AgentId, FrameworkId: f.protoID, ExecutorId: msg.ExecutorId, Data: msg.Data,
		}
	case scheduler.Event_FAILURE:
		failure := e.GetFailure()
		if failure.ExecutorId == nil {
			return &messages.LostSlaveMessage{SlaveId: failure.AgentId}
		}
		return &messages.ExitedExecutorMessage{
			SlaveId: failure.AgentId, FrameworkId: f.protoID, ExecutorId: failure.ExecutorId, Status: failure.Status,
		}
	case scheduler.Event_ERROR:
		return frameworkError(e.GetError().GetMessage())
	}
	return nil
}

// driverOffers adds the agents' PIDs, to which drivers send messages for
// executors.
func (m *Machine) driverOffers(offers []*mesos.Offer) proto.Message {
	msg := &messages.ResourceOffersMessage{Offers: offers, Pids: make([]string, len(offers))}
	for i, o := range offers {
		if a := m.agents[AgentID(o.GetAgentId().GetValue())]; a != nil {
			msg.Pids[i] = string(a.pid)
		}
	}
	return msg
}

// driverInverseOffers is what Mesos sends to drivers, of which libmesos has no
// use for it.
func (m *Machine) driverInverseOffers(offers []*mesos.InverseOffer) proto.Message {
	msg := &messages.InverseOffersMessage{InverseOffers: offers, Pids: make([]string, len(offers))}
	for i, o := range offers {
		if a := m.agents[AgentID(o.GetAgentId().GetValue())]; a != nil {
			msg.Pids[i] = string(a.pid)
		}
	}
	return msg
}

// driverUpdate wraps a status. A driver acknowledges updates that come with a
// UUID and the PID of an agent.
func (m *Machine) driverUpdate(f *framework, s *mesos.TaskStatus) proto.Message {
	msg := &messages.StatusUpdateMessage{Update: &messages.StatusUpdate{
		FrameworkId: f.protoID,
		ExecutorId:  s.ExecutorId,
		SlaveId:     s.AgentId,
		Status:      s,
		Timestamp:   s.Timestamp,
		Uuid:        s.Uuid,
	}}
	if a := m.agents[AgentID(s.GetAgentId().GetValue())]; a != nil && len(s.Uuid) > 0 {
		msg.Pid = new(string(a.pid))
	}
	return msg
}
