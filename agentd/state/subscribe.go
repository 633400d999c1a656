package state

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// HTTP statuses of the executor and resource provider APIs.
const (
	statusOK             = 200
	statusAccepted       = 202
	statusBadRequest     = 400
	statusForbidden      = 403
	statusInternalError  = 500
	statusNotImplemented = 501
	statusUnavailable    = 503
)

func (m *Machine) reply(id ReplyID, status int, message string) {
	m.do(Reply{Reply: id, Status: status, Message: message})
}

func (m *Machine) executorCall(in ExecutorCall) {
	call := in.Call
	subscribe := call.GetType() == executor.Call_SUBSCRIBE
	if !m.reconnect || m.phase == Recovering && !subscribe {
		m.reply(in.Reply, statusUnavailable, "Agent has not finished recovery")
		return
	}
	f := m.frameworks[call.GetFrameworkId().GetValue()]
	if f == nil {
		m.reply(in.Reply, statusBadRequest, "Framework cannot be found")
		return
	}
	r := f.runs[call.GetExecutorId().GetValue()]
	if r == nil {
		m.reply(in.Reply, statusBadRequest, "Executor cannot be found")
		return
	}
	if err := checkClaims(in.Claims, call, r); err != nil {
		m.reply(in.Reply, statusForbidden, err.Error())
		return
	}
	if r.phase == Registering && !subscribe {
		m.reply(in.Reply, statusForbidden, "Executor is not subscribed")
		return
	}
	switch call.GetType() {
	case executor.Call_SUBSCRIBE:
		m.reply(in.Reply, statusOK, "")
		m.subscribe(r, in.Stream, call.GetSubscribe())
	case executor.Call_UPDATE:
		m.reply(in.Reply, statusAccepted, "")
		m.update(m.executorUpdate(call.GetFrameworkId(), call.GetUpdate().GetStatus()), r)
	case executor.Call_MESSAGE:
		m.reply(in.Reply, statusAccepted, "")
		m.executorMessage(r, call.GetMessage().GetData())
	}
}

// checkClaims holds what an executor's token says against what its call does.
func checkClaims(claims map[string]string, call *executor.Call, r *run) error {
	if claims == nil {
		return nil
	}
	for _, c := range []struct{ claim, want, what string }{
		{"fid", call.GetFrameworkId().GetValue(), "the framework ID"},
		{"eid", call.GetExecutorId().GetValue(), "the executor ID"},
		{"cid", r.container, "the ContainerID of the active executor"},
	} {
		if got, ok := claims[c.claim]; !ok || got != c.want {
			return fmt.Errorf("The token's claim '%s' is not %s of the call", c.claim, c.what)
		}
	}
	return nil
}

// subscribe connects an executor: a new one, one that lost its connection, or
// one that outlived the agent's former life.
func (m *Machine) subscribe(r *run, stream StreamID, call *executor.Call_Subscribe) {
	if m.phase == Terminating || r.framework.terminating || r.phase == Stopping || r.phase == Terminated {
		m.warn("shutting down executor that subscribed: it is to end", fields(r)...)
		m.do(SendEvent{Stream: stream, Event: shutdownEvent()})
		m.do(CloseStream{Stream: stream})
		return
	}
	m.closeStream(r) // a second SUBSCRIBE wins
	r.phase = Active
	r.stream, r.pid = stream, ""
	m.subscribed[stream] = r
	m.do(Disarm{Timer{Kind: TimerExecutorRegister, Container: r.container}})
	m.inform("executor subscribed", fields(r)...)
	greeting := len(m.out) // where SUBSCRIBED goes: before what answers the updates
	for _, u := range call.GetUnacknowledgedUpdates() {
		m.update(m.executorUpdate(r.framework.info.GetId(), u.GetStatus()), r)
	}
	m.dropUndelivered(r, call.GetUnacknowledgedTasks())
	if m.shutdownIfIdle(r) {
		m.recoveredEarly()
		return
	}
	m.out = slices.Insert(m.out, greeting, Effect(SendEvent{Stream: stream, Event: subscribedEvent(r, m.info)}))
	m.resizeThenDeliver(r, r.queued)
	m.recoveredEarly()
}

// shutdownIfIdle ends an executor that was never given a task and has none to get:
// it would wait for one for ever. It says whether it did.
func (m *Machine) shutdownIfIdle(r *run) bool {
	if len(r.queued) > 0 || r.everSent() {
		return false
	}
	m.warn("executor has nothing to do: all its tasks were killed before it came", fields(r)...)
	m.shutdownRun(r)
	return true
}

// dropUndelivered ends tasks that the agent sent, but the executor never got:
// one of them crashed in between.
func (m *Machine) dropUndelivered(r *run, unacknowledged []*mesos.TaskInfo) {
	known := map[string]bool{}
	for _, t := range unacknowledged {
		known[t.GetTaskId().GetValue()] = true
	}
	for id, t := range sorted(r.launched) {
		if t.GetState() != mesos.TaskState_TASK_STAGING || known[id] || len(r.arriving[id]) > 0 {
			continue
		}
		m.update(m.ownUpdate(r.framework.id, r.id, id,
			orLost(r.framework.partitionAware(), mesos.TaskState_TASK_DROPPED),
			mesos.TaskStatus_REASON_AGENT_RESTARTED, "Task launched during agent restart"), nil)
	}
}
