package state

import (
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// subscription is a SUBSCRIBE of either dialect.
type subscription struct {
	conn      Connection
	principal string
	info      *mesos.FrameworkInfo
	// suppressed are the roles that want no offers.
	suppressed  map[string]bool
	constraints *scheduler.OfferConstraints
	// force lets a driver at a new PID take over; v1 streams always may.
	force bool
}

// subscribeHTTP opens the stream, on which a refusal is told as well.
func (m *Machine) subscribeHTTP(in SchedulerCall) {
	sub := in.Call.GetSubscribe()
	m.emit(OpenStream{Reply: in.Reply, Stream: in.Stream})
	m.subscribe(subscription{
		conn:        Connection{Stream: in.Stream},
		principal:   in.Principal,
		info:        sub.GetFrameworkInfo(),
		constraints: sub.GetOfferConstraints(),
		force:       true,
	}, sub.GetSuppressedRoles())
}

func (m *Machine) subscribe(s subscription, suppressed []string) {
	if s.info.GetId().GetValue() == "" {
		m.stats.Messages[MessageRegisterFramework]++
	} else {
		m.stats.Messages[MessageReregisterFramework]++
	}
	if s.info.Principal == nil && s.principal != "" {
		s.info.Principal = &s.principal
	}
	if err := m.checkSubscription(&s, suppressed); err != nil {
		m.refuseSubscription(s, err)
		return
	}
	if s.info.GetId().GetValue() == "" {
		m.subscribeNew(s)
	} else {
		m.resubscribe(s)
	}
}

// checkSubscription holds a SUBSCRIBE against what needs no knowledge of the
// framework's past.
func (m *Machine) checkSubscription(s *subscription, suppressed []string) error {
	if err := m.validateFramework(s.info); err != nil {
		return err
	}
	if s.conn.PID != "" {
		if err := m.validateDriver(s); err != nil {
			return err
		}
	}
	var err error
	s.suppressed, err = validateSuppressed(rolesOf(s.info), suppressed)
	if err != nil {
		return err
	}
	if err := m.validateConstraints(rolesOf(s.info), s.constraints); err != nil {
		return err
	}
	return m.mayHaveRoles(s.info)
}

// refuseSubscription tells a scheduler why it may not subscribe, and ends its
// stream.
func (m *Machine) refuseSubscription(s subscription, reason error) {
	m.warn("refusing a subscription", "name", s.info.GetName(), "framework_id", s.info.GetId().GetValue(),
		"pid", s.conn.PID, "reason", reason.Error())
	m.tellError(s.conn, reason.Error())
	if s.conn.Stream != "" {
		m.emit(CloseStream{Stream: s.conn.Stream})
	}
}

// subscribeNew subscribes a framework for the first time.
func (m *Machine) subscribeNew(s subscription) {
	if f := m.byPID[s.conn.PID]; s.conn.PID != "" && f != nil {
		// A driver repeats itself until it gets an answer.
		m.sendSubscribed(f, false)
		return
	}
	id := fmt.Sprintf("%s-%04d", m.cfg.Master.GetId(), m.nextFramework)
	m.nextFramework++
	s.info.Id = &mesos.FrameworkID{Value: &id}
	f := &framework{id: FrameworkID(id), active: true, registered: m.now, reregistered: m.now}
	f.setInfo(s.info)
	f.suppressed, f.constraints = s.suppressed, s.constraints
	m.addFramework(f)
	m.connect(f, s.conn)
	f.stats.Calls[scheduler.Call_SUBSCRIBE]++
	m.info("subscribed a framework", "framework_id", f.id, "name", s.info.GetName(), "roles", f.roles, "pid", s.conn.PID)
	m.sendSubscribed(f, false)
	m.publishFrameworkAdded(f)
}

// resubscribe subscribes a framework that has an ID from this master or from
// an earlier one.
func (m *Machine) resubscribe(s subscription) {
	id := FrameworkID(s.info.GetId().GetValue())
	if other := m.byPID[s.conn.PID]; s.conn.PID != "" && other != nil && other.id != id {
		// An answer would reach the framework that is connected there.
		m.warn("a driver subscribed as another framework", "pid", s.conn.PID, "framework_id", id, "connected", other.id)
		return
	}
	f := m.frameworks[id]
	if f == nil {
		f = m.recoverFramework(s.info)
	}
	keepImmutable(f.info, s.info)
	if err := validateUpdate(f.info, s.info); err != nil {
		m.refuseSubscription(s, err)
		return
	}
	if !f.recovered && s.conn.PID != "" && f.conn.PID != s.conn.PID && !s.force {
		m.refuseSubscription(s, errFailedOver)
		return
	}
	f.stats.Calls[scheduler.Call_SUBSCRIBE]++
	m.updateFramework(f, s)
	switch {
	case f.recovered:
		m.firstSubscription(f, s.conn)
	case s.conn.PID != "" && !s.force:
		m.repeatSubscription(f, s.conn)
	default:
		m.failover(f, s.conn)
	}
	m.broadcastFramework(f)
}

// firstSubscription connects a framework that earlier masters knew.
func (m *Machine) firstSubscription(f *framework, c Connection) {
	f.registered, f.reregistered = m.now, m.now
	m.connect(f, c)
	m.activate(f)
	m.info("a framework came back", "framework_id", f.id, "pid", c.PID)
	m.sendSubscribed(f, false)
}

// repeatSubscription connects a driver that kept its PID. Its answers to
// offers may have been dropped meanwhile, so these are taken back.
func (m *Machine) repeatSubscription(f *framework, c Connection) {
	f.reregistered = m.now
	for o := range f.offers.all() {
		m.rescind(o)
	}
	for o := range f.inverse.all() {
		m.rescindInverse(o)
	}
	m.connect(f, c)
	m.activate(f)
	m.sendSubscribed(f, true)
}

// failover hands a framework over to another scheduler, or to another stream
// of the same.
func (m *Machine) failover(f *framework, c Connection) {
	f.reregistered = m.now
	if f.connected && (c.Stream != "" || f.conn.PID != c.PID) {
		m.sendEvent(f, errorEvent(errFailedOver.Error()))
	}
	for o := range f.offers.all() {
		m.discard(o, nil)
	}
	for o := range f.inverse.all() {
		m.discardInverse(o, nil)
	}
	m.connect(f, c)
	m.activate(f)
	m.info("a framework failed over", "framework_id", f.id, "pid", c.PID)
	m.sendSubscribed(f, false)
}

// heartbeat sends the next HEARTBEAT of a stream.
func (m *Machine) heartbeat(id StreamID) {
	if f := m.byStream[id]; f != nil {
		m.sendEvent(f, &scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()})
		m.arm(Timer{TimerHeartbeat, string(id)}, m.cfg.HeartbeatInterval)
	}
}
