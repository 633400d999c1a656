package metrics

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// timerWindow and timerValues are what percentiles are of: the last hour,
	// and not more than the latest 1,000 durations in it.
	timerWindow = time.Hour
	timerValues = 1000
)

// percentiles are those that Mesos shows, under its names.
var percentiles = []struct {
	name string
	at   float64
}{
	{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999},
}

// Timer collects durations. The zero value is ready to use.
type Timer struct {
	mu     sync.Mutex
	recent []observation // a ring once it is full
	next   int           // where the next one goes in a full ring
	last   time.Duration
	count  uint64        // of all time
	sum    time.Duration // of all time
}

type observation struct {
	at       time.Time
	duration time.Duration
}

// Observe adds a duration.
func (t *Timer) Observe(d time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.count, t.sum = d, t.count+1, t.sum+d
	if len(t.recent) < timerValues {
		t.recent = append(t.recent, observation{now, d})
		return
	}
	t.recent[t.next] = observation{now, d}
	t.next = (t.next + 1) % timerValues
}

// Start begins to time; the returned function ends it.
func (t *Timer) Start() (stop func()) {
	begin := time.Now()
	return func() { t.Observe(time.Since(begin)) }
}

// summary is what a timer shows. Durations are in milliseconds.
type summary struct {
	last, min, max float64
	values         int                      // in the window
	percentiles    []float64                // as the variable percentiles; nil for less than two values
	total          struct{ n, sum float64 } // of all time
}

func (t *Timer) summary() summary {
	t.mu.Lock()
	since := time.Now().Add(-timerWindow)
	values := make([]float64, 0, len(t.recent))
	for _, o := range t.recent {
		if o.at.After(since) {
			values = append(values, milliseconds(o.duration))
		}
	}
	s := summary{last: milliseconds(t.last), values: len(values)}
	s.total.n, s.total.sum = float64(t.count), milliseconds(t.sum)
	t.mu.Unlock()

	if len(values) < 2 {
		return s
	}
	slices.Sort(values)
	s.min, s.max = values[0], values[len(values)-1]
	for _, p := range percentiles {
		s.percentiles = append(s.percentiles, interpolate(values, p.at))
	}
	return s
}

// samples appends what Mesos shows: nothing before the first value, the last
// value from then on, and percentiles from the second one in the window on.
func (t *Timer) samples(samples []Sample, name string) []Sample {
	s := t.summary()
	if s.total.n == 0 {
		return samples
	}
	add := func(suffix string, value float64) {
		samples = append(samples, Sample{Name: name + suffix, Kind: Gauge, Value: value})
	}
	add("", s.last)
	if s.percentiles == nil {
		return samples
	}
	add("/count", float64(s.values))
	add("/max", s.max)
	add("/min", s.min)
	for i, p := range percentiles {
		add("/"+p.name, s.percentiles[i])
	}
	return samples
}

// interpolate returns the value at a share p of sorted values, between the two
// nearest ones in proportion.
func interpolate(sorted []float64, p float64) float64 {
	position := p * float64(len(sorted)-1)
	below := int(math.Floor(position))
	if below >= len(sorted)-1 {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (position-float64(below))*(sorted[below+1]-sorted[below])
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
