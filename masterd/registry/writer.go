package registry

import (
	"context"
	"sync"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// maxBatch bounds the operations of one write. An agent is about a kilobyte,
// so an entry of raft's log stays in the range of what travels well.
const maxBatch = 4096

// Write is one author's operations.
type Write struct {
	Operations []op.Operation
	// Done is called once, in the order of Submit, from the Writer's
	// goroutine. It must not block.
	Done func(results []op.Result, err error)
}

// Writer turns many writes into few: while one is on its way to the disk, what
// comes in waits and becomes the next. Submit never waits.
type Writer struct {
	term Term
	// stored is told the time that each write to the store took.
	stored func(time.Duration)

	mu     sync.Mutex
	queue  []Write
	queued int // operations in queue and on their way
	wake   chan struct{}
}

// NewWriter returns a writer for one term. stored may be nil.
func NewWriter(term Term, stored func(time.Duration)) *Writer {
	if stored == nil {
		stored = func(time.Duration) {}
	}
	return &Writer{term: term, stored: stored, wake: make(chan struct{}, 1)}
}

// Submit queues a write.
func (w *Writer) Submit(write Write) {
	w.mu.Lock()
	w.queue = append(w.queue, write)
	w.queued += len(write.Operations)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Queued returns how many operations are not durable yet.
func (w *Writer) Queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.queued
}

// Run writes until ctx ends. After an error every further write fails with the
// same: what the store holds is not known any more.
func (w *Writer) Run(ctx context.Context) {
	var failed error
	for {
		batch, ops := w.take()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return
			case <-w.wake:
			}
			continue
		}
		var results []op.Result
		if failed == nil {
			begin := time.Now()
			results, failed = w.term.Apply(ctx, ops)
			w.stored(time.Since(begin))
		}
		w.finish(batch, results, failed)
	}
}

// take returns the writes that go together, and their operations.
func (w *Writer) take() ([]Write, []op.Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ops []op.Operation
	n := 0
	for n < len(w.queue) && (n == 0 || len(ops)+len(w.queue[n].Operations) <= maxBatch) {
		ops = append(ops, w.queue[n].Operations...)
		n++
	}
	batch := w.queue[:n:n]
	w.queue = w.queue[n:]
	return batch, ops
}

func (w *Writer) finish(batch []Write, results []op.Result, err error) {
	for _, write := range batch {
		n := len(write.Operations)
		w.mu.Lock()
		w.queued -= n
		w.mu.Unlock()
		if err != nil {
			write.Done(nil, err)
			continue
		}
		write.Done(results[:n:n], nil)
		results = results[n:]
	}
}
