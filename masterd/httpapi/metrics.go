package httpapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// pullMetrics emits everything that follows from the state of the master. A
// master that doesn't lead has only the first few.
func (a *API) pullMetrics(ctx context.Context, emit metrics.Emit) {
	emit(metrics.Gauge, "master/uptime_secs", time.Since(a.cfg.Started).Seconds())
	e := a.cfg.Engine()
	if e == nil {
		emit(metrics.Gauge, "master/elected", 0)
		return
	}
	emit(metrics.Gauge, "master/elected", 1)
	engineStats := e.Stats()
	pullEngine(engineStats, emit)
	pullAllocatorQueue(engineStats.QueuedAllocations, emit)
	if stats, err := e.AllocatorStats(ctx); err == nil {
		pullAllocator(stats, emit)
	}
	v, err := e.View(ctx)
	if err != nil {
		return // the values of this moment are lost with the term or the client
	}
	pullCounters(&v.Stats, emit)
	pullOperations(&v.Stats.Operations, emit)
	pullAgents(v, emit)
	pullFrameworks(v, a.cfg.PerFrameworkMetrics, emit)
	pullTasks(v, emit)
	emit(metrics.Gauge, "master/outstanding_offers", float64(v.Offers.Len()))
}

func pullEngine(s engine.Stats, emit metrics.Emit) {
	emit(metrics.Gauge, "master/event_queue_dispatches", float64(s.QueuedInputs))
	emit(metrics.Gauge, "master/event_queue_http_requests", 0) // handlers wait by themselves, not in a queue
	emit(metrics.Gauge, "master/event_queue_messages", 0)
	emit(metrics.Gauge, "master/operator_event_stream_subscribers", float64(s.OperatorStreams))
	emit(metrics.Gauge, "registrar/queued_operations", float64(s.QueuedWrites))
	emit(metrics.Gauge, "registrar/registry_size_bytes", float64(s.RegistryBytes))
	emit(metrics.Counter, "master/messages_authenticate", float64(s.Authentications))
	emit(metrics.Counter, "master/engine/steps", float64(s.Steps))
	emit(metrics.Counter, "master/engine/step_secs", s.StepTime.Seconds())
	emit(metrics.Counter, "master/engine/slow_subscribers", float64(s.SlowSubscribers))
	emit(metrics.Counter, "master/engine/malformed_messages", float64(s.MalformedMessages))
}

func pullCounters(s *state.Stats, emit metrics.Emit) {
	for name, n := range map[string]uint64{
		"slave_registrations": s.AgentRegistrations, "slave_reregistrations": s.AgentReregistrations,
		"slave_removals": s.AgentRemovals, "slave_removals/reason_unhealthy": s.RemovalsUnhealthy,
		"slave_removals/reason_unregistered": s.RemovalsUnregistered,
		"slave_removals/reason_registered":   s.RemovalsRegistered,
		"slave_unreachable_scheduled":        s.UnreachableScheduled,
		"slave_unreachable_canceled":         s.UnreachableCanceled,
		"slave_unreachable_completed":        s.UnreachableCompleted,
		"recovery_slave_removals":            s.RecoveryAgentRemovals,
		"dropped_messages":                   s.DroppedMessages,

		"valid_status_updates": s.ValidStatusUpdates, "invalid_status_updates": s.InvalidStatusUpdates,
		"valid_status_update_acknowledgements":             s.ValidStatusUpdateAcks,
		"invalid_status_update_acknowledgements":           s.InvalidStatusUpdateAcks,
		"valid_framework_to_executor_messages":             s.ValidFrameworkToExecutor,
		"invalid_framework_to_executor_messages":           s.InvalidFrameworkToExecutor,
		"valid_executor_to_framework_messages":             s.ValidExecutorToFramework,
		"invalid_executor_to_framework_messages":           s.InvalidExecutorToFramework,
		"valid_operation_status_update_acknowledgements":   s.ValidOperationUpdateAcks,
		"invalid_operation_status_update_acknowledgements": s.InvalidOperationUpdateAcks,
		"valid_operation_status_updates":                   s.ValidOperationUpdates,
		"invalid_operation_status_updates":                 s.InvalidOperationUpdates,
		"slave_shutdowns_scheduled":                        0, // deprecated: agents are marked unreachable instead
		"slave_shutdowns_canceled":                         0,
		"slave_shutdowns_completed":                        0,
		"http_cache_hits":                                  0,
	} {
		emit(metrics.Counter, "master/"+name, float64(n))
	}
	for principal, n := range s.Principals {
		emit(metrics.Counter, "frameworks/"+principal+"/messages_received", float64(n.Received))
		emit(metrics.Counter, "frameworks/"+principal+"/messages_processed", float64(n.Processed))
	}
	for kind, n := range s.Messages {
		emit(metrics.Counter, "master/messages_"+state.MessageKind(kind).String(), float64(n))
	}
	for _, t := range terminalStates {
		emit(metrics.Counter, "master/tasks_"+lowerState(t), float64(s.TerminalTasks[t]))
	}
	for r, n := range s.TaskReasons {
		emit(metrics.Counter, "master/task_"+lowerState(r.State)+"/"+oldName(r.Source.String())+"/"+oldName(r.Reason.String()), float64(n))
	}
}

