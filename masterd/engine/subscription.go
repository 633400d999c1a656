package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// Subscription is a subscriber of the operator API's event stream. Whoever got
// it writes first the snapshot that View describes, and then the events that
// Next returns. Close ends it.
type Subscription struct {
	View *state.View

	contentType string
	hub         *hub
	once        sync.Once

	wake  chan struct{} // holds a token when there may be something new
	ended chan struct{}
	// position is the number of the next event that it reads, once it is
	// joined.
	position atomic.Uint64

	mu      sync.Mutex
	journal *journal // since it joined
	end     error    // set once nothing more will come
}

func newSubscription(contentType string, view *state.View, h *hub) *Subscription {
	return &Subscription{
		View: view, contentType: contentType, hub: h, wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// join says where it begins to read.
func (s *Subscription) join(j *journal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position.Store(j.end())
	s.journal = j
}

// Next waits for events and returns some, in order. At the end it returns io.EOF
// for a subscription that was closed, ErrTooSlow for one that fell too far
// behind, ErrStopped if this master no longer leads. Only one goroutine may
// read.
func (s *Subscription) Next(ctx context.Context) (Batch, error) {
	for {
		batch, err := s.take()
		if batch.Len() > 0 || err != nil {
			return batch, err
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-s.wake:
		}
	}
}

func (s *Subscription) take() (Batch, error) {
	s.mu.Lock()
	j, end := s.journal, s.end
	s.mu.Unlock()
	if j == nil || errors.Is(end, ErrTooSlow) {
		return Batch{}, end
	}
	batch, ok := j.read(s.position.Load())
	if !ok {
		s.hub.drop(s)
		return Batch{}, ErrTooSlow
	}
	if batch.Len() == 0 {
		return batch, end
	}
	s.position.Add(uint64(batch.Len()))
	return batch, nil
}

// behind says whether the journal has forgotten what it would read next.
func (s *Subscription) behind() bool {
	s.mu.Lock()
	j := s.journal
	s.mu.Unlock()
	return j != nil && j.forgot(s.position.Load())
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.finish(errClosed)
		s.hub.remove(s)
		s.hub.interested.Add(-1)
	})
}

// finish ends the subscription behind what there is to read. It reports whether
// it went on until now.
func (s *Subscription) finish(reason error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return false
	}
	s.end = reason
	close(s.ended)
	s.signal()
	return true
}

// signal wakes the reader.
func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Reason returns why the subscription ended, nil while it goes on.
func (s *Subscription) Reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// Ended returns a channel that is closed when nothing more will be added, so
// that a reader who hangs in a write can be freed. Events may still wait.
func (s *Subscription) Ended() <-chan struct{} { return s.ended }
