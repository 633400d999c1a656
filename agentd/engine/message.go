package engine

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// handler turns libprocess messages and exits into inputs.
func (e *Engine) handler() libprocess.Handler {
	mux := typed.NewMux()
	take[messages.SlaveRegisteredMessage](e, mux)
	take[messages.SlaveReregisteredMessage](e, mux)
	take[messages.RunTaskMessage](e, mux)
	take[messages.RunTaskGroupMessage](e, mux)
	take[messages.KillTaskMessage](e, mux)
	take[messages.ShutdownExecutorMessage](e, mux)
	take[messages.ShutdownFrameworkMessage](e, mux)
	take[messages.ShutdownMessage](e, mux)
	take[messages.FrameworkToExecutorMessage](e, mux)
	take[messages.UpdateFrameworkMessage](e, mux)
	take[messages.CheckpointResourcesMessage](e, mux)
	take[messages.ApplyOperationMessage](e, mux)
	take[messages.ReconcileOperationsMessage](e, mux)
	take[messages.AcknowledgeOperationStatusMessage](e, mux)
	take[messages.StatusUpdateAcknowledgementMessage](e, mux)
	take[messages.DrainSlaveMessage](e, mux)
	take[messages.PingSlaveMessage](e, mux)
	take[messages.RegisterExecutorMessage](e, mux)
	take[messages.ReregisterExecutorMessage](e, mux)
	take[messages.StatusUpdateMessage](e, mux)
	take[messages.ExecutorToFrameworkMessage](e, mux)
	return libprocess.HandlerFuncs{
		OnMessage: mux.Message,
		OnExited: func(ctx context.Context, pid libprocess.PID) {
			if err := e.Submit(ctx, state.PeerExited{PID: pid.String()}); err != nil {
				e.log.V(1).Info("exit of peer not handled", "peer", pid.String(), "reason", err.Error())
			}
		},
	}
}

// take registers one type of message.
func take[M any, P interface {
	*M
	proto.Message
}](e *Engine, mux *typed.Mux) {
	typed.Handle(mux, func(ctx context.Context, from libprocess.PID, m P) error {
		return e.Submit(ctx, state.MasterMessage{From: from.String(), Message: m})
	})
}
