package state

import (
	"bytes"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// arrival is a status update on its way into its stream. Those of one task pass
// one after the other through up to three stages:
//
//  1. describe: its container's status is added
//  2. apply: the task changes its state, and the container its resources if
//     the task ended
//  3. record: it is checkpointed, forwarded to the master, and acknowledged
//     to the executor
type arrival struct {
	run       *run
	update    *messages.StatusUpdate
	from      *run // who sent it and is to be acknowledged; nil for the agent itself
	described bool
}

// update takes in a status update of an executor, or of the agent itself if from
// is nil. An executor may speak for tasks of another one.
func (m *Machine) update(u *messages.StatusUpdate, from *run) {
	f := m.frameworks[u.GetFrameworkId().GetValue()]
	if !m.admissible(u, f) {
		m.counters.InvalidStatusUpdates++
		return
	}
	s := u.Status
	s.Uuid = u.Uuid
	s.Source = mesos.TaskStatus_SOURCE_AGENT.Enum()
	if from != nil {
		s.Source = mesos.TaskStatus_SOURCE_EXECUTOR.Enum()
	}
	if u.ExecutorId != nil {
		s.ExecutorId = u.ExecutorId
	}
	m.tellDraining(f, s)
	m.counters.ValidStatusUpdates++
	if r := f.owners[s.GetTaskId().GetValue()]; r != nil {
		m.arrive(&arrival{run: r, update: u, from: from})
		return
	}
	m.updateUnowned(u, from)
}

// updateUnowned takes in an update of a task that no executor here has, or not any
// more: it is forwarded without a checkpoint and changes no task. But what an
// executor that was away repeats, the framework has acknowledged meanwhile.
func (m *Machine) updateUnowned(u *messages.StatusUpdate, from *run) {
	if from != nil && from.knows(u) {
		m.debug("status update ignored: its task is complete", updateFields(u)...)
	} else {
		m.record(nil, u)
	}
	m.acknowledgeExecutor(u, from)
}

func (m *Machine) admissible(u *messages.StatusUpdate, f *framework) bool {
	problem := ""
	switch {
	case len(u.GetUuid()) == 0:
		problem = "it has no UUID"
	case u.GetSlaveId().GetValue() != m.agentID() || u.GetStatus().GetAgentId().GetValue() != m.agentID():
		problem = "it is another agent's"
	case f == nil:
		problem = "its framework is unknown"
	case f.terminating:
		problem = "its framework is being shut down"
	}
	if problem != "" {
		m.warn("status update ignored: "+problem, updateFields(u)...)
	}
	return problem == ""
}

// tellDraining makes it visible that a task was killed because of draining.
func (m *Machine) tellDraining(f *framework, s *mesos.TaskStatus) {
	if m.drain == nil {
		return
	}
	switch s.GetState() {
	case mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_KILLED:
		s.Reason = mesos.TaskStatus_REASON_AGENT_DRAINING.Enum()
		if m.drain.GetMarkGone() && f.partitionAware() {
			s.State = mesos.TaskState_TASK_GONE_BY_OPERATOR.Enum()
		}
	}
}

func (m *Machine) arrive(a *arrival) {
	task := a.update.GetStatus().GetTaskId().GetValue()
	waiting := a.run.arriving[task]
	a.run.arriving[task] = append(waiting, a)
	if len(waiting) == 0 {
		m.advance(a)
	}
}

// advance moves the first arrival of a task to its next stage.
func (m *Machine) advance(a *arrival) {
	if !a.described && !m.describe(a) {
		return
	}
	if !m.apply(a) {
		return
	}
	m.finish(a)
}

// describe adds the container's status, and says whether it could do so at once.
func (m *Machine) describe(a *arrival) bool {
	a.described = true
	r, s := a.run, a.update.Status
	task := s.GetTaskId().GetValue()
	if r.phase == Terminated || r.queuedAt(task) >= 0 {
		return true // no container, or none that the task was in
	}
	_, launched := r.launched[task]
	if launched && s.GetSource() == mesos.TaskStatus_SOURCE_AGENT &&
		(s.GetState() == mesos.TaskState_TASK_DROPPED || s.GetState() == mesos.TaskState_TASK_LOST) {
		return true // it did not reach the executor
	}
	container := s.GetContainerStatus().GetContainerId()
	if container == nil || container.GetParent() == nil && container.GetValue() == r.container {
		if r.status != nil {
			s.ContainerStatus = mergeContainerStatus(s.ContainerStatus, r.status, m.cfg.IP)
			return true
		}
		container = &mesos.ContainerID{Value: &r.container}
	}
	token := m.token()
	m.arrivals[token] = a
	m.do(DescribeContainer{Token: token, Container: container})
	return false
}

func (m *Machine) described(in ContainerDescribed) {
	a := m.arrivals[in.Token]
	delete(m.arrivals, in.Token)
	if a == nil {
		return
	}
	if in.Status != nil {
		s := a.update.Status
		s.ContainerStatus = mergeContainerStatus(s.ContainerStatus, in.Status, m.cfg.IP)
	}
	m.advance(a)
}

// apply changes the task, and says whether the update may be recorded at once.
func (m *Machine) apply(a *arrival) bool {
	r, s := a.run, a.update.Status
	if problem := m.applyStatus(r, s); problem != "" {
		m.warn("status update dropped: "+problem, updateFields(a.update)...)
		// Acknowledged all the same, lest the executor repeat it for ever.
		m.acknowledgeExecutor(a.update, a.from)
		m.leave(a)
		return false
	}
	if !isTerminal(s.GetState()) || r.phase == Terminated {
		return true
	}
	// The framework learns that resources are free when they are.
	token := m.resize(r)
	m.arrivals[token] = a
	return false
}

// applyStatus changes a task's state. It returns why that is not possible.
func (m *Machine) applyStatus(r *run, s *mesos.TaskStatus) (problem string) {
	id := s.GetTaskId().GetValue()
	terminal := isTerminal(s.GetState())
	if i := r.queuedAt(id); i >= 0 {
		if !terminal {
			return "the task is still queued"
		}
		t := newTask(r.framework, r.queued[i].info, s.GetState())
		r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
		r.terminated[id] = withStatus(t, s)
		m.counters.count(s.GetState())
		return ""
	}
	if t := r.terminated[id]; t != nil {
		return "the task has ended with " + t.GetState().String()
	}
	t := r.launched[id]
	if t == nil {
		return "the task is unknown"
	}
	t = withStatus(t, s)
	if !terminal {
		r.launched[id] = t
		return ""
	}
	delete(r.launched, id)
	r.terminated[id] = t
	m.counters.count(s.GetState())
	return ""
}

// finish records an arrival and lets the next one of its task go on.
func (m *Machine) finish(a *arrival) {
	if m.frameworks[a.run.framework.id] == a.run.framework && !a.run.framework.terminating {
		m.record(a.run, a.update)
		m.acknowledgeExecutor(a.update, a.from)
	}
	m.leave(a)
}

func (m *Machine) leave(a *arrival) {
	task := a.update.GetStatus().GetTaskId().GetValue()
	waiting := a.run.arriving[task][1:]
	if len(waiting) == 0 {
		delete(a.run.arriving, task)
		return
	}
	a.run.arriving[task] = waiting
	m.advance(waiting[0])
}

// acknowledgeExecutor tells an executor that the agent has its update.
func (m *Machine) acknowledgeExecutor(u *messages.StatusUpdate, from *run) {
	if from != nil {
		m.event(from, acknowledgedEvent(u.GetStatus().GetTaskId(), u.GetUuid()))
	}
}

// resize tells the containerizer what the run uses now.
func (m *Machine) resize(r *run) Token {
	token := m.token()
	m.do(UpdateContainer{Token: token, Container: r.container, Resources: r.resources(), Limits: m.limits(r)})
	return token
}

func (m *Machine) updated(in ContainerUpdated) {
	if a := m.arrivals[in.Token]; a != nil {
		delete(m.arrivals, in.Token)
		if in.Err != nil && a.run.phase != Terminated {
			m.destroyAfterFailure(a.run, in.Err)
		}
		m.finish(a)
		return
	}
	if next, ok := m.resizes[in.Token]; ok {
		delete(m.resizes, in.Token)
		m.deliver(next, in.Err)
	}
}

// mergeContainerStatus completes what an executor said about a task's container.
func mergeContainerStatus(own, known *mesos.ContainerStatus, ip string) *mesos.ContainerStatus {
	out := &mesos.ContainerStatus{
		NetworkInfos: append(own.GetNetworkInfos(), known.GetNetworkInfos()...),
		CgroupInfo:   known.CgroupInfo,
		ExecutorPid:  known.ExecutorPid,
		ContainerId:  known.ContainerId,
	}
	if own.GetContainerId() != nil {
		out.ContainerId = own.ContainerId
	}
	if len(out.NetworkInfos) == 0 && ip != "" {
		out.NetworkInfos = []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
			Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: &ip,
		}}}}
	}
	return out
}

func updateFields(u *messages.StatusUpdate) []any {
	return []any{
		"framework_id", u.GetFrameworkId().GetValue(), "task_id", u.GetStatus().GetTaskId().GetValue(),
		"state", u.GetStatus().GetState().String(), "uuid", uuidString(u.GetUuid()),
	}
}

func uuidString(b []byte) string {
	const hex = "0123456789abcdef"
	var out bytes.Buffer
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out.WriteByte('-')
		}
		out.WriteByte(hex[c>>4])
		out.WriteByte(hex[c&15])
	}
	return out.String()
}
