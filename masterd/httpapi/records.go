package httpapi

import (
	"errors"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

// farewellTimeout is how long a subscriber that was cut off has to take what is
// being written to it.
const farewellTimeout = 5 * time.Second

// recordWriter writes a stream of records: each is one Write and one flush, so
// that it is one chunk on the wire.
type recordWriter struct {
	w           http.ResponseWriter
	control     *http.ResponseController
	contentType string
	payload     []byte
	record      []byte
}

// newRecordWriter sends the headers.
func newRecordWriter(w http.ResponseWriter, contentType string) *recordWriter {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	out := &recordWriter{w: w, control: http.NewResponseController(w), contentType: contentType}
	_ = out.control.Flush() // an error comes again with the first record
	return out
}

func (out *recordWriter) message(m proto.Message) error {
	var err error
	if out.payload, err = codec.Append(out.payload[:0], out.contentType, m); err != nil {
		return err
	}
	out.record = recordio.AppendRecord(out.record[:0], out.payload)
	return out.framed(out.record)
}

// framed writes a record that has its frame.
func (out *recordWriter) framed(record []byte) error {
	if _, err := out.w.Write(record); err != nil {
		return err
	}
	return out.control.Flush()
}

// watch frees a write that hangs because the client doesn't read, once its
// subscription was cut off for that. The returned function ends the watch.
func (out *recordWriter) watch(reason func() error, ended <-chan struct{}) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
			return
		case <-ended:
		}
		if !errors.Is(reason(), engine.ErrTooSlow) {
			return
		}
		select {
		case <-done:
		case <-time.After(farewellTimeout):
			_ = out.control.SetWriteDeadline(time.Now()) // unsupported: then the server's own bound has to do
		}
	}()
	return func() { close(done) }
}
