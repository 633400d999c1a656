package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	v0 "github.com/mesos-operator/mesos-operator/api/mesos/v0/scheduler"
)

// Accepts returns an empty message of every type that PeerMessage may carry,
// for whoever has to decode them by name.
func Accepts() []proto.Message {
	return []proto.Message{
		// Native drivers.
		(*v0.Call)(nil),
		(*messages.RegisterFrameworkMessage)(nil),
		(*messages.ReregisterFrameworkMessage)(nil),
		(*messages.UnregisterFrameworkMessage)(nil),
		(*messages.DeactivateFrameworkMessage)(nil),
		(*messages.ResourceRequestMessage)(nil),
		(*messages.LaunchTasksMessage)(nil),
		(*messages.ReviveOffersMessage)(nil),
		(*messages.KillTaskMessage)(nil),
		(*messages.StatusUpdateAcknowledgementMessage)(nil),
		(*messages.FrameworkToExecutorMessage)(nil),
		(*messages.ReconcileTasksMessage)(nil),
		// Agents.
		(*messages.RegisterSlaveMessage)(nil),
		(*messages.ReregisterSlaveMessage)(nil),
		(*messages.UnregisterSlaveMessage)(nil),
		(*messages.UpdateSlaveMessage)(nil),
		(*messages.UpdateOperationStatusMessage)(nil),
		(*messages.StatusUpdateMessage)(nil),
		(*messages.ExecutorToFrameworkMessage)(nil),
		(*messages.ExitedExecutorMessage)(nil),
		(*messages.PongSlaveMessage)(nil),
	}
}

func (m *Machine) peerMessage(in PeerMessage) {
	switch msg := in.Message.(type) {
	case *v0.Call:
		m.driverCall(in, msg)
	case *messages.RegisterFrameworkMessage:
		m.driverRegister(in, msg)
	case *messages.ReregisterFrameworkMessage:
		m.driverReregister(in, msg)
	case *messages.UnregisterFrameworkMessage:
		m.driverUnregister(in, msg)
	case *messages.DeactivateFrameworkMessage:
		m.driverDeactivate(in, msg)
	case *messages.ResourceRequestMessage:
		m.driverRequest(in, msg)
	case *messages.LaunchTasksMessage:
		m.driverLaunch(in, msg)
	case *messages.ReviveOffersMessage:
		m.driverRevive(in, msg)
	case *messages.KillTaskMessage:
		m.driverKill(in, msg)
	case *messages.StatusUpdateAcknowledgementMessage:
		m.driverAcknowledge(in, msg)
	case *messages.FrameworkToExecutorMessage:
		m.driverMessage(in, msg)
	case *messages.ReconcileTasksMessage:
		m.driverReconcile(in, msg)
	case *messages.RegisterSlaveMessage:
		m.registerAgent(in, msg)
	case *messages.ReregisterSlaveMessage:
		m.reregisterAgent(in, msg)
	case *messages.UnregisterSlaveMessage:
		m.unregisterAgent(in, msg)
	case *messages.UpdateSlaveMessage:
		m.updateAgent(msg)
	case *messages.UpdateOperationStatusMessage:
		m.operationUpdate(msg)
	case *messages.StatusUpdateMessage:
		m.statusUpdate(msg)
	case *messages.ExecutorToFrameworkMessage:
		m.executorMessage(msg)
	case *messages.ExitedExecutorMessage:
		m.executorExited(msg)
	case *messages.PongSlaveMessage:
		m.pong(in.From)
	default:
		m.stats.DroppedMessages++
		m.warn("a message that the master does not know", "from", in.From, "message", messageName(in.Message))
	}
}

func messageName(msg proto.Message) string {
	if msg == nil {
		return "none"
	}
	return string(msg.ProtoReflect().Descriptor().FullName())
}
