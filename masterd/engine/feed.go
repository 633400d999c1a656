package engine

import (
	"context"
	"errors"
	"io"
	"sync"
)

// ErrTooSlow ends a Feed whose reader let it fill up.
var ErrTooSlow = errors.New("the subscriber reads too slowly: too many events wait for it")

// Feed is a bounded queue of events for one subscriber.
type Feed[T any] struct {
	mu     sync.Mutex
	events []T
	spare  []T
	max    int
	end    error // set once nothing more will come
	ended  chan struct{}
	wake   chan struct{}
}

func newFeed[T any](most int) *Feed[T] {
	return &Feed[T]{max: most, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// put adds an event. It reports false if that was one too many: the feed then
// ends with ErrTooSlow and what waited is dropped.
func (f *Feed[T]) put(event T) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end != nil {
		return true
	}
	if len(f.events) >= f.max {
		f.events = nil
		f.finish(ErrTooSlow)
		return false
	}
	f.events = append(f.events, event)
	f.signal()
	return true
}

// close ends the feed behind what it holds.
func (f *Feed[T]) close(reason error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.end == nil {
		f.finish(reason)
	}
}

func (f *Feed[T]) finish(reason error) {
	f.end = reason
	close(f.ended)
	f.signal()
}

func (f *Feed[T]) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Next waits for events and returns all there are, in order. The slice is the
// caller's until the next call. At the end it returns io.EOF for a stream that
// was closed, ErrTooSlow for one that was cut off, ErrStopped if this master no
// longer leads. Only one goroutine may read.
func (f *Feed[T]) Next(ctx context.Context) ([]T, error) {
	for {
		events, err := f.take()
		if len(events) > 0 || err != nil {
			return events, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.wake:
		}
	}
}

func (f *Feed[T]) take() ([]T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.events) == 0 {
		return nil, f.end
	}
	clear(f.spare)
	taken := f.events
	f.events, f.spare = f.spare[:0], taken
	return taken, nil
}

// Reason returns why the feed ended, nil while it goes on.
func (f *Feed[T]) Reason() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end
}

// Ended returns a channel that is closed when nothing more will be added, so
// that a reader who hangs in a write can be freed. Events may still wait.
func (f *Feed[T]) Ended() <-chan struct{} { return f.ended }

var errClosed = io.EOF
