package state

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// recover takes up the agent's former life.
func (m *Machine) recover(s *Snapshot) {
	if m.phase != Recovering {
		return
	}
	if s == nil {
		s = &Snapshot{}
	}
	if err := m.recoverResources(s); err != nil {
		m.do(Terminate{Err: fmt.Errorf("recovering resources: %w", err)})
		return
	}
	if s.Agent != nil {
		if err := m.recoverAgent(s); err != nil {
			m.do(Terminate{Err: err})
			return
		}
	}
	m.do(RecoverContainers{Known: m.knownContainers()})
}

// recoverAgent reuses the agent's ID, unless its configuration changed too much.
// After a reboot that makes a new agent of it, for nothing runs any more;
// without one the operator has to decide.
func (m *Machine) recoverAgent(s *Snapshot) error {
	current := withID(m.cfg.Agent, s.Agent.Id)
	if err := compatible(m.cfg.Reconfiguration, s.Agent, current); err != nil {
		if !s.Rebooted {
			return fmt.Errorf("recovering agent %s: %w; consider a more permissive --reconfiguration_policy",
				s.Agent.GetId().GetValue(), err)
		}
		m.warn("recovering as a new agent", "reason", err.Error())
		m.checkpoint(ForgetAgentRecord{})
		return nil
	}
	m.info = current
	m.drain = s.Drain
	m.recoverProviders(s)
	for _, f := range s.Frameworks {
		m.recoverFramework(f)
	}
	return nil
}

func (m *Machine) recoverFramework(s FrameworkSnapshot) {
	id := s.Info.GetId().GetValue()
	f := &framework{id: id, info: s.Info, pid: s.PID, runs: map[string]*run{}, owners: map[string]*run{}}
	m.frameworks[id] = f
	for _, e := range s.Executors {
		m.recoverRun(f, e)
	}
	m.inform("framework recovered", "framework_id", id, "executors", len(f.runs))
	m.removeIfIdle(f)
}

func (m *Machine) recoverRun(f *framework, s ExecutorSnapshot) {
	r := newRun(f, s.Info, s.Container)
	r.checkpoint, r.generated, r.pid = true, s.Generated, s.PID
	r.directory = m.sandbox(f.id, r.id, r.container)
	if m.cfg.SwitchUser {
		r.user = f.info.GetUser()
		if u := r.info.GetCommand().GetUser(); u != "" {
			r.user = u
		}
	}
	for _, t := range s.Tasks {
		m.recoverTask(r, t, s.Completed)
	}
	m.do(SandboxAdded{AgentID: m.agentID(), FrameworkID: f.id, ExecutorID: r.id, Container: r.container})
	for _, t := range s.Tasks {
		m.showVolumes(r, t.Task.GetTaskId().GetValue(), t.Task.GetResources(), t.Task.GetContainer())
	}
	if s.Completed {
		r.phase = Terminated
		m.addCompleted(f, r)
		m.do(ExecutorRemoved{
			AgentID: m.agentID(), FrameworkID: f.id, ExecutorID: r.id, Container: r.container,
			Checkpoint: true, Recovered: true,
		})
		return
	}
	f.runs[r.id] = r
	m.containers[r.container] = r
	for _, tasks := range []map[string]*mesos.Task{r.launched, r.terminated} {
		for id := range tasks {
			f.owners[id] = r
		}
	}
}

// recoverTask replays a task's updates into its state and its stream.
func (m *Machine) recoverTask(r *run, s TaskSnapshot, completed bool) {
	id := s.Task.GetTaskId().GetValue()
	t := s.Task
	stream := newStream(m.runID(r))
	over := completed
	for _, u := range s.Updates {
		stream.seen[string(u.GetUuid())] = true
		acknowledged := slices.ContainsFunc(s.Acknowledged, func(id []byte) bool { return slices.Equal(id, u.GetUuid()) })
		if !acknowledged {
			stream.pending = append(stream.pending, u)
		}
		if !isTerminal(t.GetState()) {
			t = withStatus(t, u.GetStatus())
		}
		if acknowledged {
			t = withForwarded(t, u)
			over = over || isTerminal(u.GetStatus().GetState()) // whatever followed
		}
	}
	switch {
	case over:
		r.settle(id, t, stream.seen)
		return
	case isTerminal(t.GetState()):
		r.terminated[id] = t
	default:
		r.launched[id] = t
	}
	if len(s.Updates) > 0 {
		m.streams[taskKey{r.framework.id, id}] = stream
	}
}

