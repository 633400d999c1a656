package engine

import "sync"

// queue is an unbounded queue from many goroutines to one. Whoever puts in has
// to bound it by other means.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	spare []T
	wake  chan struct{} // holds a token when items is not empty
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

func (q *queue[T]) put(items ...T) {
	if len(items) == 0 {
		return
	}
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns all that is queued, possibly nothing. The slice is the caller's
// until the next take.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.spare)
	taken := q.items
	q.items, q.spare = q.spare[:0], taken
	return taken
}

func (q *queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}
