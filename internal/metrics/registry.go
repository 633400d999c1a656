package metrics

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
)

// Kind is what a value means to Prometheus; Mesos doesn't tell them apart.
type Kind int

const (
	// Counter only grows.
	Counter Kind = iota
	// Gauge goes up and down.
	Gauge
)

// Sample is one value at one time.
type Sample struct {
	Name  string
	Kind  Kind
	Value float64
}

// Emit takes a value from a pull function. It must not be called after the
// function returned.
type Emit func(kind Kind, name string, value float64)

// Registry holds the metrics of one daemon.
type Registry struct {
	mu     sync.RWMutex
	kept   map[string]*value
	timers map[string]*Timer
	pulls  map[*source]struct{}
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry {
	return &Registry{kept: map[string]*value{}, timers: map[string]*Timer{}, pulls: map[*source]struct{}{}}
}

// value is a counter or a gauge: the bits of a float64.
type value struct {
	kind Kind
	bits atomic.Uint64
}

func (v *value) load() float64 { return math.Float64frombits(v.bits.Load()) }

func (v *value) add(delta float64) {
	for {
		old := v.bits.Load()
		if v.bits.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+delta)) {
			return
		}
	}
}

// CounterValue is a counter. The zero value counts and is shown nowhere.
type CounterValue struct{ v *value }

// Inc adds one.
func (c CounterValue) Inc() { c.Add(1) }

// Add adds n, which must not be negative.
func (c CounterValue) Add(n uint64) {
	if c.v != nil {
		c.v.add(float64(n))
	}
}

// Value returns the count.
func (c CounterValue) Value() float64 {
	if c.v == nil {
		return 0
	}
	return c.v.load()
}

// GaugeValue is a gauge. The zero value is shown nowhere.
type GaugeValue struct{ v *value }

// Set replaces the value.
func (g GaugeValue) Set(x float64) {
	if g.v != nil {
		g.v.bits.Store(math.Float64bits(x))
	}
}

// Add changes the value by delta.
func (g GaugeValue) Add(delta float64) {
	if g.v != nil {
		g.v.add(delta)
	}
}

// Value returns the value.
func (g GaugeValue) Value() float64 {
	if g.v == nil {
		return 0
	}
	return g.v.load()
}

// Counter returns the counter of that name, making it if there is none. Keep
// it: this takes a lock. It panics if the name is a gauge's.
func (r *Registry) Counter(name string) CounterValue { return CounterValue{r.value(name, Counter)} }

// Gauge returns the gauge of that name, as Counter does a counter.
func (r *Registry) Gauge(name string) GaugeValue { return GaugeValue{r.value(name, Gauge)} }

func (r *Registry) value(name string, kind Kind) *value {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.kept[name]
	if v == nil {
		v = &value{kind: kind}
		r.kept[name] = v
	}
	if v.kind != kind {
		panic("metrics: " + name + " is both a counter and a gauge")
	}
	return v
}

// Timer returns the timer of that name, which ends in "_ms", making it if there
// is none.
func (r *Registry) Timer(name string) *Timer {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.timers[name]
	if t == nil {
		t = &Timer{}
		r.timers[name] = t
	}
	return t
}

// Pull adds a function that emits values when somebody asks for metrics. It is
// not called by two at once: all who ask while it runs share the next run. It
// should read from a snapshot, and give up when the context ends. The returned
// function removes it again.
func (r *Registry) Pull(pull func(ctx context.Context, emit Emit)) (remove func()) {
	s := &source{pull: pull, turn: make(chan struct{}, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pulls[s] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.pulls, s)
	}
}

// Remove forgets the counters, gauges and timers whose names begin with prefix:
// those of a framework that is gone.
func (r *Registry) Remove(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.kept {
		if strings.HasPrefix(name, prefix) {
			delete(r.kept, name)
		}
	}
	for name := range r.timers {
		if strings.HasPrefix(name, prefix) {
			delete(r.timers, name)
		}
	}
}
