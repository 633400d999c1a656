package httpapi

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// changing is an engine in which something happens between any two Views.
type changing struct{ views atomic.Int32 }

func (c *changing) View(context.Context) (*state.View, error) {
	c.views.Add(1)
	return &state.View{}, nil
}

// still is an engine in which nothing happens.
type still struct{ view *state.View }

func (s still) View(context.Context) (*state.View, error) { return s.view, nil }

func TestWhoComesMeanwhileSharesTheNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &changing{}
		s := newShared(newWorkshop(nil), func(*body, *state.View) {
			time.Sleep(time.Second) // much to put together
		})
		answers := map[*body]int{}
		var mu sync.Mutex
		var work sync.WaitGroup
		for i := range 100 {
			work.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				b, err := s.get(t.Context(), e)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				answers[b]++
			})
		}
		work.Wait()
		if len(answers) != 2 || e.views.Load() != 2 {
			t.Errorf("100 requests in a second got %d answers from %d views, want 2 of both", len(answers), e.views.Load())
		}
	})
}

func TestAnswersArePutTogetherOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkshop(nil)
		var inside atomic.Int32
		compose := func(*body, *state.View) {
			if inside.Add(1) > 1 {
				t.Error("two answers at one time")
			}
			time.Sleep(time.Second)
			inside.Add(-1)
		}
		var work sync.WaitGroup
		for range 5 {
			s := newShared(w, compose)
			work.Go(func() { _, _ = s.get(t.Context(), &changing{}) })
		}
		work.Wait()
	})
}

func TestAsLongAsNothingChangesTheAnswerIsTheSame(t *testing.T) {
	made := 0
	s := newShared(newWorkshop(nil), func(*body, *state.View) {
		made++
	})
	e := still{&state.View{}}
	func() { // nothing of it stays behind
		first, err := s.get(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.get(t.Context(), e); err != nil || again != first || made != 1 {
			t.Errorf("made %d answers about one view, %v", made, err)
		}
		runtime.KeepAlive(first)
	}()
	runtime.GC()
	if s.last.Value() != nil {
		t.Error("the answer is kept although nobody reads it")
	}
	runtime.KeepAlive(e.view)
}

func TestAPanicIsAnError(t *testing.T) {
	s := newShared(newWorkshop(nil), func(*body, *state.View) { panic("mistake") })
	for range 2 {
		if _, err := s.get(t.Context(), &changing{}); err == nil {
			t.Error("no error")
		}
	}
}

func TestARequestThatIsGoneWaitsNoLonger(t *testing.T) {
	w := newWorkshop(nil)
	_ = w.enter(t.Context())
	s := newShared(w, func(*body, *state.View) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.get(ctx, &changing{}); err == nil {
		t.Error("no error")
	}
	w.leave()
}
