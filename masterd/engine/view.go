package engine

import (
	"context"
	"sync"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// View returns the master as it is now, with everything that happened before
// the call. However many ask at one time, the loop takes one View for all.
func (e *Engine) View(ctx context.Context) (*state.View, error) {
	wanted := e.views.want()
	e.between(func() {}) // wakes the loop
	select {
	case <-wanted.ready:
		return wanted.view, nil
	case <-ctx.Done():
	case <-e.done:
	}
	return nil, e.stopped(ctx)
}

// views lets readers wait for the loop to take a View.
type views struct {
	mu      sync.Mutex
	pending *wantedView

	// The loop's own: the last View, as long as no Step followed it.
	last *state.View
}

// wantedView is one View that any number of readers wait for.
type wantedView struct {
	ready chan struct{}
	view  *state.View // to be read after ready
}

func (v *views) want() *wantedView {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pending == nil {
		v.pending = &wantedView{ready: make(chan struct{})}
	}
	return v.pending
}

// stale says that the machine made a Step.
func (v *views) stale() { v.last = nil }

// current returns a View of the machine between two Steps.
func (v *views) current(m Machine) *state.View {
	if v.last == nil {
		v.last = m.View()
	}
	return v.last
}

// serve gives those who wait their View.
func (v *views) serve(m Machine) {
	v.mu.Lock()
	wanted := v.pending
	v.pending = nil
	v.mu.Unlock()
	if wanted != nil {
		wanted.view = v.current(m)
		close(wanted.ready)
	}
}
