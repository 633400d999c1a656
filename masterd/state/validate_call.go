package state

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// validateCall checks that a call has what its type needs.
func validateCall(c *scheduler.Call, principal string) error {
	if c.Type == nil {
		return errors.New("'type' is missing")
	}
	if c.GetType() == scheduler.Call_SUBSCRIBE {
		return validateSubscribe(c, principal)
	}
	if c.FrameworkId == nil {
		return errors.New("'framework_id' is missing")
	}
	name, part := payload(c)
	if part != nil && !part.ProtoReflect().IsValid() {
		return fmt.Errorf("'%s' is missing", name)
	}
	switch c.GetType() {
	case scheduler.Call_ACKNOWLEDGE:
		return validateUUID("acknowledge.uuid", c.GetAcknowledge().GetUuid())
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		a := c.GetAcknowledgeOperationStatus()
		if a.AgentId == nil {
			return errors.New("'acknowledge_operation_status.agent_id' is missing")
		}
		return validateUUID("acknowledge_operation_status.uuid", a.GetUuid())
	case scheduler.Call_UPDATE_FRAMEWORK:
		if c.GetFrameworkId().GetValue() != c.GetUpdateFramework().GetFrameworkInfo().GetId().GetValue() {
			return errors.New("'framework_id' is not 'update_framework.framework_info.id'")
		}
	}
	return nil
}

func validateSubscribe(c *scheduler.Call, principal string) error {
	if c.Subscribe == nil {
		return errors.New("'subscribe' is missing")
	}
	info := c.Subscribe.GetFrameworkInfo()
	if info.GetId().GetValue() != c.GetFrameworkId().GetValue() {
		return errors.New("'framework_id' is not 'subscribe.framework_info.id'")
	}
	if principal != "" && info.Principal != nil && *info.Principal != principal {
		return fmt.Errorf("authenticated as '%s', but the principal in 'subscribe.framework_info' is '%s'",
			principal, *info.Principal)
	}
	return nil
}

// payload returns the field that a type of call can't do without, and its
// name; nil for types that have none.
func payload(c *scheduler.Call) (name string, part proto.Message) {
	switch c.GetType() {
	case scheduler.Call_ACCEPT:
		return "accept", c.Accept
	case scheduler.Call_DECLINE:
		return "decline", c.Decline
	case scheduler.Call_ACCEPT_INVERSE_OFFERS:
		return "accept_inverse_offers", c.AcceptInverseOffers
	case scheduler.Call_DECLINE_INVERSE_OFFERS:
		return "decline_inverse_offers", c.DeclineInverseOffers
	case scheduler.Call_KILL:
		return "kill", c.Kill
	case scheduler.Call_SHUTDOWN:
		return "shutdown", c.Shutdown
	case scheduler.Call_ACKNOWLEDGE:
		return "acknowledge", c.Acknowledge
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		return "acknowledge_operation_status", c.AcknowledgeOperationStatus
	case scheduler.Call_RECONCILE:
		return "reconcile", c.Reconcile
	case scheduler.Call_RECONCILE_OPERATIONS:
		return "reconcile_operations", c.ReconcileOperations
	case scheduler.Call_MESSAGE:
		return "message", c.Message
	case scheduler.Call_REQUEST:
		return "request", c.Request
	case scheduler.Call_UPDATE_FRAMEWORK:
		return "update_framework", c.UpdateFramework
	}
	return "", nil
}

func validateUUID(field string, uuid []byte) error {
	if len(uuid) != uuidSize {
		return fmt.Errorf("'%s' has %d bytes, a UUID has %d", field, len(uuid), uuidSize)
	}
	return nil
}
