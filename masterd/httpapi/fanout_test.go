package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

// eventReader is a subscriber of events that looks at the chunks.
type eventReader struct {
	conn        net.Conn
	in          *bufio.Reader
	contentType string
}

func (m *master) watch(contentType string) *eventReader {
	m.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(3 * patience))
	_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10) // what isn't read waits at the master
	const call = `{"type":"SUBSCRIBE"}`
	if _, err := fmt.Fprintf(conn, "POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n%s",
		contentType, len(call), call); err != nil {
		m.t.Fatal(err)
	}
	r := &eventReader{conn, bufio.NewReader(conn), contentType}
	for line := ""; line != "\r\n"; {
		if line, err = r.in.ReadString('\n'); err != nil {
			m.t.Fatal(err)
		}
	}
	return r
}

// next reads a chunk, which must be one record.
func (r *eventReader) next() (*mesosmaster.Event, error) {
	var length int
	if _, err := fmt.Fscanf(r.in, "%x\r\n", &length); err != nil {
		return nil, fmt.Errorf("the head of a chunk: %w", err)
	}
	chunk := make([]byte, length+len("\r\n"))
	if _, err := io.ReadFull(r.in, chunk); err != nil {
		return nil, err
	}
	records := recordio.NewReader(bytes.NewReader(chunk[:length]), length)
	payload, err := records.Next()
	if err != nil {
		return nil, err
	}
	event := &mesosmaster.Event{}
	if err := codec.Unmarshal(r.contentType, payload, event); err != nil {
		return nil, err
	}
	if _, err := records.Next(); err != io.EOF || string(chunk[length:]) != "\r\n" {
		return nil, fmt.Errorf("a chunk isn't one record: %w", err)
	}
	return event, nil
}

// frameworks reads SUBSCRIBED and then FRAMEWORK_ADDED until that of the last
// one: none may be missing, twice, or in the wrong order.
func (r *eventReader) frameworks(count int) error {
	known := -1 // the events before
	for known < count {
		e, err := r.next()
		if err != nil {
			return fmt.Errorf("after %d frameworks: %w", known, err)
		}
		switch e.GetType() {
		case mesosmaster.Event_SUBSCRIBED:
			if known >= 0 {
				return fmt.Errorf("subscribed again after %d frameworks", known)
			}
			known = len(e.GetSubscribed().GetGetState().GetGetFrameworks().GetFrameworks())
		case mesosmaster.Event_FRAMEWORK_ADDED:
			if name := e.GetFrameworkAdded().GetFramework().GetFrameworkInfo().GetName(); name != fmt.Sprint(known) {
				return fmt.Errorf("framework %s was added after %d frameworks", name, known)
			}
			known++
		}
	}
	return nil
}

// Subscribers that read at once, that read only when everything has happened and
// more waits than their connections hold, and that come meanwhile: each gets
// everything from its snapshot on, in both content types.
func TestSubscribersOfAnySpeed(t *testing.T) {
	const count = 60
	m := start(t, options{})
	var work sync.WaitGroup
	late := make(chan struct{})
	for i := range count {
		if i%20 == 0 {
			for n, contentType := range []string{codec.JSON, codec.Protobuf, codec.JSON, codec.Protobuf} {
				r := m.watch(contentType)
				work.Go(func() {
					if n >= 2 {
						<-late
					}
					if err := r.frameworks(count); err != nil {
						t.Errorf("%s, from framework %d on, late %v: %v", contentType, i, n >= 2, err)
					}
				})
			}
		}
		m.subscribe(&mesos.FrameworkInfo{User: new("u"), Name: new(fmt.Sprint(i)), Labels: &mesos.Labels{
			Labels: []*mesos.Label{{Key: new("k"), Value: new(strings.Repeat("x", 200<<10))}},
		}})
	}
	close(late)
	work.Wait()
}
