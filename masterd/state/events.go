package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// sendEvent tells a framework something, in its dialect. One that is not
// connected misses it.
func (m *Machine) sendEvent(f *framework, e *scheduler.Event) {
	if !f.connected {
		return
	}
	if t := e.GetType(); int(t) < len(f.stats.Events) {
		f.stats.Events[t]++
		m.touchFramework(f)
	}
	if f.conn.Stream != "" {
		m.emit(SendEvent{Stream: f.conn.Stream, Event: e})
		return
	}
	m.tellDriver(f, e)
}

// sendSubscribed tells a framework that it is subscribed. On a stream the
// first heartbeat follows at once: clients that read record by record wait for
// the next length before they hand on what they have.
func (m *Machine) sendSubscribed(f *framework, again bool) {
	if f.conn.PID != "" {
		f.stats.Events[scheduler.Event_SUBSCRIBED]++
		m.tellDriverSubscribed(f, again)
		return
	}
	m.sendEvent(f, &scheduler.Event{
		Type: scheduler.Event_SUBSCRIBED.Enum(),
		Subscribed: &scheduler.Event_Subscribed{
			FrameworkId:              f.protoID,
			HeartbeatIntervalSeconds: new(m.cfg.HeartbeatInterval.Seconds()),
			MasterInfo:               m.cfg.Master,
		},
	})
	m.heartbeat(f.conn.Stream)
}

// tellError sends an ERROR to a connection that no framework is bound to.
func (m *Machine) tellError(c Connection, text string) {
	if c.Stream != "" {
		m.emit(SendEvent{Stream: c.Stream, Event: errorEvent(text)})
	} else {
		m.send(c.PID, frameworkError(text))
	}
}

func errorEvent(text string) *scheduler.Event {
	return &scheduler.Event{
		Type:  scheduler.Event_ERROR.Enum(),
		Error: &scheduler.Event_Error{Message: &text},
	}
}

func updateEvent(status *mesos.TaskStatus) *scheduler.Event {
	return &scheduler.Event{
		Type:   scheduler.Event_UPDATE.Enum(),
		Update: &scheduler.Event_Update{Status: status},
	}
}

func rescindEvent(id *mesos.OfferID) *scheduler.Event {
	return &scheduler.Event{
		Type:    scheduler.Event_RESCIND.Enum(),
		Rescind: &scheduler.Event_Rescind{OfferId: id},
	}
}

// tellLost tells every connected framework that an agent is lost.
func (m *Machine) tellLost(id *mesos.AgentID) {
	e := &scheduler.Event{
		Type:    scheduler.Event_FAILURE.Enum(),
		Failure: &scheduler.Event_Failure{AgentId: id},
	}
	for f := range m.frameworkList.all() {
		m.sendEvent(f, e)
	}
}
