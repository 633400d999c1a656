package check

import (
	"context"
	"errors"
	"sync"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ErrTransient is wrapped by errors about probes that could not be made, which says
// nothing about the task.
var ErrTransient = errors.New("probe could not be made")

// outcome is what a probe found out.
type outcome struct {
	exit      *int32
	code      *uint32
	connected bool
}

// probe is one attempt. It must return soon after its context has ended.
type probe func(context.Context) (outcome, error)

// timing is when probes are made.
type timing struct{ delay, interval, timeout time.Duration }

// Watch makes the probes of one check.
type Watch struct {
	timing timing
	probe  probe
	// result takes in what one probe found out.
	result func(outcome, error)

	mu     sync.Mutex
	paused bool
	// changed is closed and replaced when paused changes.
	changed chan struct{}
}

func newWatch(t timing, p probe) *Watch {
	return &Watch{timing: t, probe: p, changed: make(chan struct{})}
}

// seconds converts; negative ones, which masters refuse, are none.
func seconds(s float64) time.Duration { return time.Duration(max(s, 0) * float64(time.Second)) }

// Pause stops probing, or goes on with it at once. What a probe finds out that was
// under way is not told.
func (w *Watch) Pause(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused != paused {
		w.paused = paused
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

func (w *Watch) state() (paused bool, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused, w.changed
}

// Run probes until the context ends.
func (w *Watch) Run(ctx context.Context) {
	wait := w.timing.delay
	for ctx.Err() == nil {
		paused, changed := w.state()
		if paused {
			select {
			case <-ctx.Done():
			case <-changed:
				wait = 0
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
			w.once(ctx, changed)
			wait = w.timing.interval
		}
		timer.Stop()
	}
}

// once makes one probe, unless that is interrupted.
func (w *Watch) once(ctx context.Context, interrupt <-chan struct{}) {
	probing, cancel := context.WithCancel(ctx)
	defer cancel()
	if w.timing.timeout > 0 {
		probing, cancel = context.WithTimeout(probing, w.timing.timeout)
		defer cancel()
	}
	type found struct {
		outcome
		err error
	}
	done := make(chan found, 1)
	go func() {
		o, err := w.probe(probing)
		done <- found{o, err}
	}()
	select {
	case <-interrupt:
		cancel()
		<-done
	case f := <-done:
		if ctx.Err() == nil && !errors.Is(f.err, ErrTransient) {
			w.result(f.outcome, f.err)
		}
	}
}

// Empty is the status of a check that has found nothing out.
func Empty(c *mesos.CheckInfo) *mesos.CheckStatusInfo {
	if c == nil {
		return nil
	}
	s := &mesos.CheckStatusInfo{Type: c.Type}
	switch c.GetType() {
	case mesos.CheckInfo_COMMAND:
		s.Command = &mesos.CheckStatusInfo_Command{}
	case mesos.CheckInfo_HTTP:
		s.Http = &mesos.CheckStatusInfo_Http{}
	case mesos.CheckInfo_TCP:
		s.Tcp = &mesos.CheckStatusInfo_Tcp{}
	}
	return s
}
