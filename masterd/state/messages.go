package state

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

func shutdownFramework(f *framework) *messages.ShutdownFrameworkMessage {
	return &messages.ShutdownFrameworkMessage{FrameworkId: f.protoID}
}

func updateFrameworkMessage(f *framework) *messages.UpdateFrameworkMessage {
	return &messages.UpdateFrameworkMessage{FrameworkId: f.protoID, Pid: f.driverPID(), FrameworkInfo: f.info}
}

func frameworkError(text string) *messages.FrameworkErrorMessage {
	return &messages.FrameworkErrorMessage{Message: &text}
}

func operationEvent(status *mesos.OperationStatus) *scheduler.Event {
	return &scheduler.Event{
		Type:                  scheduler.Event_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &scheduler.Event_UpdateOperationStatus{Status: status},
	}
}
