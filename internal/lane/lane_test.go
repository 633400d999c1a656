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

// pacedTurns takes turns of a millisecond and returns how long they took, with a
// number of answers under way.
func pacedTurns(l *Lane, answers, turns int) time.Duration {
	for range answers {
		defer l.Begin()()
	}
	begin := time.Now()
	for range turns {
		l.Enter()
		time.Sleep(time.Millisecond)
		l.Leave()
	}
	return time.Since(begin)
}

func TestPacedTurnsTakePartOfTheTime(t *testing.T) {
	const work = 10 * time.Second
	turns := int(work / time.Millisecond)
	one := func() *Lane { return WithTurns(1).Paced() }
	inTheLongRun := time.Duration(float64(work-burst) / share)
	for name, test := range map[string]struct {
		answers int
		lane    func() *Lane
		want    time.Duration
	}{
		"one answer has all of it":   {1, one, work},
		"more have a fifth":          {2, one, inTheLongRun},
		"of each place":              {2, func() *Lane { return WithTurns(1 + 1/share).Paced() }, work},
		"what isn't paced has all":   {2, func() *Lane { return WithTurns(1) }, work},
		"twenty have a fifth":        {20, one, inTheLongRun},
		"nobody said that he waits":  {0, one, work},
		"without a bound no pace":    {2, func() *Lane { return nil }, work},
		"without a bound, and paced": {2, func() *Lane { return (*Lane)(nil).Paced() }, work},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := pacedTurns(test.lane(), test.answers, turns)
				if diff := (got - test.want).Abs(); diff > test.want/100 {
					t.Errorf("%v of work took %v, want %v", work, got, test.want)
				}
			})
		})
	}
}

func TestWhoWaitsForThePaceLeavesTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := WithTurns(1)
		defer l.Begin()()
		defer l.Begin()()
		answer := l.Paced()
		answer.Enter()
		time.Sleep(burst + time.Second) // far too long
		answer.Leave()
		begin := time.Now()
		var work sync.WaitGroup
		work.Go(func() {
			answer.Enter()
			answer.Leave()
			if waited := time.Since(begin); waited < time.Second {
				t.Errorf("the answer waited %v", waited)
			}
		})
		synctest.Wait()
		l.Enter()
		l.Leave()
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("a turn that isn't paced waited %v", waited)
		}
		work.Wait()
	})
}

func TestAMomentOfManyIsNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := WithTurns(1).Paced()
		for range 5 {
			turns := int(burst / 2 / time.Millisecond)
			if took := pacedTurns(l, 3, turns); took != time.Duration(turns)*time.Millisecond {
				t.Errorf("%d turns of a millisecond took %v", turns, took)
			}
			time.Sleep(time.Second)
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

func BenchmarkPacedTurn(b *testing.B) {
	l := WithTurns(1).Paced()
	for b.Loop() {
		l.Enter()
		l.Leave()
	}
}
