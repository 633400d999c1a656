package httpapi

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

// eventStream is the answer to SUBSCRIBE of the operator API. Each record must
// be a chunk of its own, and http.ResponseWriter makes a chunk end by a flush:
// a system call for each event and subscriber. So the stream takes the
// connection over, if it can, and writes many chunks at once.
type eventStream struct {
	contentType string
	conn        net.Conn // nil: w has to do
	plain       *recordWriter
	gone        context.CancelFunc
	ending      sync.Once
}

// openEventStream sends the headers. The context ends when the client leaves.
func openEventStream(w http.ResponseWriter, r *http.Request, contentType string) (*eventStream, context.Context, error) {
	ctx, cancel := context.WithCancel(r.Context())
	s := &eventStream{contentType: contentType, gone: cancel}
	if r.ProtoMajor == 1 && r.ProtoMinor == 1 {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			s.conn = conn
			go s.listen(cancel)
			return s, ctx, s.head(w.Header(), r.Close)
		}
	}
	s.plain = newRecordWriter(w, contentType)
	return s, ctx, nil
}

// head writes what http.ResponseWriter would have written.
func (s *eventStream) head(h http.Header, closes bool) error {
	h.Set("Content-Type", s.contentType)
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if closes {
		h.Set("Connection", "close")
	}
	if _, err := io.WriteString(s.conn, "HTTP/1.1 200 OK\r\n"); err != nil {
		return err
	}
	if err := h.Write(s.conn); err != nil {
		return err
	}
	_, err := io.WriteString(s.conn, "\r\n")
	return err
}

// listen waits for the client to leave. It has nothing to say.
func (s *eventStream) listen(gone context.CancelFunc) {
	defer gone()
	_, _ = io.Copy(io.Discard, s.conn)
}

// whole writes an event of any length.
func (s *eventStream) whole(b *body) error {
	if s.conn == nil {
		return s.plain.framed(recordio.AppendRecord(nil, b.bytes()))
	}
	length := strconv.Itoa(b.size) + "\n"
	if _, err := fmt.Fprintf(s.conn, "%x\r\n%s", len(length)+b.size, length); err != nil {
		return err
	}
	if _, err := io.Copy(s.conn, b.reader()); err != nil {
		return err
	}
	_, err := io.WriteString(s.conn, "\r\n")
	return err
}

// message writes an event.
func (s *eventStream) message(m proto.Message) error {
	payload, err := codec.Marshal(s.contentType, m)
	if err != nil {
		return err
	}
	if s.conn == nil {
		return s.plain.framed(recordio.AppendRecord(nil, payload))
	}
	_, err = s.conn.Write(recordio.AppendChunk(nil, payload))
	return err
}

// batch writes events as they are.
func (s *eventStream) batch(b engine.Batch) error {
	if conn, ok := s.conn.(httpserver.SharedWriter); ok {
		return conn.WriteShared(httpserver.Shared{Bytes: b.Chunks, File: b.File, Offset: b.Offset})
	}
	if s.conn != nil {
		_, err := s.conn.Write(b.Chunks)
		return err
	}
	for _, record := range b.All() {
		if err := s.plain.framed(record); err != nil {
			return err
		}
	}
	return nil
}

// abort frees a write that hangs because the client doesn't read.
func (s *eventStream) abort() {
	if s.conn != nil {
		s.conn.Close()
		return
	}
	_ = s.plain.control.SetWriteDeadline(time.Now()) // unsupported: then the server's own bound has to do
}

// end ends the answer.
func (s *eventStream) end() {
	s.ending.Do(func() {
		s.gone()
		if s.conn != nil {
			_, _ = io.WriteString(s.conn, "0\r\n\r\n") // an error means that the client is gone
			s.conn.Close()
		}
	})
}
