package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Subscribe begins a subscription, with events in the given content type.
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

// hub writes operator events into a journal for each content type that somebody
// wants, and wakes who reads there.
type hub struct {
	maxEvents, maxSubscribers int
	heartbeat                 time.Duration
	counters                  *counters
	log                       logr.Logger
	notices                   *queue[notice]
	// interested counts subscriptions from the moment the loop makes one
	// until it is closed.
	interested atomic.Int64

	journals map[string]*journal // by content type; the run goroutine's own

	mu          sync.Mutex
	subscribers []*Subscription // oldest first
	ended       error
}

// notice is an event, or the moment from which a subscriber gets them: both
// pass through one queue, so that the View of a subscriber and the events that
// follow fit without a gap.
type notice struct {
	event state.Publish
	join  *Subscription
}

func newHub(cfg Config, c *counters) *hub {
	return &hub{
		maxEvents:      cfg.MaxOperatorEvents,
		maxSubscribers: cfg.MaxSubscribers,
		heartbeat:      cfg.HeartbeatInterval,
		counters:       c,
		log:            cfg.Log,
		notices:        newQueue[notice](),
		journals:       map[string]*journal{},
	}
}

// publish is called by the loop. Without subscribers it costs nothing.
func (h *hub) publish(event state.Publish) {
	if h.interested.Load() > 0 {
		h.notices.put(notice{event: event})
	}
}

// add is called by the loop between two Steps.
func (h *hub) add(contentType string, view *state.View) *Subscription {
	s := newSubscription(contentType, view, h)
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

// drop ends a subscription that fell behind.
func (h *hub) drop(s *Subscription) {
	if s.finish(ErrTooSlow) {
		h.counters.slowStreams.Add(1)
	}
	h.remove(s)
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
		s.finish(reason)
	}
	h.subscribers = nil
}

func (h *hub) run(ctx context.Context) {
	beat := time.NewTicker(h.heartbeat)
	defer beat.Stop()
	for {
		notices := h.notices.take()
		for _, n := range notices {
			if n.join != nil {
				h.join(n.join)
				continue
			}
			h.record(n.event)
		}
		if len(notices) > 0 {
			h.wake()
			h.rest(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			h.record(state.Publish{Event: &mesosmaster.Event{Type: mesosmaster.Event_HEARTBEAT.Enum()}})
			h.wake()
		case <-h.notices.wake:
		}
	}
}

// join adds a subscriber. When there are too many the one that subscribed first
// has to go, as in Mesos.
func (h *hub) join(s *Subscription) {
	j := h.journals[s.contentType]
	if j == nil {
		j = newJournal(h.maxEvents)
		h.journals[s.contentType] = j
	}
	s.join(j)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended != nil {
		s.finish(h.ended)
		return
	}
	if s.Reason() != nil {
		return // the client is gone already
	}
	if len(h.subscribers) >= h.maxSubscribers {
		h.log.Info("too many subscribers of the operator API: the oldest has to go", "limit", h.maxSubscribers)
		h.subscribers[0].finish(errClosed)
		h.subscribers = slices.Delete(h.subscribers, 0, 1)
	}
	h.subscribers = append(h.subscribers, s)
}

// record writes an event into the journals that have readers, and drops the
// others.
func (h *hub) record(event state.Publish) {
	wanted := map[string]bool{}
	h.mu.Lock()
	for _, s := range h.subscribers {
		if wanted[s.contentType] = true; len(wanted) == len(h.journals) {
			break
		}
	}
	h.mu.Unlock()
	for contentType, j := range h.journals {
		if !wanted[contentType] {
			delete(h.journals, contentType)
			continue
		}
		payload, err := codec.Marshal(contentType, event.Event)
		if err != nil {
			// The machine makes no event that can't be encoded.
			panic("engine: " + err.Error())
		}
		j.add(event, payload)
	}
}

// wake tells all subscribers that there is something to read, and drops those
// that have not read for too long.
func (h *hub) wake() {
	h.mu.Lock()
	subscribers := slices.Clone(h.subscribers)
	h.mu.Unlock()
	for _, s := range subscribers {
		if s.behind() {
			h.drop(s)
			continue
		}
		s.signal()
	}
}

// A wake-up costs about wakeCost for each subscriber: its goroutine and a write.
// For as long as that, and at most maxRest, the next events wait for each other,
// so that many subscribers get few large writes when much happens. An event
// that comes alone doesn't wait.
const (
	wakeCost = 20 * time.Microsecond
	maxRest  = 25 * time.Millisecond
)

func (h *hub) rest(ctx context.Context) {
	pause := min(time.Duration(h.len())*wakeCost, maxRest)
	if pause < time.Millisecond {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}
