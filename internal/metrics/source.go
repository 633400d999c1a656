package metrics

import (
	"context"
	"sync"
)

// source is a function that knows values.
type source struct {
	pull func(ctx context.Context, emit Emit)
	turn chan struct{} // holds a token while the function runs

	mu   sync.Mutex
	next *run // hasn't begun
}

// run is one call of the function, for all who asked before it began.
type run struct {
	done    chan struct{}
	samples []Sample
}

// collect returns the values as they are now, or nothing if the context ends
// before they are known.
func (s *source) collect(ctx context.Context) []Sample {
	s.mu.Lock()
	r := s.next
	if r == nil {
		r = &run{done: make(chan struct{})}
		s.next = r
		go s.run(r) // not with ctx: others wait for it, too
	}
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.samples
	case <-ctx.Done():
		return nil
	}
}

func (s *source) run(r *run) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	defer close(r.done)
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), maxSnapshotTime)
	defer cancel()
	s.pull(ctx, func(kind Kind, name string, value float64) {
		r.samples = append(r.samples, Sample{Name: name, Kind: kind, Value: value})
	})
}
