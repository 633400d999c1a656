package masterclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

const streamIDHeader = "Mesos-Stream-Id"

// ErrRefused is wrapped by the error of a subscription that the master ended with an ERROR event.
var ErrRefused = errors.New("the master refused")

// Scheduler is a subscribed framework: an event stream and the calls that belong to it.
// Next is for one goroutine; Call may be used from any.
type Scheduler struct {
	client      *Client
	url         string
	streamID    string
	frameworkID *mesos.FrameworkID
	body        io.ReadCloser
	records     *recordio.Reader
}

// Subscribe registers a framework and waits until the master has accepted it. A framework that comes
// back carries its ID in info. Ending ctx ends the session, and so does Close.
func (c *Client) Subscribe(ctx context.Context, info *mesos.FrameworkInfo) (*Scheduler, error) {
	call := &scheduler.Call{
		Type:        scheduler.Call_SUBSCRIBE.Enum(),
		FrameworkId: info.Id,
		Subscribe:   &scheduler.Call_Subscribe{FrameworkInfo: info},
	}
	r, err := c.post(ctx, c.base+"/api/v1/scheduler", call, nil)
	if err != nil {
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	if r.StatusCode != http.StatusOK {
		defer r.Body.Close()
		return nil, fmt.Errorf("subscribing: %w", statusError(r))
	}
	s := &Scheduler{
		client: c,
		// Later calls go to the master that holds the stream, without another redirect.
		url:      r.Request.URL.String(),
		streamID: r.Header.Get(streamIDHeader),
		body:     r.Body,
		records:  recordio.NewReader(r.Body, maxAnswer),
	}
	if err := s.awaitSubscribed(); err != nil {
		s.Close()
		return nil, fmt.Errorf("subscribing: %w", err)
	}
	return s, nil
}

func (s *Scheduler) awaitSubscribed() error {
	event, err := s.Next()
	if err != nil {
		return err
	}
	switch event.GetType() {
	case scheduler.Event_SUBSCRIBED:
		s.frameworkID = event.GetSubscribed().GetFrameworkId()
		return nil
	case scheduler.Event_ERROR:
		return fmt.Errorf("%w: %s", ErrRefused, event.GetError().GetMessage())
	}
	return fmt.Errorf("the first event was %s, not SUBSCRIBED", event.GetType())
}

// FrameworkID is the ID the master gave the framework, or confirmed.
func (s *Scheduler) FrameworkID() *mesos.FrameworkID { return s.frameworkID }

// Next returns the next event; io.EOF when the master ended the stream.
func (s *Scheduler) Next() (*scheduler.Event, error) {
	record, err := s.records.Next()
	if err != nil {
		return nil, err
	}
	event := &scheduler.Event{}
	if err := codec.Unmarshal(codec.Protobuf, record, event); err != nil {
		return nil, err
	}
	return event, nil
}

// Call sends a call of this framework. The framework's ID is filled in; call is not changed.
func (s *Scheduler) Call(ctx context.Context, call *scheduler.Call) error {
	call = proto.CloneOf(call)
	call.FrameworkId = s.frameworkID
	r, err := s.client.post(ctx, s.url, call, http.Header{streamIDHeader: {s.streamID}})
	if err != nil {
		return fmt.Errorf("%s: %w", call.GetType(), err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusAccepted && r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", call.GetType(), statusError(r))
	}
	return nil
}

// Close ends the session. What becomes of the framework is up to its failover timeout.
func (s *Scheduler) Close() error { return s.body.Close() }
