package httpapi

import (
	"errors"
	"fmt"
	"net/http"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// serveExecutor is /api/v1/executor.
func (a *API) serveExecutor(w http.ResponseWriter, r *http.Request) {
	call, err := executorCall(r)
	if err != nil {
		fail(w, err)
		return
	}
	answerType := ""
	switch call.GetType() {
	case executor.Call_SUBSCRIBE:
		if answerType, err = accept(r, codec.JSON, codec.Protobuf); err != nil {
			fail(w, err)
			return
		}
	case executor.Call_HEARTBEAT: // its IDs may be made up
		text(w, http.StatusAccepted, "")
		return
	case executor.Call_UNKNOWN:
		httpserver.Refuse(w, http.StatusNotImplemented)
		return
	}
	reply, stream, err := a.cfg.Engine.ExecutorCall(r.Context(), claimsOf(r), call)
	switch {
	case err != nil:
		text(w, http.StatusServiceUnavailable, err.Error())
	case stream != nil:
		a.stream(w, r, answerType, stream, &executor.Event{Type: executor.Event_HEARTBEAT.Enum()})
	default:
		text(w, reply.Status, reply.Message)
	}
}

// claimsOf are those that the call must fit; nil if nobody authenticated. Who
// did with a name and a secret has none and is no executor.
func claimsOf(r *http.Request) map[string]string {
	principal := auth.FromContext(r.Context())
	if principal.IsNobody() {
		return nil
	}
	if principal.Claims == nil {
		return map[string]string{}
	}
	return principal.Claims
}

// executorCall reads a call and checks its form.
func executorCall(r *http.Request) (*executor.Call, error) {
	bodyType, err := contentType(r, codec.JSON, codec.Protobuf)
	if err != nil {
		return nil, err
	}
	call := &executor.Call{}
	if err := decode(r, bodyType, call); err != nil {
		return nil, err
	}
	if err := validateExecutorCall(call); err != nil {
		return nil, refuse(http.StatusBadRequest, "Failed to validate Executor::Call: %s", err)
	}
	return call, nil
}

func validateExecutorCall(call *executor.Call) error {
	if call.Type == nil {
		return errors.New("Expecting 'type' to be present")
	}
	switch call.GetType() {
	case executor.Call_SUBSCRIBE:
		if call.Subscribe == nil {
			return errors.New("Expecting 'subscribe' to be present")
		}
		for _, u := range call.GetSubscribe().GetUnacknowledgedUpdates() {
			if err := validateStatus(call, u.GetStatus()); err != nil {
				return fmt.Errorf("unacknowledged update: %w", err)
			}
		}
	case executor.Call_UPDATE:
		if call.Update == nil {
			return errors.New("Expecting 'update' to be present")
		}
		return validateStatus(call, call.GetUpdate().GetStatus())
	case executor.Call_MESSAGE:
		if call.Message == nil {
			return errors.New("Expecting 'message' to be present")
		}
	}
	return nil
}

func validateStatus(call *executor.Call, s *mesos.TaskStatus) error {
	switch {
	case s.Uuid == nil:
		return errors.New("Expecting 'uuid' to be present")
	case !isUUID(s.Uuid):
		return errors.New("Not a valid UUID")
	case s.ExecutorId != nil && s.GetExecutorId().GetValue() != call.GetExecutorId().GetValue():
		return fmt.Errorf("ExecutorID in Call: %s does not match ExecutorID in TaskStatus: %s",
			call.GetExecutorId().GetValue(), s.GetExecutorId().GetValue())
	case s.Source == nil || s.GetSource() != mesos.TaskStatus_SOURCE_EXECUTOR:
		return fmt.Errorf("Received Call from executor %s of framework %s with invalid source, expecting 'SOURCE_EXECUTOR'",
			call.GetExecutorId().GetValue(), call.GetFrameworkId().GetValue())
	case s.GetState() == mesos.TaskState_TASK_STAGING:
		return fmt.Errorf("Received TASK_STAGING from executor %s of framework %s which is not allowed",
			call.GetExecutorId().GetValue(), call.GetFrameworkId().GetValue())
	case s.CheckStatus != nil && s.GetCheckStatus().Type == nil:
		return errors.New("CheckStatusInfo must specify 'type'")
	}
	return nil
}

// isUUID checks length, version and variant as of RFC 4122.
func isUUID(b []byte) bool {
	return len(b) == 16 && b[6]>>4 >= 1 && b[6]>>4 <= 5 && b[8]>>6 == 0b10
}
