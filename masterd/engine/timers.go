package engine

import (
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// timers are those that the machine armed.
type timers struct {
	fired func(state.Input)

	mu    sync.Mutex // a timer's goroutine and the loop
	armed map[state.Timer]*time.Timer
	ended bool
}

func newTimers(fired func(state.Input)) *timers {
	return &timers{fired: fired, armed: map[state.Timer]*time.Timer{}}
}

func (t *timers) arm(timer state.Timer, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	if old := t.armed[timer]; old != nil {
		old.Stop()
	}
	var armed *time.Timer
	armed = time.AfterFunc(after, func() { t.fire(timer, &armed) })
	t.armed[timer] = armed
}

// fire tells the machine, unless the timer was armed anew meanwhile.
func (t *timers) fire(timer state.Timer, self **time.Timer) {
	t.mu.Lock()
	current := t.armed[timer] == *self
	if current {
		delete(t.armed, timer)
	}
	t.mu.Unlock()
	if current {
		t.fired(state.TimerFired{Timer: timer})
	}
}

func (t *timers) disarm(timer state.Timer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if armed := t.armed[timer]; armed != nil {
		armed.Stop()
		delete(t.armed, timer)
	}
}

func (t *timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for _, armed := range t.armed {
		armed.Stop()
	}
	clear(t.armed)
}