// knownContainers describes what should still run.
func (m *Machine) knownContainers() []LaunchContainer {
	var out []LaunchContainer
	for _, f := range sorted(m.frameworks) {
		for _, r := range sorted(f.runs) {
			out = append(out, LaunchContainer{
				AgentID:     m.agentID(),
				Container:   r.container,
				FrameworkID: f.id,
				Executor:    m.launchable(r.info, r.resources()),
				Limits:      m.limits(r),
				User:        r.user,
				Directory:   r.directory,
				Checkpoint:  true,
			})
		}
	}
	return out
}

// containersRecovered lets executors come back, for a while.
func (m *Machine) containersRecovered(in ContainersRecovered) {
	if m.phase != Recovering || m.reconnect {
		return
	}
	if in.Err != nil {
		m.do(Terminate{Err: fmt.Errorf("recovering containers: %w", in.Err)})
		return
	}
	m.reconnect = true
	for id, r := range sorted(m.containers) {
		r.status = in.Statuses[id]
		m.do(WaitContainer{Container: id})
		m.reconnectDriver(r)
		if !m.cfg.Reconnect {
			m.shutdownRun(r)
		}
	}
	if m.awaited() && m.cfg.Reconnect {
		m.inform("waiting for executors to come back", "executors", len(m.containers),
			"within", duration(m.cfg.ExecutorReregistration))
		m.do(Arm{Timer: Timer{Kind: TimerExecutorReregister}, After: m.cfg.ExecutorReregistration})
		return
	}
	m.recovered()
}

// awaited says whether executors of the former life may still come back.
func (m *Machine) awaited() bool {
	for _, r := range m.containers {
		if r.phase == Registering {
			return true
		}
	}
	return false
}

// recoveredEarly ends recovery as soon as nobody is awaited any more: the master
// waits too.
func (m *Machine) recoveredEarly() {
	if m.phase == Recovering && m.reconnect && m.cfg.Reconnect && !m.awaited() {
		m.do(Disarm{Timer{Kind: TimerExecutorReregister}})
		m.recovered()
	}
}

// reregistrationTimeout gives up the executors that did not come back.
func (m *Machine) reregistrationTimeout() {
	if m.phase != Recovering {
		return
	}
	for _, r := range sorted(m.containers) {
		if r.phase != Registering {
			continue
		}
		m.inform("killing executor: it did not come back", fields(r)...)
		r.pending = &pendingTermination{
			state:   orLost(r.framework.partitionAware(), mesos.TaskState_TASK_GONE),
			reason:  mesos.TaskStatus_REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
			message: "Executor did not reregister within " + duration(m.cfg.ExecutorReregistration),
		}
		m.stop(r)
	}
	m.recovered()
}

// recovered ends recovery: from now on a master may know the agent.
func (m *Machine) recovered() {
	m.do(RecoveryFinished{AgentID: m.agentID()})
	if !m.cfg.Reconnect {
		m.inform("recovered to clean up", "executors", len(m.containers))
		m.phase = Terminating
		if len(m.frameworks) == 0 {
			m.do(Terminate{})
		}
		return
	}
	m.inform("recovered", "frameworks", len(m.frameworks))
	m.phase = Disconnected
	if m.drain != nil {
		m.drainAgainAfterRecovery()
	}
	m.detect()
}

// drainAgainAfterRecovery repeats the kills that may have been lost.
func (m *Machine) drainAgainAfterRecovery() {
	m.drainAt = m.now
	m.drained()
	for _, f := range sorted(m.frameworks) {
		for _, r := range sorted(f.runs) {
			m.drainRun(r)
		}
	}
}
