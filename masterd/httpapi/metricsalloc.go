package httpapi

import (
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
)

// always are the resources that allocator metrics have even when there is none.
var always = []string{"cpus", "disk", "mem"}

// pullAllocatorQueue emits under both names, that of before Mesos 1.0 last.
func pullAllocatorQueue(queued int, emit metrics.Emit) {
	emit(metrics.Gauge, "allocator/mesos/event_queue_dispatches", float64(queued))
	emit(metrics.Gauge, "allocator/event_queue_dispatches", float64(queued))
}

func pullAllocator(s allocator.Stats, emit metrics.Emit) {
	const prefix = "allocator/mesos/"
	emit(metrics.Counter, prefix+"allocation_runs", float64(s.Runs))
	for _, name := range always {
		emit(metrics.Gauge, prefix+"resources/"+name+"/total", s.Total.Get(name).Float())
		emit(metrics.Gauge, prefix+"resources/"+name+"/offered_or_allocated", s.Held.Get(name).Float())
	}
	for _, r := range s.Roles {
		if r.HasFrameworks {
			emit(metrics.Gauge, prefix+"roles/"+r.Role+"/shares/dominant", r.DominantShare)
			emit(metrics.Gauge, prefix+"offer_filters/roles/"+r.Role+"/active", float64(r.ActiveFilters))
		}
		if !r.HasQuota {
			continue
		}
		of := prefix + "quota/roles/" + r.Role + "/resources/"
		for kind, amounts := range map[string]resources.Quantities{
			"guarantee": r.Guarantee, "offered_or_allocated": r.Held, "consumed": r.Consumed,
		} {
			for _, q := range amounts {
				emit(metrics.Gauge, of+q.Name+"/"+kind, q.Value.Float())
			}
		}
		for _, q := range r.Guarantee { // also of what nobody holds
			if r.Held.Get(q.Name) == 0 {
				emit(metrics.Gauge, of+q.Name+"/offered_or_allocated", 0)
			}
		}
	}
}
