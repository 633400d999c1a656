package state

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// framework is one framework that has executors here.
type framework struct {
	id          string
	info        *mesos.FrameworkInfo
	pid         string // "" for one that speaks HTTP
	terminating bool
	runs        map[string]*run // by executor ID
	owners      map[string]*run // by ID of each queued, launched or terminated task
	completed   []*Executor     // oldest first; they don't change any more
}

func (f *framework) partitionAware() bool {
	return hasCapability(f.info, mesos.FrameworkInfo_Capability_PARTITION_AWARE)
}

func hasCapability(info *mesos.FrameworkInfo, want mesos.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(c *mesos.FrameworkInfo_Capability) bool {
		return c.GetType() == want
	})
}

// orLost is what a task becomes in the eyes of a framework: those that are not
// partition-aware know TASK_LOST only.
func orLost(partitionAware bool, state mesos.TaskState) mesos.TaskState {
	if partitionAware {
		return state
	}
	return mesos.TaskState_TASK_LOST
}

// addFramework returns the framework, which it makes if there is none.
func (m *Machine) addFramework(info *mesos.FrameworkInfo, pid string) *framework {
	id := info.GetId().GetValue()
	if f := m.frameworks[id]; f != nil {
		return f
	}
	f := &framework{id: id, info: info, pid: pid, runs: map[string]*run{}, owners: map[string]*run{}}
	m.frameworks[id] = f
	if i := slices.IndexFunc(m.completed, func(c *framework) bool { return c.id == id }); i >= 0 {
		f.completed = m.completed[i].completed
		m.completed = slices.Delete(m.completed, i, i+1)
	}
	m.checkpointFramework(f)
	return f
}

func (m *Machine) checkpointFramework(f *framework) {
	if f.info.GetCheckpoint() {
		m.checkpoint(FrameworkRecord{AgentID: m.agentID(), Info: f.info, PID: f.pid})
	}
}

// removeIfIdle forgets a framework without executors. Updates of tasks that never
// had one are still repeated until the framework acknowledges them, or ends.
func (m *Machine) removeIfIdle(f *framework) {
	if len(f.runs) > 0 || m.frameworks[f.id] != f {
		return
	}
	m.inform("framework removed", "framework_id", f.id)
	if f.terminating {
		m.endStreams(f.id)
	}
	delete(m.frameworks, f.id)
	m.completed = append(m.completed, f)
	if len(m.completed) > maxCompletedFrameworks {
		m.completed = slices.Delete(m.completed, 0, 1)
	}
	m.do(FrameworkRemoved{
		AgentID: m.agentID(), FrameworkID: f.id, Checkpoint: f.info.GetCheckpoint(), Recovered: m.phase == Recovering,
	})
	m.drained()
	if m.phase == Terminating && len(m.frameworks) == 0 {
		m.do(Terminate{})
	}
}

// endStreams forgets the updates of a framework: nobody acknowledges them.
func (m *Machine) endStreams(id string) {
	for key := range sortedKeys(m.streams) {
		if key.framework == id {
			m.endStream(key)
		}
	}
}

func (m *Machine) updateFramework(msg *messages.UpdateFrameworkMessage) {
	f := m.frameworks[msg.GetFrameworkId().GetValue()]
	switch {
	case m.phase != Running:
		m.warn("framework's change ignored: not registered", "framework_id", msg.GetFrameworkId().GetValue())
		m.counters.InvalidFrameworkMessages++
		return
	case f == nil || f.terminating:
		return
	}
	if msg.FrameworkInfo != nil {
		f.info = msg.FrameworkInfo
	}
	f.pid = msg.GetPid()
	m.checkpointFramework(f)
	// The framework may have failed over: tell it at once what it missed.
	m.resume()
}

func (m *Machine) shutdownFramework(id string) {
	f := m.frameworks[id]
	switch {
	case m.phase != Running && m.phase != Terminating:
		m.warn("shutdown of framework ignored: not registered", "framework_id", id)
	case f == nil:
		m.debug("shutdown of unknown framework ignored", "framework_id", id)
		m.endStreams(id)
	case f.terminating:
		m.debug("framework is being shut down already", "framework_id", id)
	default:
		m.terminateFramework(f)
	}
}

func (m *Machine) terminateFramework(f *framework) {
	m.inform("shutting down framework", "framework_id", f.id)
	f.terminating = true
	for _, r := range sorted(f.runs) {
		switch r.phase {
		case Registering, Active:
			m.shutdownRun(r)
		case Terminated: // it waited for acknowledgements, which nobody sends now
			m.removeRun(r)
		}
	}
	m.removeIfIdle(f)
}

func (m *Machine) frameworkMessage(msg *messages.FrameworkToExecutorMessage) {
	f := m.frameworks[msg.GetFrameworkId().GetValue()]
	var r *run
	if f != nil && !f.terminating {
		r = f.runs[msg.GetExecutorId().GetValue()]
	}
	if m.phase != Running || r == nil || r.phase != Active {
		m.warn("message for executor dropped: it is not running",
			"framework_id", msg.GetFrameworkId().GetValue(), "executor_id", msg.GetExecutorId().GetValue())
		m.counters.InvalidFrameworkMessages++
		return
	}
	m.event(r, messageEvent(msg.GetData()))
	m.counters.ValidFrameworkMessages++
}
