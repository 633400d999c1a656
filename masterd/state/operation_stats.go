package state

import mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

// OperationStates bounds the values of mesos.OperationState.
const OperationStates = int(mesos.OperationState_OPERATION_UNKNOWN) + 1

// OperationStats counts operations by type and state, as master/operations/*:
// those that are under way now, and those that ever got to a final state.
type OperationStats [operations][OperationStates]int64

func (s *OperationStats) add(t mesos.Offer_Operation_Type, state mesos.OperationState, n int64) {
	if t >= 0 && int(t) < len(s) && state >= 0 && int(state) < OperationStates {
		s[t][state] += n
	}
}
