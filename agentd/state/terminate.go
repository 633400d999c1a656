package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func (m *Machine) terminated(in ContainerTerminated) {
	r := m.containers[in.Container]
	if r == nil || r.phase == Terminated {
		return
	}
	m.terminate(r, in.Termination, in.Err)
	m.recoveredEarly()
}

// terminate takes in that an executor's container is gone: what it ran has
// failed, unless it said otherwise before.
func (m *Machine) terminate(r *run, t Termination, err error) {
	f := r.framework
	m.counters.ExecutorsTerminated++
	r.phase = Terminated
	r.status = nil
	m.do(Disarm{Timer{Kind: TimerExecutorRegister, Container: r.container}})
	m.do(Disarm{Timer{Kind: TimerExecutorShutdown, Container: r.container}})
	logFields := fields(r)
	if t.Status != nil {
		logFields = append(logFields, "status", *t.Status)
	}
	if err != nil {
		logFields = append(logFields, "error", err.Error())
	}
	m.inform("executor terminated", logFields...)
	if !f.terminating {
		m.failTasks(r, t, err)
	} else { // nobody would acknowledge
		maps.Copy(r.terminated, r.launched)
		clear(r.launched)
	}
	// The master knows nothing of executors that the agent made.
	if !r.generated {
		m.sendExited(f.id, r.id, t.Status)
	}
	if m.phase == Terminating || f.terminating || !r.incomplete() {
		m.removeRun(r)
	}
	m.removeIfIdle(f)
}

// failTasks sends an update for every task that the executor leaves behind.
func (m *Machine) failTasks(r *run, t Termination, err error) {
	var left []string
	for id, task := range sorted(r.launched) {
		if !isTerminal(task.GetState()) {
			left = append(left, id)
		}
	}
	for _, q := range r.queued {
		left = append(left, q.info.GetTaskId().GetValue())
	}
	state, reason, message := explain(r, t, err)
	for _, id := range left {
		u := m.ownUpdate(r.framework.id, r.id, id, state, reason, message)
		if len(t.Limited) > 0 {
			u.Status.Limitation = &mesos.TaskResourceLimitation{Resources: t.Limited}
		}
		m.update(u, nil)
	}
}

// explain says what became of the tasks of an executor: as the containerizer
// knows, else as the agent knows.
func explain(r *run, t Termination, err error) (mesos.TaskState, mesos.TaskStatus_Reason, string) {
	state, reason := mesos.TaskState_TASK_FAILED, mesos.TaskStatus_REASON_EXECUTOR_TERMINATED
	var message []string
	if p := r.pending; p != nil {
		state, reason = p.state, p.reason
		message = append(message, p.message)
	}
	if t.State != nil {
		state = *t.State
	}
	if t.Reason != nil {
		reason = *t.Reason
	}
	switch {
	case err != nil:
		message = append(message, "Abnormal executor termination: "+err.Error())
	case t.Message != "":
		message = append(message, t.Message)
	}
	if len(message) == 0 {
		message = []string{"Executor terminated"}
	}
	return state, reason, strings.Join(slices.Compact(message), "; ")
}

// shutdown ends everything and then the agent. from is the master that asks for
// it, or "" if it is the operator.
func (m *Machine) shutdown(from, message string) {
	m.inform("shutting down", "from", from, "reason", message)
	if from == "" && m.agentID() != "" {
		m.send(&messages.UnregisterSlaveMessage{SlaveId: m.info.Id})
	}
	m.phase = Terminating
	m.pause()
	if len(m.frameworks) == 0 {
		m.do(Terminate{})
		return
	}
	for _, f := range sorted(m.frameworks) {
		if !f.terminating {
			m.terminateFramework(f)
		}
	}
}
