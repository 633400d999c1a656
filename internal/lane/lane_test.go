package lane

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoMoreThanItsTurnsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := WithTurns(2)
		var inside, most atomic.Int32
		var work sync.WaitGroup
		for range 10 {
			work.Go(func() {
				l.Enter()
				defer l.Leave()
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(time.Second)
				inside.Add(-1)
			})
		}
		begin := time.Now()
		work.Wait()
		if took := time.Since(begin); most.Load() != 2 || took != 5*time.Second {
			t.Errorf("%d at a time, %v for ten turns of a second in two places", most.Load(), took)
		}
	})
}

func TestTurnsComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := WithTurns(1)
		var order []int
		var work sync.WaitGroup
		l.Enter()
		for i := range 5 {
			work.Go(func() {
				l.Enter()
				order = append(order, i)
				l.Pass() // behind all others
				order = append(order, i)
				l.Leave()
			})
			synctest.Wait()
		}
		l.Leave()
		work.Wait()
		for i, got := range order {
			if got != i%5 {
				t.Fatalf("the order is %v", order)
			}
		}
	})
}

func TestNilHasNoBound(t *testing.T) {
	var l *Lane
	l.Enter()
	l.Enter()
	l.Pass()
	l.Leave()
	l.Leave()
	if l.Turns() < 1 {
		t.Error("no turns")
	}
}

func TestThereIsAlwaysATurn(t *testing.T) {
	if n := WithTurns(0).Turns(); n != 1 {
		t.Errorf("%d turns", n)
	}
}

func BenchmarkTurn(b *testing.B) {
	l := WithTurns(1)
	for b.Loop() {
		l.Enter()
		l.Leave()
	}
}
