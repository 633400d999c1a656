package httpapi

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// workshop is where long answers are put together: one at a time, and in turns
// with those that are being sent, so that they never take more than the cores
// they are given from who makes calls, however many ask for them.
type workshop struct {
	place chan struct{}
	// lane is paced: what is made in it is for somebody who waits. What is made
	// ahead is made in ahead, the same Lane.
	lane, ahead *lane.Lane
	// customers are in the workshop or wait for it.
	customers atomic.Int32
}

func newWorkshop(l *lane.Lane) *workshop {
	return &workshop{place: make(chan struct{}, 1), lane: l.Paced(), ahead: l}
}

// busy says whether somebody waits for an answer.
func (w *workshop) busy() bool { return w.customers.Load() > 0 }

// body returns an empty body, to be filled within enter and leave.
func (w *workshop) body() *body { return &body{lane: w.lane} }

// enter waits for the place, and a turn; leave gives them back.
func (w *workshop) enter(ctx context.Context) error {
	w.customers.Add(1)
	select {
	case w.place <- struct{}{}:
		w.lane.Enter()
		return nil
	case <-ctx.Done():
		w.customers.Add(-1)
		return fmt.Errorf("waiting for other answers: %w", ctx.Err())
	}
}

func (w *workshop) leave() {
	w.lane.Leave()
	<-w.place
	w.customers.Add(-1)
}

// shared is one answer for all requests to an endpoint that see everything. Who
// comes while one is put together gets the next one, together with all others
// that came meanwhile: a hundred dashboards cost as much as two. As long as
// nothing changes, the last answer is good for all. It keeps neither View nor
// answer alive: that is up to the requests.
type shared struct {
	workshop *workshop
	compose  func(*body, *state.View)

	mu   sync.Mutex
	next *round // hasn't begun
	view weak.Pointer[state.View]
	last weak.Pointer[body]

	pieces int // of the last answer; only in the workshop
}

// viewer is an engine.
type viewer interface {
	View(ctx context.Context) (*state.View, error)
}

// round is one answer in the making.
type round struct {
	engine viewer
	done   chan struct{}
	view   *state.View // so that others of its kind find the answer
	body   *body
	err    error
}

func newShared(w *workshop, compose func(*body, *state.View)) *shared {
	return &shared{workshop: w, compose: compose}
}

// get returns the answer as it is now, with everything that happened before the
// call.
func (s *shared) get(ctx context.Context, e viewer) (*body, error) {
	s.mu.Lock()
	r := s.next
	if r == nil || r.engine != e {
		r = &round{engine: e, done: make(chan struct{})}
		s.next = r
		go s.run(r) // not with ctx: others wait for it, too
	}
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.body, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *shared) run(r *round) {
	defer close(r.done)
	defer func() { // a mistake in an answer must not end the daemon
		if v := recover(); v != nil {
			r.err = fmt.Errorf("putting an answer together: %v\n%s", v, debug.Stack())
		}
	}()
	_ = s.workshop.enter(context.Background()) // which doesn't end
	defer s.workshop.leave()
	s.mu.Lock()
	if s.next == r {
		s.next = nil
	}
	s.mu.Unlock()
	if r.view, r.err = r.engine.View(context.Background()); r.err == nil {
		r.body = s.of(r.view)
	}
}

// of returns the answer about a View. It is called in the workshop.
func (s *shared) of(v *state.View) *body {
	s.mu.Lock()
	same := s.view == weak.Make(v)
	b := s.last.Value()
	s.mu.Unlock()
	if same && b != nil {
		return b
	}
	b = s.workshop.body()
	// The next answer is about as long as the last one: growing the list on the
	// way would leave twice as much garbage as it is long.
	b.pieces = make([][]byte, 0, s.pieces+s.pieces/32)
	s.compose(b, v)
	s.pieces = len(b.pieces)
	s.mu.Lock()
	s.view, s.last = weak.Make(v), weak.Make(b)
	s.mu.Unlock()
	runtime.KeepAlive(v)
	return b
}
