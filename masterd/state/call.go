package state

import (
	"fmt"

	mesosallocator "github.com/mesos-operator/mesos-operator/api/mesos/v1/allocator"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// schedulerCall answers a call to /api/v1/scheduler.
func (m *Machine) schedulerCall(in SchedulerCall) {
	if err := validateCall(in.Call, in.Principal); err != nil {
		m.countInvalid(in.Call.GetType())
		m.reply(in.Reply, 400, "Invalid call: "+err.Error())
		return
	}
	if in.Call.GetType() == scheduler.Call_SUBSCRIBE {
		m.subscribeHTTP(in)
		return
	}
	f := m.frameworks[FrameworkID(in.Call.GetFrameworkId().GetValue())]
	if f == nil {
		m.reply(in.Reply, 400, "No framework with this ID is known")
		return
	}
	f.countCall(in.Call.GetType())
	if status, text := m.checkCaller(f, in); status != 0 {
		m.reply(in.Reply, status, text)
		return
	}
	if in.Call.GetType() == scheduler.Call_UPDATE_FRAMEWORK {
		m.replyUpdateFramework(in.Reply, f, in.Call.GetUpdateFramework())
		return
	}
	if !m.call(f, in.Call) {
		m.reply(in.Reply, 501, "")
		return
	}
	m.reply(in.Reply, 202, "")
}

// checkCaller says why a call must not be made in a framework's name; status 0
// means that it may.
func (m *Machine) checkCaller(f *framework, in SchedulerCall) (status int, text string) {
	switch {
	case in.Principal != "" && in.Principal != f.info.GetPrincipal():
		return 400, fmt.Sprintf("Authenticated as '%s', but the framework's principal is '%s'",
			in.Principal, f.info.GetPrincipal())
	case !f.connected:
		return 403, "The framework is not subscribed"
	case f.conn.Stream == "":
		return 403, "The framework is subscribed by a native driver, not over HTTP"
	case in.Stream == "":
		return 400, "Every call but SUBSCRIBE needs the Mesos-Stream-Id header"
	case in.Stream != f.conn.Stream:
		return 400, fmt.Sprintf("The stream ID '%s' is not that of the current subscription of framework %s",
			in.Stream, f.id)
	}
	return 0, ""
}

// call does what a subscribed framework asks for, in either dialect. It is
// false for calls that it doesn't know.
func (m *Machine) call(f *framework, c *scheduler.Call) bool {
	m.touchFramework(f)
	m.debug("scheduler call", "framework_id", f.id, "call", c.GetType().String())
	switch c.GetType() {
	case scheduler.Call_TEARDOWN:
		m.stats.Messages[MessageUnregisterFramework]++
		m.removeFramework(f)
	case scheduler.Call_ACCEPT:
		m.accept(f, c.GetAccept())
	case scheduler.Call_DECLINE:
		m.decline(f, c.GetDecline().GetOfferIds(), c.GetDecline().GetFilters())
	case scheduler.Call_REVIVE:
		m.revive(f, c.GetRevive().GetRoles())
	case scheduler.Call_SUPPRESS:
		m.suppress(f, c.GetSuppress().GetRoles())
	case scheduler.Call_KILL:
		m.kill(f, c.GetKill())
	case scheduler.Call_SHUTDOWN:
		m.shutdownExecutor(f, c.GetShutdown())
	case scheduler.Call_ACKNOWLEDGE:
		m.acknowledge(f, c.GetAcknowledge())
	case scheduler.Call_RECONCILE:
		m.reconcile(f, c.GetReconcile().GetTasks())
	case scheduler.Call_MESSAGE:
		m.messageExecutor(f, c.GetMessage())
	case scheduler.Call_REQUEST:
		m.stats.Messages[MessageResourceRequest]++
		m.emit(AllocRequest{Framework: f.id, Requests: c.GetRequest().GetRequests()})
	case scheduler.Call_ACCEPT_INVERSE_OFFERS:
		accept := c.GetAcceptInverseOffers()
		m.answerInverse(f, accept.GetInverseOfferIds(), accept.GetFilters(), mesosallocator.InverseOfferStatus_ACCEPT)
	case scheduler.Call_DECLINE_INVERSE_OFFERS:
		decline := c.GetDeclineInverseOffers()
		m.answerInverse(f, decline.GetInverseOfferIds(), decline.GetFilters(), mesosallocator.InverseOfferStatus_DECLINE)
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		m.acknowledgeOperation(f, c.GetAcknowledgeOperationStatus())
	case scheduler.Call_RECONCILE_OPERATIONS:
		m.reconcileOperations(f, c.GetReconcileOperations().GetOperations())
	default:
		return false
	}
	return true
}

// countInvalid counts a call that is not well-formed, of the kinds that have a
// metric for it.
func (m *Machine) countInvalid(t scheduler.Call_Type) {
	switch t {
	case scheduler.Call_ACKNOWLEDGE:
		m.stats.InvalidStatusUpdateAcks++
	case scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS:
		m.stats.InvalidOperationUpdateAcks++
	case scheduler.Call_MESSAGE:
		m.stats.InvalidFrameworkToExecutor++
	}
}

func (f *framework) countCall(t scheduler.Call_Type) {
	if t >= 0 && int(t) < len(f.stats.Calls) {
		f.stats.Calls[t]++
	}
}

// replyUpdateFramework answers UPDATE_FRAMEWORK, the one call that says how it
// went.
func (m *Machine) replyUpdateFramework(to ReplyID, f *framework, call *scheduler.Call_UpdateFramework) {
	if err := m.callUpdateFramework(f, call); err != nil {
		status := 400
		if m.mayHaveRoles(call.GetFrameworkInfo()) != nil {
			status = 403
		}
		m.reply(to, status, err.Error())
		return
	}
	m.reply(to, 200, "")
}

// callUpdateFramework changes what a framework says of itself without a new
// subscription.
func (m *Machine) callUpdateFramework(f *framework, call *scheduler.Call_UpdateFramework) error {
	s := subscription{conn: f.conn, info: call.GetFrameworkInfo(), constraints: call.GetOfferConstraints()}
	if err := m.validateFramework(s.info); err != nil {
		return fmt.Errorf("invalid framework_info: %w", err)
	}
	if err := validateUpdate(f.info, s.info); err != nil {
		return fmt.Errorf("invalid change of framework_info: %w", err)
	}
	var err error
	if s.suppressed, err = validateSuppressed(rolesOf(s.info), call.GetSuppressedRoles()); err == nil {
		err = m.validateConstraints(rolesOf(s.info), s.constraints)
	}
	if err != nil {
		return fmt.Errorf("invalid UPDATE_FRAMEWORK: %w", err)
	}
	if err := m.mayHaveRoles(s.info); err != nil {
		return err
	}
	changed := !sameInfo(f.info, s.info)
	m.updateFramework(f, s)
	if changed {
		m.broadcastFramework(f)
	}
	return nil
}
