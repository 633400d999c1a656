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
	results := make(chan []Sample, len(sources))
	for _, s := range sources {
		go func() { results <- s.collect(ctx) }()
	}
	var all []Sample
	for range sources {
		all = append(all, <-results...)
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
