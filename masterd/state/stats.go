package state

import (
	"maps"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// The enums of the wire are small and dense, so counters by their values are
// arrays.
const (
	taskStates = int(mesos.TaskState_TASK_UNKNOWN) + 1
	callTypes  = int(scheduler.Call_UPDATE_FRAMEWORK) + 1
	eventTypes = int(scheduler.Event_UPDATE_OPERATION_STATUS) + 1
	operations = int(mesos.Offer_Operation_DESTROY_DISK) + 1
)

// Stats are the counters of a master since it was elected, under the names
// that /metrics/snapshot has for them with the prefix "master/". Gauges are
// not here: they follow from the tables of a View.
type Stats struct {
	AgentRegistrations, AgentReregistrations, AgentRemovals         uint64
	RemovalsUnhealthy, RemovalsUnregistered, RemovalsRegistered     uint64
	UnreachableScheduled, UnreachableCanceled, UnreachableCompleted uint64
	RecoveryAgentRemovals                                           uint64
	DroppedMessages                                                 uint64
	ValidStatusUpdates, InvalidStatusUpdates                        uint64
	ValidStatusUpdateAcks, InvalidStatusUpdateAcks                  uint64
	ValidFrameworkToExecutor, InvalidFrameworkToExecutor            uint64
	ValidExecutorToFramework, InvalidExecutorToFramework            uint64
	ValidOperationUpdateAcks, InvalidOperationUpdateAcks            uint64
	ValidOperationUpdates, InvalidOperationUpdates                  uint64
	// Messages counts what arrived, by kind.
	Messages [messageKinds]uint64
	// TerminalTasks counts tasks that ended, by their final state.
	TerminalTasks [taskStates]uint64
	// TaskReasons counts tasks that ended, by state, source and reason.
	TaskReasons map[TaskReason]uint64
	// Principals counts the messages of native drivers by their principal, of
	// those principals that a framework has now, under "frameworks/<principal>/".
	Principals map[string]PrincipalStats
	// Operations counts operations other than launches.
	Operations OperationStats
}

// PrincipalStats are the messages of the drivers of one principal. The
// difference is what was dropped, or waits for its rate.
type PrincipalStats struct{ Received, Processed uint64 }

func (s *Stats) countReason(r TaskReason) {
	if s.TaskReasons == nil {
		s.TaskReasons = map[TaskReason]uint64{}
	}
	s.TaskReasons[r]++
}

func (s *Stats) clone() Stats {
	c := *s
	c.TaskReasons = maps.Clone(s.TaskReasons)
	c.Principals = maps.Clone(s.Principals)
	return c
}

// TaskReason is how and why a task ended, as in "task_lost/source_master/
// reason_invalid_offers".
type TaskReason struct {
	State  mesos.TaskState
	Source mesos.TaskStatus_Source
	Reason mesos.TaskStatus_Reason
}

// FrameworkStats are the counters of one framework since it was added, under
// "frameworks/<name>/<ID>/".
type FrameworkStats struct {
	Calls                                                       [callTypes]uint64
	Events                                                      [eventTypes]uint64
	Operations                                                  [operations]uint64
	TerminalTasks                                               [taskStates]uint64
	ActiveTasks                                                 [taskStates]int64
	OffersSent, OffersAccepted, OffersDeclined, OffersRescinded uint64
}

// MessageKind is what an incoming message or call asks for, whichever dialect
// it came in.
type MessageKind uint8

// The kinds that "messages_*" metrics count.
const (
	MessageRegisterFramework MessageKind = iota
	MessageReregisterFramework
	MessageUnregisterFramework
	MessageDeactivateFramework
	MessageKillTask
	MessageStatusUpdateAck
	MessageResourceRequest
	MessageLaunchTasks
	MessageDeclineOffers
	MessageReviveOffers
	MessageSuppressOffers
	MessageReconcileTasks
	MessageReconcileOperations
	MessageFrameworkToExecutor
	MessageOperationUpdateAck
	MessageRegisterAgent
	MessageReregisterAgent
	MessageUnregisterAgent
	MessageStatusUpdate
	MessageExitedExecutor
	MessageUpdateAgent
	MessageOperationStatusUpdate
	MessageExecutorToFramework
	messageKinds
)

var messageNames = [messageKinds]string{
	"register_framework", "reregister_framework", "unregister_framework", "deactivate_framework",
	"kill_task", "status_update_acknowledgement", "resource_request", "launch_tasks", "decline_offers",
	"revive_offers", "suppress_offers", "reconcile_tasks", "reconcile_operations", "framework_to_executor",
	"operation_status_update_acknowledgement", "register_slave", "reregister_slave", "unregister_slave",
	"status_update", "exited_executor", "update_slave", "operation_status_update", "executor_to_framework",
}

// String returns the kind as metrics name it, "register_slave".
func (k MessageKind) String() string {
	if k < messageKinds {
		return messageNames[k]
	}
	return "unknown"
}
