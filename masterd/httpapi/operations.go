package httpapi

import (
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// getOperations lists the operations on resources that may be seen.
func getOperations(v *state.View, see visible) *mesosmaster.Response_GetOperations {
	r := &mesosmaster.Response_GetOperations{}
	for o := range v.Operations.All() {
		if see.operation(o) {
			r.Operations = append(r.Operations, o)
		}
	}
	return r
}

// operation says whether an operation may be seen: all of its resources must be.
func (s visible) operation(o *mesos.Operation) bool {
	if s.roles.Always() {
		return true
	}
	for _, list := range resources.Lists(o.GetInfo()) {
		if len(s.resources(list)) < len(list) {
			return false
		}
	}
	return true
}

// The states that master/operations/* have: the first can be left again, so they
// are gauges.
var (
	openOperations = []mesos.OperationState{
		mesos.OperationState_OPERATION_PENDING, mesos.OperationState_OPERATION_RECOVERING,
		mesos.OperationState_OPERATION_UNREACHABLE,
	}
	settledOperations = []mesos.OperationState{
		mesos.OperationState_OPERATION_FINISHED, mesos.OperationState_OPERATION_FAILED,
		mesos.OperationState_OPERATION_ERROR, mesos.OperationState_OPERATION_DROPPED,
		mesos.OperationState_OPERATION_GONE_BY_OPERATOR,
	}
)

// pullOperations emits operations by state, of all types and of each.
func pullOperations(s *state.OperationStats, emit metrics.Emit) {
	var all [state.OperationStates]int64
	for t := range s {
		for state, n := range s[t] {
			all[state] += n
		}
	}
	emitOperations("master/operations/", all[:], emit)
	for t := mesos.Offer_Operation_RESERVE; t <= mesos.Offer_Operation_DESTROY_DISK; t++ {
		if name, known := mesos.Offer_Operation_Type_name[int32(t)]; known && t != mesos.Offer_Operation_LAUNCH_GROUP {
			emitOperations("master/operations/"+strings.ToLower(name)+"/", s[t][:], emit)
		}
	}
}

func emitOperations(prefix string, counts []int64, emit metrics.Emit) {
	var total int64
	for _, n := range counts {
		total += n
	}
	emit(metrics.Gauge, prefix+"total", float64(total))
	name := func(s mesos.OperationState) string {
		return prefix + strings.ToLower(strings.TrimPrefix(s.String(), "OPERATION_"))
	}
	for _, s := range openOperations {
		emit(metrics.Gauge, name(s), float64(counts[s]))
	}
	for _, s := range settledOperations {
		emit(metrics.Counter, name(s), float64(counts[s]))
	}
}
