package metrics

import (
	"context"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers /metrics in Prometheus's format: the values of the registry,
// those of the Go runtime and of the process.
func (r *Registry) Handler() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(r, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Describe implements prometheus.Collector. Nothing is described in advance, as
// frameworks and roles come and go.
func (r *Registry) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. A counter's name gets "_total"; a
// timer becomes a summary in seconds.
func (r *Registry) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), maxSnapshotTime)
	defer cancel()
	seen := map[string]bool{} // names that differ in Mesos may be one here
	send := func(s series, make func(*prometheus.Desc, ...string) prometheus.Metric) {
		if key := s.key(); !seen[key] {
			seen[key] = true
			out <- make(prometheus.NewDesc(s.name, s.source, s.labels, nil), s.values...)
		}
	}
	for _, sample := range r.values(ctx) {
		kind, s := prometheus.GaugeValue, parseName(sample.Name)
		if sample.Kind == Counter {
			kind = prometheus.CounterValue
			s.name += "_total"
		}
		send(s, func(d *prometheus.Desc, values ...string) prometheus.Metric {
			return prometheus.MustNewConstMetric(d, kind, sample.Value, values...)
		})
	}
	for name, t := range r.allTimers() {
		s := parseName(strings.TrimSuffix(name, "_ms") + "_seconds")
		send(s, func(d *prometheus.Desc, values ...string) prometheus.Metric {
			return t.metric(d, values...)
		})
	}
}

// metric is the timer as a summary: count and sum of all time, quantiles of the
// window.
func (t *Timer) metric(d *prometheus.Desc, labels ...string) prometheus.Metric {
	s := t.summary()
	quantiles := map[float64]float64{}
	for i, value := range s.percentiles {
		quantiles[percentiles[i].at] = value / 1000
	}
	return prometheus.MustNewConstSummary(d, uint64(s.total.n), s.total.sum/1000, quantiles, labels...)
}
