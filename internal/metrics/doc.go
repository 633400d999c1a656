// Package metrics counts what the daemons do and shows it twice: as the flat
// JSON of Mesos's /metrics/snapshot, and as a Prometheus collector.
//
// Names are Mesos's: "master/slaves_active". Counters and gauges cost one
// atomic operation; what is known to the state anyway is not counted again but
// pulled when somebody asks:
//
//	reg := metrics.NewRegistry()
//	dropped := reg.Counter("master/dropped_messages")
//	dropped.Inc()
//	reg.Pull(func(ctx context.Context, emit metrics.Emit) {
//		emit(metrics.Gauge, "master/slaves_active", float64(view().ActiveAgents()))
//	})
//
// The registry owns its metrics and no goroutine. Anybody may call anything at
// any time.
package metrics
