package engine

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// recoveryStats tell how recovery went.
type recoveryStats struct {
	errors  atomic.Uint64
	seconds atomic.Uint64 // bits of a float64
	over    atomic.Bool
}

func (r *recoveryStats) done(d time.Duration) {
	r.seconds.Store(math.Float64bits(d.Seconds()))
	r.over.Store(true)
}

// registerMetrics shows the agent under the names that Mesos has.
func (e *Engine) registerMetrics() {
	e.cfg.Metrics.Pull(func(ctx context.Context, emit metrics.Emit) {
		e.emitEngine(emit)
		v, err := e.View(ctx)
		if err != nil {
			return
		}
		emitCounters(v.Counters, emit)
		emitStates(v, emit)
		emitResources(v, emit)
		emitProviders(v, emit)
	})
}

func (e *Engine) emitEngine(emit metrics.Emit) {
	emit(metrics.Gauge, "slave/uptime_secs", time.Since(e.started).Seconds())
	emit(metrics.Counter, "slave/recovery_errors", float64(e.recovery.errors.Load()))
	if e.recovery.over.Load() {
		emit(metrics.Gauge, "slave/recovery_time_secs", math.Float64frombits(e.recovery.seconds.Load()))
	}
	emit(metrics.Gauge, "slave/executor_directory_max_allowed_age_secs", time.Duration(e.gc.maxAge.Load()).Seconds())
	emit(metrics.Counter, "gc/path_removals_succeeded", float64(e.gc.succeeded.Load()))
	emit(metrics.Counter, "gc/path_removals_failed", float64(e.gc.failed.Load()))
	emit(metrics.Gauge, "gc/path_removals_pending", float64(e.gc.pending()))
}

func emitCounters(c state.Counters, emit metrics.Emit) {
	for name, n := range map[string]uint64{
		"slave/tasks_finished":             c.TasksFinished,
		"slave/tasks_failed":               c.TasksFailed,
		"slave/tasks_killed":               c.TasksKilled,
		"slave/tasks_lost":                 c.TasksLost,
		"slave/tasks_gone":                 c.TasksGone,
		"slave/valid_status_updates":       c.ValidStatusUpdates,
		"slave/invalid_status_updates":     c.InvalidStatusUpdates,
		"slave/valid_framework_messages":   c.ValidFrameworkMessages,
		"slave/invalid_framework_messages": c.InvalidFrameworkMessages,
		"slave/executors_terminated":       c.ExecutorsTerminated,
		"slave/container_launch_errors":    c.ContainerLaunchErrors,
		"slave/executors_preempted":        c.ExecutorsPreempted,
	} {
		emit(metrics.Counter, name, float64(n))
	}
}

// emitStates counts what is in which state.
func emitStates(v *state.View, emit metrics.Emit) {
	tasks := map[mesos.TaskState]int{}
	executors := map[state.RunPhase]int{}
	for _, f := range v.Frameworks {
		for _, x := range f.Executors {
			executors[x.Phase]++
			tasks[mesos.TaskState_TASK_STAGING] += len(x.Queued)
			for _, t := range x.Launched {
				tasks[t.GetState()]++
			}
		}
	}
	registered := 0.0
	if v.Phase == state.Running {
		registered = 1
	}
	for name, n := range map[string]float64{
		"slave/registered":            registered,
		"slave/frameworks_active":     float64(len(v.Frameworks)),
		"slave/tasks_staging":         float64(tasks[mesos.TaskState_TASK_STAGING]),
		"slave/tasks_starting":        float64(tasks[mesos.TaskState_TASK_STARTING]),
		"slave/tasks_running":         float64(tasks[mesos.TaskState_TASK_RUNNING]),
		"slave/tasks_killing":         float64(tasks[mesos.TaskState_TASK_KILLING]),
		"slave/executors_registering": float64(executors[state.Registering]),
		"slave/executors_running":     float64(executors[state.Active]),
		"slave/executors_terminating": float64(executors[state.Stopping]),
	} {
		emit(metrics.Gauge, name, n)
	}
}

// emitResources tells how much there is and how much is used, revocable apart.
func emitResources(v *state.View, emit metrics.Emit) {
	total := resources.Of(v.Total...)
	var used resources.Resources
	for _, f := range v.Frameworks {
		for _, x := range f.Executors {
			if x.Phase != state.Terminated {
				used = used.Add(resources.Of(x.Resources...))
			}
		}
	}
	for _, name := range []string{"cpus", "gpus", "mem", "disk"} {
		emitUse(emit, "slave/"+name, total.NonRevocable().Scalar(name), used.NonRevocable().Scalar(name))
		emitUse(emit, "slave/"+name+"_revocable", v.Lent.Scalar(name), used.Revocable().Scalar(name))
	}
}

// emitProviders counts resource providers, and the operations on theirs by the
// names that those of Mesos's own providers have.
func emitProviders(v *state.View, emit metrics.Emit) {
	emit(metrics.Gauge, "resource_provider_manager/subscribed", float64(len(v.Providers)))
	emit(metrics.Counter, "resource_provider_manager/events/subscribe", float64(v.Counters.ProviderSubscriptions))
	emit(metrics.Counter, "resource_provider_manager/events/disconnect", float64(v.Counters.ProviderDisconnections))
	for kind, n := range v.OperationCounts {
		name := "resource_providers/" + kind.ProviderType + "." + kind.ProviderName +
			"/operations/" + strings.ToLower(kind.Operation.String())
		emit(metrics.Gauge, name+"/pending", float64(n.Pending))
		emit(metrics.Counter, name+"/finished", float64(n.Finished))
		emit(metrics.Counter, name+"/failed", float64(n.Failed))
		emit(metrics.Counter, name+"/dropped", float64(n.Dropped))
	}
}

func emitUse(emit metrics.Emit, name string, total, used resources.Scalar) {
	emit(metrics.Gauge, name+"_total", total.Float())
	emit(metrics.Gauge, name+"_used", used.Float())
	percent := 0.0
	if total > 0 {
		percent = used.Float() / total.Float()
	}
	emit(metrics.Gauge, name+"_percent", percent)
}
