package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Subscription is a subscriber of the operator API's event stream. Whoever got
// it writes first the snapshot that View describes, then the records that the
// Feed yields: each is one event, encoded and framed, and shared with other
// subscribers. Close ends it.
type Subscription struct {
	View *state.View
	*Feed[[]byte]

	contentType string
	hub         *hub
	once        sync.Once
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.close(errClosed)
		s.hub.remove(s)
		s.hub.interested.Add(-1)
	})
}

// Subscribe begins a subscription, with records in the given content type.
func (e *Engine) Subscribe(ctx context.Context, contentType string) (*Subscription, error) {
	begun := make(chan *Subscription, 1)
	e.between(func() {
		begun <- e.hub.add(contentType, e.views.current(e.machine))
	})
	select {
	case s := <-begun:
		return s, nil
	case <-ctx.Done():
	case <-e.done:
	}
	go func() { // the loop may still get to it
		select {
		case s := <-begun:
			s.Close()
		case <-e.done:
		}
	}()
	return nil, e.stopped(ctx)
}

// hub encodes operator events, once per content type however many subscribe.
type hub struct {
	maxEvents, maxSubscribers int
	heartbeat                 time.Duration
	counters                  *counters
	notices                   *queue[notice]
	// interested counts subscriptions from the moment the loop makes one
	// until it is closed.
	interested atomic.Int64

	mu          sync.Mutex
	subscribers []*Subscription // oldest first
	ended       error
}

// notice is an event, or the moment from which a subscriber gets them: both
// pass through one queue, so that the View of a subscriber and the events that
// follow fit without a gap.
type notice struct {
	event *mesosmaster.Event
	join  *Subscription
}

func newHub(cfg Config, c *counters) *hub {
	return &hub{
		maxEvents:      cfg.MaxOperatorEvents,
		maxSubscribers: cfg.MaxSubscribers,
		heartbeat:      cfg.HeartbeatInterval,
		counters:       c,
		notices:        newQueue[notice](),
	}
}

// publish is called by the loop. Without subscribers it costs nothing.
func (h *hub) publish(event *mesosmaster.Event) {
	if h.interested.Load() > 0 {
		h.notices.put(notice{event: event})
	}
}

// add is called by the loop between two Steps.
func (h *hub) add(contentType string, view *state.View) *Subscription {
	s := &Subscription{View: view, Feed: newFeed[[]byte](h.maxEvents), contentType: contentType, hub: h}
	h.interested.Add(1)
	h.notices.put(notice{join: s})
	return s
}

func (h *hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.subscribers, s); i >= 0 {
		h.subscribers = slices.Delete(h.subscribers, i, i+1)
	}
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subscribers)
}

func (h *hub) end(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = reason
	for _, s := range h.subscribers {
		s.close(reason)
	}
	h.subscribers = nil
}

func (h *hub) run(ctx context.Context) {
	for {
		for _, n := range h.notices.take() {
			if n.join != nil {
				h.join(ctx, n.join)
				continue
			}
			h.broadcast(n.event, h.list())
		}
		select {
		case <-ctx.Done():
			return
		case <-h.notices.wake:
		}
	}
}

// join adds a subscriber. When there are too many the one that subscribed first
// has to go, as in Mesos.
func (h *hub) join(ctx context.Context, s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil {
		s.close(h.ended)
		return
	}
	if len(h.subscribers) >= h.maxSubscribers {
		h.subscribers[0].close(errClosed)
		h.subscribers = slices.Delete(h.subscribers, 0, 1)
	}
	h.subscribers = append(h.subscribers, s)
	go h.beat(ctx, s)
}

// list returns a copy: subscribers come and go while an event is fanned out.
func (h *hub) list() []*Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.subscribers)
}

func (h *hub) broadcast(event *mesosmaster.Event, to []*Subscription) {
	records := map[string][]byte{}
	for _, s := range to {
		record, ok := records[s.contentType]
		if !ok {
			record = encodeRecord(s.contentType, event)
			records[s.contentType] = record
		}
		h.put(s, record)
	}
}

// put drops a subscriber that has no room.
func (h *hub) put(s *Subscription, record []byte) {
	if !s.put(record) {
		h.counters.slowStreams.Add(1)
		h.remove(s)
	}
}

// beat sends HEARTBEAT for as long as the subscription lives. The first comes
// after an interval.
func (h *hub) beat(ctx context.Context, s *Subscription) {
	record := encodeRecord(s.contentType, &mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()})
	tick := time.NewTicker(h.heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Ended():
			return
		case <-tick.C:
			h.put(s, record)
		}
	}
}

// encodeRecord frames an event. The machine makes no event that can't be
// encoded, so an error is a fault of the program.
func encodeRecord(contentType string, event *mesosmaster.Event) []byte {
	payload, err := codec.Marshal(contentType, event)
	if err != nil {
		panic("engine: " + err.Error())
	}
	return recordio.AppendRecord(make([]byte, 0, len(payload)+8), payload)
}
