package testbed

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Stream is an answer of records, collected as they arrive.
type Stream struct {
	// Header is that of the answer.
	Header http.Header

	t        testing.TB
	cancel   context.CancelFunc
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced with every record, and at the end
	events   []Value
	taken    []bool
	arrivals []time.Time
	ended    bool
	err      error
}

// OpenStream posts a call whose answer is a stream. If the status isn't 200, the
// answer is returned instead.
func OpenStream(t testing.TB, url string, header http.Header, body []byte, decode func([]byte) (Value, error)) (*Stream, Answer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("making a request: %v", err)
	}
	request.Header = header
	// A connection of its own, which ends with the stream.
	transport := trusting()
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("POST %s: %v", url, err)
	}
	if response.StatusCode != http.StatusOK {
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body) // what there is of it goes into a failure
		return nil, Answer{Status: response.StatusCode, Header: response.Header, Body: text}
	}
	s := &Stream{Header: response.Header, t: t, cancel: cancel, changed: make(chan struct{})}
	go s.read(response.Body, decode)
	return s, Answer{Status: response.StatusCode, Header: response.Header}
}

// read takes records apart: the length in decimals, a newline, the payload.
func (s *Stream) read(body io.ReadCloser, decode func([]byte) (Value, error)) {
	defer func() { _ = body.Close() }()
	in := bufio.NewReader(body)
	for {
		event, err := readRecord(in, decode)
		s.mu.Lock()
		if err != nil {
			s.ended, s.err = true, err
		} else {
			s.events = append(s.events, event)
			s.taken = append(s.taken, false)
			s.arrivals = append(s.arrivals, time.Now())
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func readRecord(in *bufio.Reader, decode func([]byte) (Value, error)) (Value, error) {
	head, err := in.ReadString('\n')
	if err != nil {
		return Value{}, err
	}
	length, err := strconv.Atoi(strings.TrimSuffix(head, "\n"))
	if err != nil {
		return Value{}, fmt.Errorf("length of a record: %w", err)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(in, payload); err != nil {
		return Value{}, fmt.Errorf("record of %d bytes: %w", length, err)
	}
	return decode(payload)
}

// Close hangs up.
func (s *Stream) Close() { s.cancel() }

// Events returns all that has arrived, whether it was taken or not.
func (s *Stream) Events() []Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Value(nil), s.events...)
}

// Arrival is an event and when it came.
type Arrival struct {
	Event Value
	At    time.Time
}

// After returns what has come after the first n events, and waits until there is
// something. It is for who reads everything in order; it takes nothing.
func (s *Stream) After(n int) []Arrival {
	s.t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		var out []Arrival
		for i := n; i < len(s.events); i++ {
			out = append(out, Arrival{s.events[i], s.arrivals[i]})
		}
		changed, ended := s.changed, s.ended
		s.mu.Unlock()
		if len(out) > 0 {
			return out
		}
		if ended {
			s.t.Fatal("the stream has ended")
		}
		select {
		case <-changed:
		case <-timeout.C:
			s.t.Fatal("nothing comes any more")
		}
	}
}

// Await takes the first event that matches, from those that have arrived and
// weren't taken, or waits for it.
func (s *Stream) Await(what string, match func(Value) bool) Value {
	s.t.Helper()
	event, _ := s.AwaitWithin(Patience, what, match)
	return event
}

// AwaitWithin is Await with a limit of time of its own; arrived is when the
// event came.
func (s *Stream) AwaitWithin(limit time.Duration, what string, match func(Value) bool) (event Value, arrived time.Time) {
	s.t.Helper()
	event, arrived, ok := s.poll(limit, match)
	if !ok {
		s.t.Fatalf("waiting for %s; the stream: %s", what, s.summary())
	}
	return event, arrived
}

// Never fails if a matching event is there or comes within the time.
func (s *Stream) Never(limit time.Duration, what string, match func(Value) bool) {
	s.t.Helper()
	if event, _, ok := s.poll(limit, match); ok {
		s.t.Fatalf("%s: %v", what, event)
	}
}

func (s *Stream) poll(limit time.Duration, match func(Value) bool) (event Value, arrived time.Time, ok bool) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for from := 0; ; {
		s.mu.Lock()
		for ; from < len(s.events); from++ {
			if !s.taken[from] && match(s.events[from]) {
				s.taken[from] = true
				event, arrived = s.events[from], s.arrivals[from]
				s.mu.Unlock()
				return event, arrived, true
			}
		}
		changed, ended := s.changed, s.ended
		s.mu.Unlock()
		if ended {
			return Value{}, time.Time{}, false
		}
		select {
		case <-changed:
		case <-timeout.C:
			return Value{}, time.Time{}, false
		}
	}
}

// AwaitEnd waits until the server ends the stream.
func (s *Stream) AwaitEnd() {
	s.t.Helper()
	timeout := time.After(Patience)
	for {
		s.mu.Lock()
		changed, ended := s.changed, s.ended
		s.mu.Unlock()
		if ended {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			s.t.Fatalf("the stream doesn't end: %s", s.summary())
		}
	}
}

// Open says whether the stream goes on.
func (s *Stream) Open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended
}

// summary is the events in a form for failures.
func (s *Stream) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out strings.Builder
	for i, event := range s.events {
		mark := ""
		if s.taken[i] {
			mark = " (taken)"
		}
		fmt.Fprintf(&out, "\n  %.300s%s", event, mark)
	}
	if s.ended {
		fmt.Fprintf(&out, "\n  end: %v", s.err)
	}
	return out.String()
}

// Type matches events of a type.
func Type(name string) func(Value) bool {
	return func(v Value) bool { return v.At("type").Text() == name }
}
