package registry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// slowTerm takes a second for a write, and fails from the n-th on.
type slowTerm struct {
	batches []int
	failAt  int
}

var errDisk = errors.New("disk full")

func (s *slowTerm) Apply(_ context.Context, ops []op.Operation) ([]op.Result, error) {
	time.Sleep(time.Second)
	s.batches = append(s.batches, len(ops))
	if len(s.batches) == s.failAt {
		return nil, errDisk
	}
	results := make([]op.Result, len(ops))
	for i, o := range ops {
		results[i].Err = errors.New(o.(op.RemoveAgent).ID.GetValue())
	}
	return results, nil
}

func remove(ids ...string) (ops []op.Operation) {
	for _, id := range ids {
		ops = append(ops, op.RemoveAgent{ID: &mesos.AgentID{Value: new(id)}})
	}
	return ops
}

// recorder writes down what is reported to the authors of writes.
type recorder struct{ got []string }

func (r *recorder) write(name string, ids ...string) Write {
	return Write{Operations: remove(ids...), Done: func(results []op.Result, err error) {
		text := name
		for _, result := range results {
			text += " " + result.Err.Error()
		}
		if err != nil {
			text += ": " + err.Error()
		}
		r.got = append(r.got, text)
	}}
}

func TestWriterJoinsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, r := &slowTerm{}, &recorder{}
		w := NewWriter(term, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		w.Submit(r.write("a", "1"))
		synctest.Wait() // it is being written now
		w.Submit(r.write("b", "2", "3"))
		w.Submit(r.write("c"))
		w.Submit(r.write("d", "4"))
		if n := w.Queued(); n != 4 {
			t.Errorf("%d operations queued, want 4", n)
		}
		time.Sleep(3 * time.Second)
		cancel()
		synctest.Wait()
		if diff := cmp.Diff([]string{"a 1", "b 2 3", "c", "d 4"}, r.got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]int{1, 3}, term.batches); diff != "" {
			t.Error(diff)
		}
		if n := w.Queued(); n != 0 {
			t.Errorf("%d operations queued at the end", n)
		}
	})
}

func TestWriterBoundsABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, r := &slowTerm{}, &recorder{}
		w := NewWriter(term, nil)
		ids := make([]string, maxBatch-1)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		w.Submit(r.write("a", ids...))
		w.Submit(r.write("b", "x", "y"))
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		time.Sleep(5 * time.Second)
		cancel()
		synctest.Wait()
		if diff := cmp.Diff([]int{maxBatch - 1, 2}, term.batches); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWriterStopsAtAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, r := &slowTerm{failAt: 2}, &recorder{}
		w := NewWriter(term, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		for i := range 4 {
			w.Submit(r.write(fmt.Sprint(i), "x"))
			time.Sleep(2 * time.Second)
		}
		cancel()
		synctest.Wait()
		want := []string{"0 x", "1: disk full", "2: disk full", "3: disk full"}
		if diff := cmp.Diff(want, r.got); diff != "" {
			t.Error(diff)
		}
		if len(term.batches) != 2 {
			t.Errorf("the store was written to %d times, want 2", len(term.batches))
		}
	})
}
