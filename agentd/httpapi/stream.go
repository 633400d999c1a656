package httpapi

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/engine"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// stream writes the events of an executor or resource provider until either side
// ends it. Without an event for it there is no heartbeat.
func (a *API) stream(w http.ResponseWriter, r *http.Request, contentType string, s *engine.Stream, beat proto.Message) {
	defer a.cfg.Engine.Hangup(s)
	out := newRecordWriter(w, contentType)
	heartbeat := &time.Ticker{}
	if beat != nil {
		heartbeat = time.NewTicker(a.cfg.Heartbeat)
		defer heartbeat.Stop()
	}
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-heartbeat.C:
			err = out.write(beat)
		case e, ok := <-s.Events():
			if !ok {
				return
			}
			err = out.write(e)
		}
		if err != nil {
			a.cfg.Log.V(1).Info("stream ended", "reason", err.Error())
			return
		}
	}
}

// recordWriter writes a stream of records: each is one Write and one flush, so
// that it is one chunk on the wire.
type recordWriter struct {
	w               http.ResponseWriter
	control         *http.ResponseController
	contentType     string
	payload, record []byte
}

// newRecordWriter sends the headers.
func newRecordWriter(w http.ResponseWriter, contentType string) *recordWriter {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	out := &recordWriter{w: w, control: http.NewResponseController(w), contentType: contentType}
	_ = out.control.Flush() // an error comes again with the first record
	return out
}

func (out *recordWriter) write(m proto.Message) error {
	var err error
	if out.payload, err = codec.Append(out.payload[:0], out.contentType, m); err != nil {
		return err
	}
	out.record = recordio.AppendRecord(out.record[:0], out.payload)
	if _, err := out.w.Write(out.record); err != nil {
		return err
	}
	return out.control.Flush()
}
