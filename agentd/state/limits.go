package state

import (
	"math"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// limits are those of a run's container with all that it runs now.
func (m *Machine) limits(r *run) map[string]*mesos.Value_Scalar {
	var queued []*mesos.TaskInfo
	for _, q := range r.queued {
		queued = append(queued, q.info)
	}
	return m.limitsOf(r.info.GetResources(), queued, r.launched)
}

// limitsOf adds up what a container may use beyond its requests. As in Mesos
// there is a limit only if some task has one; then the requests of the executor
// and of tasks without a limit count into it. For cpus that holds only where
// requests are enforced: elsewhere the limit would throttle those tasks.
func (m *Machine) limitsOf(
	executor []*mesos.Resource, queued []*mesos.TaskInfo, launched map[string]*mesos.Task,
) map[string]*mesos.Value_Scalar {
	out := map[string]*mesos.Value_Scalar{}
	for _, name := range []string{"cpus", "mem"} {
		limit, limited, requests := 0.0, false, 0.0
		add := func(limits map[string]*mesos.Value_Scalar, resources []*mesos.Resource) {
			if l := limits[name]; l != nil {
				limit += l.GetValue()
				limited = true
				return
			}
			requests += scalar(resources, name)
		}
		for _, t := range queued {
			add(t.GetLimits(), t.GetResources())
		}
		for _, t := range sorted(launched) {
			add(t.GetLimits(), t.GetResources())
		}
		if !limited || name == "cpus" && requests > 0 && !m.cfg.EnableCFS {
			continue
		}
		out[name] = &mesos.Value_Scalar{Value: new(round(limit + requests + scalar(executor, name)))}
	}
	return out
}

// scalar adds up a resource by name.
func scalar(resources []*mesos.Resource, name string) float64 {
	total := 0.0
	for _, r := range resources {
		if r.GetName() == name {
			total += r.GetScalar().GetValue()
		}
	}
	return total
}

// round keeps the three digits that Mesos has. Infinity stays.
func round(v float64) float64 {
	if math.IsInf(v, 0) {
		return v
	}
	return math.Round(v*1000) / 1000
}
