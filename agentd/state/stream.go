package state

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// updateStream holds one task's updates until the framework has acknowledged
// the last one. The first pending one is with the master; the others wait.
type updateStream struct {
	// run is where it is checkpointed; the zero RunID for not at all.
	run     RunID
	pending []*messages.StatusUpdate
	seen    map[string]bool // UUIDs: an executor may repeat itself
	wait    time.Duration   // until the next attempt
}

func newStream(run RunID) *updateStream {
	return &updateStream{run: run, seen: map[string]bool{}}
}

// record adds an update to its stream and forwards it when it is the first. r
// is nil if the task has no executor here; then nothing is checkpointed.
func (m *Machine) record(r *run, u *messages.StatusUpdate) {
	key := taskKey{u.GetFrameworkId().GetValue(), u.GetStatus().GetTaskId().GetValue()}
	s := m.streams[key]
	if s == nil {
		s = newStream(RunID{})
		if r != nil && r.checkpoint {
			s.run = m.runID(r)
		}
		m.streams[key] = s
	}
	if s.seen[string(u.Uuid)] {
		m.debug("status update known already", updateFields(u)...)
		return
	}
	s.seen[string(u.Uuid)] = true
	s.pending = append(s.pending, u)
	if s.run != (RunID{}) {
		m.checkpoint(UpdateRecord{Run: s.run, TaskID: key.task, Update: u})
	}
	m.inform("status update", updateFields(u)...)
	if len(s.pending) == 1 && !m.paused {
		m.forward(key, s, updateRetryMin)
	}
}

// forward sends the first pending update to the master, again after wait.
func (m *Machine) forward(key taskKey, s *updateStream, wait time.Duration) {
	u := s.pending[0]
	s.wait = wait
	latest := u.LatestState
	if f := m.frameworks[key.framework]; f != nil {
		if r := f.owners[key.task]; r != nil {
			for _, tasks := range []map[string]*mesos.Task{r.launched, r.terminated} {
				if t := tasks[key.task]; t != nil {
					tasks[key.task] = withForwarded(t, u)
					latest = t.State
				}
			}
		}
	}
	m.send(&messages.StatusUpdateMessage{Update: withLatest(u, latest), Pid: &m.cfg.PID})
	m.do(Arm{Timer: key.timer(), After: wait})
}

func (k taskKey) timer() Timer {
	return Timer{Kind: TimerRetryUpdate, Framework: k.framework, Task: k.task}
}

func (m *Machine) retryUpdate(key taskKey) {
	s := m.streams[key]
	if s == nil || len(s.pending) == 0 || m.paused {
		return
	}
	m.inform("status update not acknowledged yet: sending it again", updateFields(s.pending[0])...)
	m.forward(key, s, min(2*s.wait, updateRetryMax))
}

// pause keeps updates until a master knows the agent.
func (m *Machine) pause() { m.paused = true }

// resume sends the first pending update of every task.
func (m *Machine) resume() {
	m.paused = false
	for key, s := range sortedKeys(m.streams) {
		if len(s.pending) > 0 {
			m.forward(key, s, updateRetryMin)
		}
	}
	// Resource providers repeat what became of theirs.
	for _, o := range m.operationsOf("") {
		m.forwardOperation(string(o.GetUuid().GetValue()), updateRetryMin)
	}
}

// acknowledge takes in what a framework acknowledged.
func (m *Machine) acknowledge(from string, msg *messages.StatusUpdateAcknowledgementMessage) {
	key := taskKey{msg.GetFrameworkId().GetValue(), msg.GetTaskId().GetValue()}
	fields := []any{"framework_id", key.framework, "task_id", key.task, "uuid", uuidString(msg.GetUuid())}
	s := m.streams[key]
	switch {
	case m.phase != Running || from != m.master:
		m.warn("acknowledgement ignored: not from the leading master", append(fields, "from", from)...)
		return
	case s == nil || len(s.pending) == 0:
		m.warn("acknowledgement of no pending status update ignored", fields...)
		return
	case string(s.pending[0].Uuid) != string(msg.GetUuid()):
		m.warn("acknowledgement of another status update ignored", append(fields,
			"expected", uuidString(s.pending[0].Uuid))...)
		return
	}
	m.inform("status update acknowledged", fields...)
	done := s.pending[0]
	s.pending = s.pending[1:]
	if s.run != (RunID{}) {
		m.checkpoint(AcknowledgementRecord{Run: s.run, TaskID: key.task, UUID: done.Uuid})
	}
	terminal := isTerminal(done.GetStatus().GetState())
	switch owned := m.owner(key) != nil; {
	case owned && terminal, !owned && len(s.pending) == 0:
		m.endStream(key)
	case len(s.pending) > 0 && !m.paused:
		m.forward(key, s, updateRetryMin)
	default:
		m.do(Disarm{key.timer()})
	}
	m.settle(key, terminal, s.seen)
}

// owner is the executor that has a task; nil if none has it, or not any more.
func (m *Machine) owner(key taskKey) *run {
	if f := m.frameworks[key.framework]; f != nil {
		return f.owners[key.task]
	}
	return nil
}

// settle removes what is over now that an update was acknowledged. seen are the
// UUIDs of the task's updates.
func (m *Machine) settle(key taskKey, terminal bool, seen map[string]bool) {
	f := m.frameworks[key.framework]
	if f == nil {
		return
	}
	if r := f.owners[key.task]; r != nil {
		if t := r.terminated[key.task]; t != nil && terminal {
			m.complete(r, key.task, seen)
		}
		if r.phase == Terminated && !r.incomplete() {
			m.removeRun(r)
		}
	}
	m.removeIfIdle(f)
}

// complete moves a task whose last update was acknowledged to history.
func (m *Machine) complete(r *run, task string, seen map[string]bool) {
	r.settle(task, r.terminated[task], seen)
	delete(r.terminated, task)
	delete(r.framework.owners, task)
	if r.checkpoint {
		m.do(TaskRemoved{AgentID: m.agentID(), FrameworkID: r.framework.id, ExecutorID: r.id, Container: r.container, TaskID: task})
	}
}

func (m *Machine) endStream(key taskKey) {
	delete(m.streams, key)
	m.do(Disarm{key.timer()})
}

// dropLeftovers drops what is left to tell of an earlier task of the ID of one that
// is launched: its framework has no use for that, and an acknowledgement of the
// earlier one's end must not pass for that of the new one's.
func (m *Machine) dropLeftovers(key taskKey) {
	if m.streams[key] != nil {
		m.endStream(key)
	}
}

func sortedKeys[V any](streams map[taskKey]V) iter.Seq2[taskKey, V] {
	keys := slices.SortedFunc(maps.Keys(streams), func(a, b taskKey) int {
		return cmp.Or(cmp.Compare(a.framework, b.framework), cmp.Compare(a.task, b.task))
	})
	return func(yield func(taskKey, V) bool) {
		for _, k := range keys {
			if v, ok := streams[k]; ok && !yield(k, v) {
				return
			}
		}
	}
}
