package httpapi

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// streamHeader names the stream of a subscription, in both directions.
const streamHeader = "Mesos-Stream-Id"

// serveScheduler answers POST /api/v1/scheduler.
func (a *API) serveScheduler(w http.ResponseWriter, r *http.Request, principal string) {
	e := a.leading(w, r)
	if e == nil {
		return
	}
	call := &scheduler.Call{}
	if !readCall(w, r, call) {
		return
	}
	contentType := ""
	switch call.GetType() {
	case scheduler.Call_SUBSCRIBE, scheduler.Call_RECONCILE_OPERATIONS:
		// The other calls have no answer to negotiate about.
		var ok bool
		if contentType, ok = accepted(w, r); !ok {
			return
		}
	}
	stream := state.StreamID(r.Header.Get(streamHeader))
	if call.GetType() == scheduler.Call_SUBSCRIBE {
		if has(r.Header, streamHeader) {
			text(w, http.StatusBadRequest, "Subscribe calls should not include the '"+streamHeader+"' header")
			return
		}
		stream = state.StreamID(uuid.NewString())
	}
	answer, err := e.Scheduler(r.Context(), principal, stream, call)
	switch {
	case err != nil:
		a.failed(w, r, err)
	case answer.Stream != nil:
		a.streamEvents(w, r, contentType, answer.Stream)
	default:
		a.reply(w, contentType, answer.Reply)
	}
}

// streamEvents writes a framework's events until its stream ends or the client
// is gone.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request, contentType string, s *engine.Stream) {
	defer s.Close()
	w.Header().Set(streamHeader, string(s.ID))
	out := newRecordWriter(w, contentType)
	defer out.watch(s.Reason, s.Ended())()
	for {
		events, err := s.Next(r.Context())
		for _, event := range events {
			if out.message(event) != nil {
				return
			}
		}
		if err == nil {
			continue
		}
		if reason := farewell(err); reason != "" {
			// The last record: if it doesn't arrive, the end of the stream does.
			_ = out.message(&scheduler.Event{
				Type:  scheduler.Event_ERROR.Enum(),
				Error: &scheduler.Event_Error{Message: &reason},
			})
		}
		return
	}
}

// farewell is what a framework is told before its stream ends for a reason that
// is not of its own making. After a change of leader it just subscribes again.
func farewell(err error) string {
	if errors.Is(err, engine.ErrTooSlow) {
		return "The scheduler reads its events too slowly: too many wait for it"
	}
	return ""
}
