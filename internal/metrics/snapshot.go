package metrics

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// Snapshot returns all values, sorted by name. When the context ends first, the
// values of pull functions that are not done are missing.
func (r *Registry) Snapshot(ctx context.Context) []Sample {
	samples := r.values(ctx)
	for name, t := range r.allTimers() {
		samples = t.samples(samples, name)
	}
	slices.SortFunc(samples, func(a, b Sample) int { return strings.Compare(a.Name, b.Name) })
	// A name that is emitted twice is a mistake, but no reason to send invalid JSON.
	return slices.CompactFunc(samples, func(a, b Sample) bool { return a.Name == b.Name })
}

// values returns everything but timers.
func (r *Registry) values(ctx context.Context) []Sample {
	samples := r.pulled(ctx)
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, v := range r.kept {
		samples = append(samples, Sample{Name: name, Kind: v.kind, Value: v.load()})
	}
	return samples
}

func (r *Registry) allTimers() map[string]*Timer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.timers)
}

// pulled runs the pull functions side by side, as one may wait.
func (r *Registry) pulled(ctx context.Context) []Sample {
	sources := r.sources()
	results := make(chan []Sample, len(sources)) // so that a late one ends, too
	running := 0
	for _, s := range sources {
		if s.busy.CompareAndSwap(false, true) {
			running++
			go func() {
				samples := s.collect(ctx)
				s.busy.Store(false) // before whoever waits goes on, and asks again
				results <- samples
			}()
		}
	}
	var all []Sample
	for ; running > 0; running-- {
		select {
		case samples := <-results:
			all = append(all, samples...)
		case <-ctx.Done():
			return all
		}
	}
	return all
}

func (r *Registry) sources() []*source {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*source, 0, len(r.pulls))
	for s := range r.pulls {
		all = append(all, s)
	}
	return all
}

func (s *source) collect(ctx context.Context) (samples []Sample) {
	s.pull(ctx, func(kind Kind, name string, value float64) {
		samples = append(samples, Sample{Name: name, Kind: kind, Value: value})
	})
	return samples
}
