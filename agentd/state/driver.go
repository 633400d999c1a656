package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// Executors of the native driver speak libprocess messages instead of the executor
// API. They are the same runs: what comes from them is what calls bring, and what
// they are told is translated from events.

// driverMessage handles messages of executors' drivers, and says whether it was one.
func (m *Machine) driverMessage(from string, msg proto.Message) bool {
	switch msg := msg.(type) {
	case *messages.RegisterExecutorMessage:
		m.registerDriver(from, msg)
	case *messages.ReregisterExecutorMessage:
		m.reregisterDriver(from, msg)
	case *messages.StatusUpdateMessage:
		m.driverUpdate(from, msg.GetUpdate())
	case *messages.ExecutorToFrameworkMessage:
		if r := m.driverRun(from, msg.GetFrameworkId(), msg.GetExecutorId()); r != nil {
			m.executorMessage(r, msg.GetData())
		}
	default:
		return false
	}
	return true
}

// driverRun finds the run of a driver that has registered; nil if it has not.
func (m *Machine) driverRun(from string, framework *mesos.FrameworkID, id *mesos.ExecutorID) *run {
	var r *run
	if f := m.frameworks[framework.GetValue()]; f != nil {
		r = f.runs[id.GetValue()]
	}
	if r == nil || r.pid != from {
		m.warn("message of an executor ignored: it has not registered",
			"from", from, "framework_id", framework.GetValue(), "executor_id", id.GetValue())
		return nil
	}
	return r
}

// registerDriver connects a new executor.
func (m *Machine) registerDriver(from string, msg *messages.RegisterExecutorMessage) {
	r := m.expected(msg.GetFrameworkId(), msg.GetExecutorId())
	if m.phase == Recovering || r == nil || r.phase != Registering {
		m.refuseDriver(from, msg.GetExecutorId())
		return
	}
	m.connectDriver(r, from)
	if m.shutdownIfIdle(r) {
		return
	}
	m.do(Send{To: from, Message: &messages.ExecutorRegisteredMessage{
		ExecutorInfo: r.info, FrameworkId: r.framework.info.GetId(), FrameworkInfo: r.framework.info,
		SlaveId: m.info.GetId(), SlaveInfo: m.info,
	}})
	m.resizeThenDeliver(r, r.queued)
}

// reregisterDriver connects an executor that outlived the agent's former life. One that
// is connected already is shut down, unless the agent asks more than once and may have
// caused the repetition itself.
func (m *Machine) reregisterDriver(from string, msg *messages.ReregisterExecutorMessage) {
	r := m.expected(msg.GetFrameworkId(), msg.GetExecutorId())
	switch {
	case !m.reconnect || r == nil || r.phase == Active && m.cfg.ReconnectRetry == 0:
		m.refuseDriver(from, msg.GetExecutorId())
		return
	case r.phase == Active:
		m.warn("executor's registration ignored: it has registered", append(fields(r), "from", from)...)
		return
	}
	m.connectDriver(r, from)
	m.do(Send{To: from, Message: &messages.ExecutorReregisteredMessage{SlaveId: m.info.GetId(), SlaveInfo: m.info}})
	for _, u := range msg.GetUpdates() {
		m.driverUpdate(from, u)
	}
	m.dropUndelivered(r, msg.GetTasks())
	if m.shutdownIfIdle(r) {
		m.recoveredEarly()
		return
	}
	m.resizeThenDeliver(r, r.queued)
	m.recoveredEarly()
}

// expected finds a run that is not about to end.
func (m *Machine) expected(framework *mesos.FrameworkID, id *mesos.ExecutorID) *run {
	f := m.frameworks[framework.GetValue()]
	if f == nil || f.terminating || m.phase == Terminating {
		return nil
	}
	if r := f.runs[id.GetValue()]; r != nil && (r.phase == Registering || r.phase == Active) {
		return r
	}
	return nil
}

func (m *Machine) refuseDriver(from string, id *mesos.ExecutorID) {
	m.warn("shutting down executor that registered: it is not expected", "from", from, "executor_id", id.GetValue())
	m.do(Send{To: from, Message: &messages.ShutdownExecutorMessage{}})
}

func (m *Machine) connectDriver(r *run, pid string) {
	r.phase, r.pid = Active, pid
	m.do(Disarm{Timer{Kind: TimerExecutorRegister, Container: r.container}})
	m.do(Link{PID: pid})
	if r.checkpoint {
		m.checkpoint(ExecutorPIDRecord{Run: m.runID(r), PID: pid})
	}
	m.inform("executor registered", append(fields(r), "pid", pid)...)
}

// reconnectDriver asks an executor of the agent's former life to come back, and asks
// again if it is told to.
func (m *Machine) reconnectDriver(r *run) {
	if r == nil || r.pid == "" || r.phase != Registering || m.phase != Recovering {
		return
	}
	m.do(Link{PID: r.pid})
	m.do(Send{To: r.pid, Message: &messages.ReconnectExecutorMessage{SlaveId: m.info.GetId()}})
	if m.cfg.ReconnectRetry > 0 {
		m.do(Arm{Timer: Timer{Kind: TimerExecutorReconnect, Container: r.container}, After: m.cfg.ReconnectRetry})
	}
}

// driverUpdate takes in a status update, which drivers send without what the agent
// knows itself.
func (m *Machine) driverUpdate(from string, u *messages.StatusUpdate) {
	r := m.driverRun(from, u.GetFrameworkId(), u.GetExecutorId())
	if r == nil || u.Status == nil {
		return
	}
	if u.Status.GetState() == mesos.TaskState_TASK_STAGING {
		// Executors have no business with it: this one is broken.
		m.warn("shutting down executor: it sent TASK_STAGING", updateFields(u)...)
		if r.phase == Active {
			m.shutdownRun(r)
		}
		return
	}
	u.SlaveId = m.info.GetId()
	if u.Status.AgentId == nil {
		u.Status.AgentId = m.info.GetId()
	}
	if u.Timestamp == nil {
		u.Timestamp = new(seconds(m.now))
	}
	m.update(u, r)
}

// tellDriver sends an event as the message that drivers know it by.
func (m *Machine) tellDriver(r *run, e *executor.Event) {
	f := r.framework
	var msg proto.Message
	switch e.GetType() {
	case executor.Event_LAUNCH:
		run := &messages.RunTaskMessage{FrameworkId: f.info.GetId(), Framework: f.info, Task: e.GetLaunch().GetTask()}
		if f.pid != "" {
			run.Pid = &f.pid
		}
		msg = run
	case executor.Event_KILL:
		msg = &messages.KillTaskMessage{
			FrameworkId: f.info.GetId(), TaskId: e.GetKill().GetTaskId(), KillPolicy: e.GetKill().GetKillPolicy(),
		}
	case executor.Event_ACKNOWLEDGED:
		msg = &messages.StatusUpdateAcknowledgementMessage{
			SlaveId: m.info.GetId(), FrameworkId: f.info.GetId(),
			TaskId: e.GetAcknowledged().GetTaskId(), Uuid: e.GetAcknowledged().GetUuid(),
		}
	case executor.Event_MESSAGE:
		msg = &messages.FrameworkToExecutorMessage{
			SlaveId: m.info.GetId(), FrameworkId: f.info.GetId(), ExecutorId: r.info.GetExecutorId(), Data: e.GetMessage().GetData(),
		}
	case executor.Event_SHUTDOWN:
		msg = &messages.ShutdownExecutorMessage{}
	default:
		m.warn("event lost: drivers have no message for it", append(fields(r), "event", e.GetType().String())...)
		return
	}
	m.do(Send{To: r.pid, Message: msg})
}
