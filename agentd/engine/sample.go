package engine

import (
	"context"
	"sync"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Statistics measures the containers of executors. Those that can't be measured are
// left out. The messages are shared and must not be changed.
func (e *Engine) Statistics(ctx context.Context, ids []string) map[string]*mesos.ResourceStatistics {
	return e.statistics.of(ctx, ids)
}

// Statuses describes containers likewise.
func (e *Engine) Statuses(ctx context.Context, ids []string) map[string]*mesos.ContainerStatus {
	return e.statuses.of(ctx, ids)
}

// measurers bounds how many containers are measured at once.
const measurers = 16

// sampler measures containers, once for all who ask at the same time: to read a
// container's files costs about as much as all else that a request does, and exporters,
// dashboards and schedulers poll without knowing of each other. One sample is taken at
// a time. Who asks meanwhile gets the next one, together with all others who do, so
// what one gets was never measured before one asked.
type sampler[T any] struct {
	get func(context.Context, containerizer.ID) (T, error)

	mu      sync.Mutex
	running bool
	next    *sample[T]
}

// sample is one that is to be taken. values is valid once done is closed.
type sample[T any] struct {
	ids    map[string]bool
	done   chan struct{}
	values map[string]T
}

// of returns what could be measured, nothing if the context ends before.
func (s *sampler[T]) of(ctx context.Context, ids []string) map[string]T {
	mine := s.join(ids)
	select {
	case <-mine.done:
	case <-ctx.Done():
		return nil
	}
	out := make(map[string]T, len(ids))
	for _, id := range ids {
		if v, ok := mine.values[id]; ok {
			out[id] = v
		}
	}
	return out
}

// join has containers measured by the next sample, and returns that.
func (s *sampler[T]) join(ids []string) *sample[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &sample[T]{ids: map[string]bool{}, done: make(chan struct{})}
	}
	for _, id := range ids {
		s.next.ids[id] = true
	}
	if !s.running {
		s.running = true
		go s.run()
	}
	return s.next
}

// run takes samples until nobody waits for one.
func (s *sampler[T]) run() {
	for {
		s.mu.Lock()
		next := s.next
		s.next, s.running = nil, next != nil
		s.mu.Unlock()
		if next == nil {
			return
		}
		next.values = s.take(next.ids)
		close(next.done)
	}
}

func (s *sampler[T]) take(ids map[string]bool) map[string]T {
	var mu sync.Mutex
	out := make(map[string]T, len(ids))
	queue := make(chan string, len(ids))
	for id := range ids {
		queue <- id
	}
	close(queue)
	var all sync.WaitGroup
	for range min(measurers, len(ids)) {
		all.Go(func() {
			for id := range queue {
				// Nobody's context: whose it is may go while others wait.
				if v, err := s.get(context.Background(), containerizer.ID(id)); err == nil {
					mu.Lock()
					out[id] = v
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return out
}
