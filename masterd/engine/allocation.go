package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// allocation runs the allocator beside the loop. Effects are applied in order;
// an allocation sees all effects that were performed before it began.
type allocation struct {
	allocator Allocator
	interval  time.Duration
	took      func(time.Duration)
	waited    func(time.Duration)
	feedBack  func(state.Input)
	effects   *queue[state.AllocatorEffect]
	asked     chan chan allocator.Stats
	// since is when the oldest effect that waits was queued, in nanoseconds; 0
	// if none does.
	since atomic.Int64
}

func newAllocation(cfg Config, feedBack func(state.Input)) *allocation {
	return &allocation{
		allocator: cfg.Allocator,
		interval:  cfg.AllocationInterval,
		took:      cfg.Allocated,
		waited:    cfg.AllocationWaited,
		feedBack:  feedBack,
		effects:   newQueue[state.AllocatorEffect](),
		asked:     make(chan chan allocator.Stats),
	}
}

func (a *allocation) apply(e state.AllocatorEffect) {
	a.since.CompareAndSwap(0, time.Now().UnixNano())
	a.effects.put(e)
}

// run allocates at every interval, and at once when an effect asks for it: what
// came in while the last allocation ran is answered by one more, not by many.
func (a *allocation) run(ctx context.Context) {
	tick := time.NewTicker(a.interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case answer := <-a.asked:
			answer <- a.allocator.Stats()
		case due := <-tick.C:
			a.absorb()
			a.allocate(due)
		case <-a.effects.wake:
			since := time.Unix(0, a.since.Swap(0))
			if a.absorb() {
				a.allocate(since)
			}
		}
	}
}

// absorb applies all effects that wait and says whether an allocation is due.
func (a *allocation) absorb() bool {
	due := false
	now := time.Now()
	for _, e := range a.effects.take() {
		due = a.allocator.Apply(e, now) || due
	}
	return due
}

// allocate runs the allocator, which was due for some time.
func (a *allocation) allocate(due time.Time) {
	begin := time.Now()
	a.waited(max(0, begin.Sub(due)))
	proposed := a.allocator.Allocate(begin)
	a.took(time.Since(begin))
	if !proposed.IsEmpty() {
		a.feedBack(proposed)
	}
}

// AllocatorStats returns the allocator's figures, between two allocations.
func (e *Engine) AllocatorStats(ctx context.Context) (allocator.Stats, error) {
	answer := make(chan allocator.Stats, 1)
	select {
	case e.alloc.asked <- answer:
	case <-ctx.Done():
		return allocator.Stats{}, e.stopped(ctx)
	case <-e.done:
		return allocator.Stats{}, ErrStopped
	}
	select {
	case stats := <-answer:
		return stats, nil
	case <-e.done:
		return allocator.Stats{}, ErrStopped
	}
}
