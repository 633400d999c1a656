package engine

import (
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
)

// timers are those that the machine armed.
type timers struct {
	fire func(state.Input)

	mu    *sync.Mutex
	armed map[state.Timer]*time.Timer
}

func newTimers(fire func(state.Input)) timers {
	return timers{fire: fire, mu: &sync.Mutex{}, armed: map[state.Timer]*time.Timer{}}
}

// arm starts a timer in place of one of the same name.
func (t timers) arm(name state.Timer, after time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.armed[name]; old != nil {
		old.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		t.mu.Lock()
		current := t.armed[name] == timer
		if current {
			delete(t.armed, name)
		}
		t.mu.Unlock()
		if current {
			t.fire(state.TimerFired{Timer: name})
		}
	})
	t.armed[name] = timer
}

func (t timers) disarm(name state.Timer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if timer := t.armed[name]; timer != nil {
		timer.Stop()
		delete(t.armed, name)
	}
}

func (t timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, timer := range t.armed {
		timer.Stop()
		delete(t.armed, name)
	}
}
