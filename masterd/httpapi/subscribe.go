package httpapi

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
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

// greet sends SUBSCRIBED, with everything there is, and the first HEARTBEAT.
func (out *recordWriter) greet(v *state.View, see visible) error {
	var payload []byte
	if out.contentType == codec.JSON {
		payload = appendTyped(nil, "SUBSCRIBED", "subscribed", func(b []byte) []byte {
			start := len(b)
			b = appendGetState(key(b, "get_state"), v, see)
			b = doubleMember(b, "heartbeat_interval_seconds", heartbeatSeconds)
			return mesosjson.CloseObject(b, start)
		})
	} else {
		var err error
		if payload, err = codec.Marshal(out.contentType, &mesosmaster.Event{
			Type: mesosmaster.Event_SUBSCRIBED.Enum(),
			Subscribed: &mesosmaster.Event_Subscribed{
				GetState: getState(v, see), HeartbeatIntervalSeconds: new(float64(heartbeatSeconds)),
			},
		}); err != nil {
			return fmt.Errorf("encoding the snapshot: %w", err)
		}
	}
	if err := out.framed(recordio.AppendRecord(nil, payload)); err != nil {
		return err
	}
	return out.message(&mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()})
}