// oldName is a value of an enum in metrics, whose names are older than the v1
// API: "source_slave" of SOURCE_AGENT.
func oldName(v1 string) string {
	return strings.ToLower(strings.Replace(v1, "_AGENT", "_SLAVE", 1))
}

var (
	terminalStates = []mesos.TaskState{
		mesos.TaskState_TASK_DROPPED, mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_FAILED,
		mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR,
		mesos.TaskState_TASK_KILLED, mesos.TaskState_TASK_LOST,
	}
	liveStates = []mesos.TaskState{
		mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING,
		mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_KILLING,
	}
	// activeStates are those that a framework's metrics call active.
	activeStates = append(liveStates[:len(liveStates):len(liveStates)],
		mesos.TaskState_TASK_UNREACHABLE, mesos.TaskState_TASK_UNKNOWN)
)

// lowerState is "finished" of TASK_FINISHED.
func lowerState(s mesos.TaskState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "TASK_"))
}

// pullAgents emits gauges of agents and sums of their resources.
func pullAgents(v *state.View, emit metrics.Emit) {
	var active, connected int
	total, used := map[string]float64{}, map[string]resources.Scalar{}
	for a := range v.Agents.All() {
		active += one(a.Active)
		connected += one(a.Connected)
		for _, r := range a.Info.GetResources() {
			if r.GetType() == mesos.Value_SCALAR && r.Revocable == nil {
				total[r.GetName()] += r.GetScalar().GetValue()
			}
		}
		for _, r := range a.Total {
			if r.GetType() == mesos.Value_SCALAR && r.Revocable != nil {
				total[r.GetName()+"_revocable"] += r.GetScalar().GetValue()
			}
		}
		for _, r := range a.Used {
			name := r.GetName()
			if r.Revocable != nil {
				name += "_revocable"
			}
			if r.GetType() == mesos.Value_SCALAR {
				used[name] += resources.ScalarOf(r.GetScalar().GetValue())
			}
		}
	}
	for name, n := range map[string]int{
		"active": active, "inactive": v.Agents.Len() - active,
		"connected": connected, "disconnected": v.Agents.Len() - connected,
		"unreachable": v.UnreachableAgents.Len(),
	} {
		emit(metrics.Gauge, "master/slaves_"+name, float64(n))
	}
	for _, name := range []string{"cpus", "disk", "gpus", "mem"} {
		for _, kind := range []string{name, name + "_revocable"} {
			emit(metrics.Gauge, "master/"+kind+"_total", total[kind])
			emit(metrics.Gauge, "master/"+kind+"_used", used[kind].Float())
			percent := 0.0
			if total[kind] > 0 {
				percent = used[kind].Float() / total[kind]
			}
			emit(metrics.Gauge, "master/"+kind+"_percent", percent)
		}
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func pullTasks(v *state.View, emit metrics.Emit) {
	var live [mesos.TaskState_TASK_UNKNOWN + 1]int
	for t := range v.Tasks.All() {
		if s := t.GetState(); s >= 0 && int(s) < len(live) {
			live[s]++
		}
	}
	for _, s := range liveStates {
		emit(metrics.Gauge, "master/tasks_"+lowerState(s), float64(live[s]))
	}
	unreachable := 0
	for t := range v.UnreachableTasks.All() {
		unreachable += one(t.GetState() == mesos.TaskState_TASK_UNREACHABLE)
	}
	emit(metrics.Gauge, "master/tasks_unreachable", float64(unreachable))
}

func pullFrameworks(v *state.View, each bool, emit metrics.Emit) {
	var active, connected int
	for f := range v.Frameworks.All() {
		active += one(f.Active)
		connected += one(f.Connected)
		if each {
			pullFramework(f, emit)
		}
	}
	for name, n := range map[string]int{
		"active": active, "inactive": v.Frameworks.Len() - active,
		"connected": connected, "disconnected": v.Frameworks.Len() - connected,
	} {
		emit(metrics.Gauge, "master/frameworks_"+name, float64(n))
	}
}

// encodeName percent-encodes the name of a framework as libprocess does: also
// some characters that may stand in URLs.
func encodeName(name string) string {
	var out strings.Builder
	for _, c := range []byte(name) {
		if c < 0x20 || c > 0x7f || strings.IndexByte("$&+,/:;=?@ \"<>#%{}|\\^~[]`", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

func pullFramework(f *state.Framework, emit metrics.Emit) {
	prefix := "master/frameworks/" + encodeName(f.Info.GetName()) + "/" + string(f.ID) + "/"
	emit(metrics.Gauge, prefix+"subscribed", float64(one(f.Connected)))
	s := f.Stats
	if s == nil {
		return
	}
	pullNamed(emit, prefix+"calls", s.Calls[:], scheduler.Call_Type_name)
	pullNamed(emit, prefix+"events", s.Events[:], scheduler.Event_Type_name)
	pullNamed(emit, prefix+"operations", s.Operations[:], mesos.Offer_Operation_Type_name)
	for _, t := range activeStates {
		emit(metrics.Gauge, prefix+"tasks/active/task_"+lowerState(t), float64(s.ActiveTasks[t]))
	}
	for _, t := range terminalStates {
		emit(metrics.Counter, prefix+"tasks/terminal/task_"+lowerState(t), float64(s.TerminalTasks[t]))
	}
	emit(metrics.Counter, prefix+"offers/sent", float64(s.OffersSent))
	emit(metrics.Counter, prefix+"offers/accepted", float64(s.OffersAccepted))
	emit(metrics.Counter, prefix+"offers/declined", float64(s.OffersDeclined))
	emit(metrics.Counter, prefix+"offers/rescinded", float64(s.OffersRescinded))
	suppressed := map[string]bool{}
	for _, role := range f.Suppressed {
		suppressed[role] = true
	}
	for _, role := range f.Roles {
		emit(metrics.Gauge, prefix+"roles/"+role+"/suppressed", float64(one(suppressed[role])))
	}
}

// pullNamed emits counters by enum value, and their sum. UNKNOWN has none.
func pullNamed(emit metrics.Emit, prefix string, counts []uint64, names map[int32]string) {
	var sum uint64
	for value, n := range counts {
		sum += n
		if name := names[int32(value)]; name != "" && name != "UNKNOWN" {
			emit(metrics.Counter, prefix+"/"+strings.ToLower(name), float64(n))
		}
	}
	emit(metrics.Counter, prefix, float64(sum))
}
