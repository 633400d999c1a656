package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
)

// Who asks while a sample is taken shares the next one, which begins afterwards.
func TestSampleShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var measured atomic.Int32
		begin := time.Now()
		s := sampler[time.Duration]{get: func(_ context.Context, id containerizer.ID) (time.Duration, error) {
			measured.Add(1)
			time.Sleep(time.Second)
			if id == "bad" {
				return 0, errors.New("no such container")
			}
			return time.Since(begin), nil
		}}
		type answer map[string]time.Duration
		answers := make(chan answer, 10)
		ask := func(ids ...string) { go func() { answers <- s.of(t.Context(), ids) }() }
		ask("a", "bad")
		time.Sleep(time.Millisecond)
		for range 5 {
			ask("a", "b")
		}
		for n := range 6 {
			want := answer{"a": 2 * time.Second, "b": 2 * time.Second}
			if n == 0 {
				want = answer{"a": time.Second}
			}
			if diff := cmp.Diff(want, <-answers); diff != "" {
				t.Errorf("answer %d (-want +got):\n%s", n, diff)
			}
		}
		if n := measured.Load(); n != 4 {
			t.Errorf("measured %d times, want 4", n)
		}
		synctest.Wait()
		if s.running {
			t.Error("it still runs")
		}
	})
}

// Somebody who doesn't wait any longer takes nothing away from others.
func TestSampleAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampler[int]{get: func(context.Context, containerizer.ID) (int, error) {
			time.Sleep(time.Second)
			return 1, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		go s.of(ctx, []string{"a"})
		synctest.Wait()
		if got := s.of(t.Context(), []string{"a"}); got["a"] != 1 {
			t.Errorf("got %v", got)
		}
	})
}

// As many at a time as there are measurers.
func TestSampleBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampler[int]{get: func(context.Context, containerizer.ID) (int, error) {
			time.Sleep(time.Second)
			return 1, nil
		}}
		ids := make([]string, 2*measurers+1)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		begin := time.Now()
		if got := s.of(t.Context(), ids); len(got) != len(ids) || time.Since(begin) != 3*time.Second {
			t.Errorf("%d in %v", len(got), time.Since(begin))
		}
		if got := s.of(t.Context(), nil); len(got) != 0 {
			t.Errorf("of none: %v", got)
		}
	})
}
