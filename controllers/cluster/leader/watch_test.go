package leader

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

var demo = types.NamespacedName{Namespace: "default", Name: "demo"}

// masters answers by URL; one that is missing hangs for a minute.
type masters struct {
	mu     sync.Mutex
	states map[string]State
	errs   map[string]error
	asked  int
}

func (m *masters) State(ctx context.Context, at Target) (State, error) {
	url := at.URL
	m.mu.Lock()
	state, ok := m.states[url]
	err := m.errs[url]
	m.asked++
	m.mu.Unlock()
	if ok || err != nil {
		return state, err
	}
	select {
	case <-ctx.Done():
		return State{}, ctx.Err()
	case <-time.After(time.Minute):
		return State{}, errors.New("no answer")
	}
}

func (m *masters) set(url string, state State, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.states[url], m.errs[url] = state, err
}

// running starts a Watch in a bubble and stops it at the test's end.
func running(t *testing.T, test func(*masters, *Watch)) {
	synctest.Test(t, func(t *testing.T) {
		fake := &masters{states: map[string]State{}, errs: map[string]error{}}
		watch := NewWatch(fake, Config{Interval: 3 * time.Second}, logr.Discard())
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if err := watch.Start(ctx); err != nil {
				t.Errorf("the watch ended with %v", err)
			}
		})
		test(fake, watch)
		stop()
		done.Wait()
	})
}

// next waits for an event, and fails if none comes in the given time.
func next(t *testing.T, w *Watch, within time.Duration) types.NamespacedName {
	t.Helper()
	select {
	case e := <-w.Events():
		return types.NamespacedName{Namespace: e.Object.GetNamespace(), Name: e.Object.GetName()}
	case <-time.After(within):
		t.Fatalf("no event in %v", within)
		return types.NamespacedName{}
	}
}

func quiet(t *testing.T, w *Watch, during time.Duration) {
	t.Helper()
	select {
	case e := <-w.Events():
		t.Fatalf("unexpected event about %s", e.Object.GetName())
	case <-time.After(during):
	}
}

func last(t *testing.T, w *Watch, want Observation) {
	t.Helper()
	got, ok := w.Last(demo)
	if !ok {
		t.Fatal("nothing observed")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observation (-want +got):\n%s", diff)
	}
}

func TestWatchTellsOfChangesOnly(t *testing.T) {
	running(t, func(m *masters, w *Watch) {
		m.set("a", State{Version: "1.11.0", ActiveAgents: 1}, nil)
		w.Track(demo, Target{URL: "a"})
		if got := next(t, w, time.Millisecond); got != demo {
			t.Errorf("event about %v", got)
		}
		last(t, w, Observation{State: State{Version: "1.11.0", ActiveAgents: 1}})
		quiet(t, w, time.Minute)

		m.set("a", State{Version: "1.11.0", ActiveAgents: 2}, nil)
		next(t, w, 4*time.Second)
		last(t, w, Observation{State: State{Version: "1.11.0", ActiveAgents: 2}})
	})
}

func TestWatchKeepsTheLastStateBesideAFailure(t *testing.T) {
	running(t, func(m *masters, w *Watch) {
		m.set("a", State{ActiveAgents: 5}, nil)
		w.Track(demo, Target{URL: "a"})
		next(t, w, time.Second)
		m.set("a", State{}, errors.New("refused"))
		next(t, w, 4*time.Second)
		last(t, w, Observation{State: State{ActiveAgents: 5}, Failure: "refused"})
		quiet(t, w, time.Minute)
	})
}

func TestWatchForgets(t *testing.T) {
	running(t, func(m *masters, w *Watch) {
		m.set("a", State{}, nil)
		w.Track(demo, Target{URL: "a"})
		next(t, w, time.Second)
		w.Forget(demo)
		if _, ok := w.Last(demo); ok {
			t.Error("a forgotten cluster is remembered")
		}
		m.mu.Lock()
		before := m.asked
		m.mu.Unlock()
		quiet(t, w, time.Minute)
		if m.mu.Lock(); m.asked != before {
			t.Errorf("asked %d times after it was told to forget", m.asked-before)
		}
		m.mu.Unlock()
	})
}

func TestWatchMovesToAnotherURL(t *testing.T) {
	running(t, func(m *masters, w *Watch) {
		m.set("a", State{ActiveAgents: 1}, nil)
		m.set("b", State{ActiveAgents: 2}, nil)
		w.Track(demo, Target{URL: "a"})
		next(t, w, time.Second)
		w.Track(demo, Target{URL: "b"})
		if _, ok := w.Last(demo); ok {
			t.Error("the answer of another URL is kept")
		}
		next(t, w, time.Second)
		last(t, w, Observation{State: State{ActiveAgents: 2}})
	})
}

func TestOneSilentMasterHoldsUpNoOther(t *testing.T) {
	running(t, func(m *masters, w *Watch) {
		m.set("a", State{ActiveAgents: 1}, nil)
		w.Track(types.NamespacedName{Name: "silent"}, Target{URL: "nowhere"})
		w.Track(demo, Target{URL: "a"})
		if got := next(t, w, time.Second); got != demo {
			t.Errorf("event about %v", got)
		}
	})
}
