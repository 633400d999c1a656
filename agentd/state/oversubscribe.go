package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Lent says what the agent lends in all: what tasks hold of it and what they may
// have besides.
type Lent struct{ Total resources.Resources }

// Preempt asks to end the executor in a container, so that others get what they
// were promised.
type Preempt struct{ Framework, Executor, Container string }

func (Lent) isInput()    {}
func (Preempt) isInput() {}

// lend tells the master of another amount. The version of the agent's resources
// stays: nothing but tasks can be made of what is lent.
func (m *Machine) lend(total resources.Resources) {
	total = total.Revocable().Unallocate()
	if m.lends && m.lent.Equal(total) {
		return
	}
	m.lends, m.lent = true, total
	if m.phase != Running {
		return // registration will tell
	}
	m.inform("lending other resources", "resources", total.String())
	m.send(&messages.UpdateSlaveMessage{
		SlaveId:                       m.info.Id,
		UpdateOversubscribedResources: new(true),
		OversubscribedResources:       total.Proto(),
	})
}

// withLent adds what is lent to what registration tells, once that is known.
func (m *Machine) withLent(msg *messages.UpdateSlaveMessage) *messages.UpdateSlaveMessage {
	msg.UpdateOversubscribedResources = &m.lends
	if m.lends {
		msg.OversubscribedResources = m.lent.Proto()
	}
	return msg
}

// preempt kills an executor. Its tasks are gone: they ran, and end for a reason
// that is not theirs.
func (m *Machine) preempt(in Preempt) {
	if m.phase == Recovering || m.phase == Terminating {
		m.warn("preemption ignored: the agent does not run", "phase", string(m.phase))
		return
	}
	r := m.containers[in.Container]
	switch {
	case r == nil || r.framework.id != in.Framework || r.id != in.Executor:
		m.warn("preemption ignored: no such executor",
			"framework_id", in.Framework, "executor_id", in.Executor, "container_id", in.Container)
		return
	case r.framework.terminating || r.phase == Stopping || r.phase == Terminated:
		m.warn("preemption ignored: the executor ends already", fields(r)...)
		return
	}
	m.inform("killing executor: it is preempted", fields(r)...)
	r.pending = &pendingTermination{
		state:   orLost(r.framework.partitionAware(), mesos.TaskState_TASK_GONE),
		reason:  mesos.TaskStatus_REASON_CONTAINER_PREEMPTED,
		message: "Container preempted by QoS correction",
	}
	m.counters.ExecutorsPreempted++
	m.stop(r)
}
