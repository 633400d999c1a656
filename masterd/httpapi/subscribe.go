package httpapi

import (
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// heartbeatSeconds is told to subscribers: the interval of the engine's
// heartbeats, which Mesos has no flag for.
const heartbeatSeconds = 15

// subscribe answers SUBSCRIBE of the operator API with the stream of events.
func (a *API) subscribe(c *operatorCall) {
	s, err := c.engine.Subscribe(c.r.Context(), c.contentType)
	if err != nil {
		a.failed(c.w, c.r, err)
		return
	}
	defer s.Close()
	out := newRecordWriter(c.w, c.contentType)
	defer out.watch(s.Reason, s.Ended())()
	see := a.visibleTo(c.principal)
	if err := out.greet(see.of(s.View), see); err != nil {
		return
	}
	s.View = nil // it may be large, and the stream lasts
	for {
		records, err := s.Next(c.r.Context())
		for _, record := range records {
			if out.framed(record) != nil {
				return
			}
		}
		if err != nil {
			if reason := farewell(err); reason != "" {
				a.cfg.Log.Info("a subscriber of the operator API was cut off", "remote", c.r.RemoteAddr, "reason", reason)
			}
			return
		}
	}
}

// Fields of the first event.
var (
	eventType         = named(&mesosmaster.Event{}, "type")
	subscribedField   = named(&mesosmaster.Event{}, "subscribed")
	subscribedState   = named(&mesosmaster.Event_Subscribed{}, "get_state")
	heartbeatInterval = named(&mesosmaster.Event_Subscribed{}, "heartbeat_interval_seconds")
)

// subscribedEvent is SUBSCRIBED: everything there is.
func subscribedEvent(contentType string, v *state.View, see visible) *body {
	return compose(contentType,
		name{eventType, mesosmaster.Event_SUBSCRIBED.String(), mesosmaster.Event_SUBSCRIBED.Number()},
		nested{subscribedField, []part{stateAs(subscribedState, v, see), double{heartbeatInterval, heartbeatSeconds}}})
}

// greet sends SUBSCRIBED and the first HEARTBEAT.
func (out *recordWriter) greet(v *state.View, see visible) error {
	payload := subscribedEvent(out.contentType, v, see).bytes()
	if err := out.framed(recordio.AppendRecord(nil, payload)); err != nil {
		return err
	}
	return out.message(&mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()})
}
