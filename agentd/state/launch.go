package state

import (
	"errors"
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// launch is a request to run a task or a group of them, for the time of one step.
type launch struct {
	framework *framework
	executor  *mesos.ExecutorInfo
	tasks     []*mesos.TaskInfo
	group     *mesos.TaskGroupInfo // nil for a single task
	generated bool                 // the agent makes the executor
	// expected is what the master thinks: whether an executor is to be
	// launched. nil for masters before 1.9.
	expected *bool
	versions []*messages.ResourceVersionUUID
}

func (m *Machine) runTask(msg *messages.RunTaskMessage) {
	task := msg.GetTask()
	l := &launch{
		executor: task.GetExecutor(),
		tasks:    []*mesos.TaskInfo{task},
		expected: msg.LaunchExecutor,
		versions: msg.GetResourceVersionUuids(),
	}
	if (task.GetExecutor() == nil) == (task.GetCommand() == nil) {
		m.warn("task ignored: it needs either a command or an executor", "task", task.GetTaskId().GetValue())
		return
	}
	if l.executor == nil {
		l.executor = m.commandExecutor(msg.GetFramework(), task)
		l.generated = true
	}
	m.launch(l, msg.GetFramework(), msg.GetPid())
}

func (m *Machine) runTaskGroup(msg *messages.RunTaskGroupMessage) {
	m.launch(&launch{
		executor: msg.GetExecutor(),
		tasks:    msg.GetTaskGroup().GetTasks(),
		group:    msg.GetTaskGroup(),
		expected: msg.LaunchExecutor,
		versions: msg.GetResourceVersionUuids(),
	}, msg.GetFramework(), "")
}

// launch runs tasks: it checks whether that is possible, finds or starts the
// executor, and queues or sends the tasks.
func (m *Machine) launch(l *launch, info *mesos.FrameworkInfo, pid string) {
	if err := m.ignorable(l, info); err != nil {
		m.warn("launch ignored: "+err.Error(), "framework", info.GetId().GetValue())
		return
	}
	m.allocate(l, info)
	m.do(DirectoriesReused{AgentID: m.agentID(), FrameworkID: info.GetId().GetValue(), ExecutorID: l.executor.GetExecutorId().GetValue()})
	l.framework = m.addFramework(info, pid)
	if l.framework.terminating {
		m.warn("launch ignored: the framework is being shut down", "framework", l.framework.id)
		m.executorNotLaunched(l)
		return
	}
	if refusal := m.refusal(l); refusal != nil {
		m.refuse(l, refusal)
		return
	}
	r := l.framework.runs[l.executor.GetExecutorId().GetValue()]
	if r != nil {
		m.queue(l, r)
		return
	}
	r = m.addRun(l)
	m.queue(l, r)
	m.startRun(l, r)
}

// ignorable finds launches that can't be answered: the agent they are for, or
// the framework that would get the answer, is not there.
func (m *Machine) ignorable(l *launch, info *mesos.FrameworkInfo) error {
	switch {
	case m.phase == Recovering || m.phase == Terminating:
		return fmt.Errorf("the agent is %s", m.phase)
	case len(l.tasks) == 0:
		return errors.New("no task")
	}
	ids := []string{info.GetId().GetValue(), l.executor.GetExecutorId().GetValue()}
	for _, t := range l.tasks {
		if t.GetAgentId().GetValue() != m.agentID() {
			return fmt.Errorf("it is for agent %q", t.GetAgentId().GetValue())
		}
		ids = append(ids, t.GetTaskId().GetValue())
	}
	for _, id := range ids {
		if err := paths.CheckID(id); err != nil {
			return err
		}
	}
	if err := resources.ValidateAll(l.executor.GetResources()); err != nil {
		return err
	}
	for _, t := range l.tasks {
		if err := resources.ValidateAll(t.GetResources()); err != nil {
			return err
		}
	}
	return nil
}

// allocate brings resources into the form that is used here, and says on each
// which role it is allocated to: masters that know of one role a framework
// leave that out.
func (m *Machine) allocate(l *launch, info *mesos.FrameworkInfo) {
	role := info.GetRole()
	if hasCapability(info, mesos.FrameworkInfo_Capability_MULTI_ROLE) && len(info.GetRoles()) > 0 {
		role = info.GetRoles()[0]
	}
	allocateTo(l.executor.Resources, role)
	for _, t := range l.tasks {
		allocateTo(t.Resources, role)
		if t.Executor != nil {
			allocateTo(t.Executor.Resources, role)
		}
	}
}

func allocateTo(rs []*mesos.Resource, role string) {
	resources.Upgrade(rs)
	for _, r := range rs {
		if r.AllocationInfo == nil {
			r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
		}
	}
}

// refusal is why tasks are not run.
type refusal struct {
	state   mesos.TaskState // of partition-aware frameworks' tasks
	reason  mesos.TaskStatus_Reason
	message string
	// keep says that the framework has an executor of that ID, about which
	// the master need not be told.
	keep bool
}

func dropped(reason mesos.TaskStatus_Reason, message string) *refusal {
	return &refusal{state: mesos.TaskState_TASK_DROPPED, reason: reason, message: message}
}

// refusal checks what could forbid the launch, in Mesos's order.
func (m *Machine) refusal(l *launch) *refusal {
	if message := m.unlimitable(l.tasks); message != "" {
		return dropped(mesos.TaskStatus_REASON_GC_ERROR, message) // as in Mesos: there is no better one
	}
	if m.drain != nil {
		return dropped(mesos.TaskStatus_REASON_AGENT_DRAINING, "Task was received while agent was already draining")
	}
	if m.outdated(l.versions) {
		return dropped(mesos.TaskStatus_REASON_INVALID_OFFERS, "Task assumes outdated resource state")
	}
	if message := m.unknownResources(l); message != "" {
		return dropped(mesos.TaskStatus_REASON_RESOURCES_UNKNOWN, message)
	}
	return m.executorMismatch(l)
}

// unlimitable finds limits that no isolator would enforce.
func (m *Machine) unlimitable(tasks []*mesos.TaskInfo) string {
	for _, t := range tasks {
		if t.GetContainer().GetType() == mesos.ContainerInfo_DOCKER {
			continue
		}
		if t.GetLimits()["cpus"] != nil && !m.cfg.CPULimits {
			return "CPU limits can only be set on tasks launched in Mesos containers" +
				" when the agent has loaded the 'cgroups/cpu' isolator"
		}
		if t.GetLimits()["mem"] != nil && !m.cfg.MemoryLimits {
			return "Memory limits can only be set on tasks launched in Mesos containers" +
				" when the agent has loaded the 'cgroups/mem' isolator"
		}
	}
	return ""
}

// outdated says whether the master offered resources as they no longer are.
func (m *Machine) outdated(versions []*messages.ResourceVersionUUID) bool {
	for _, v := range versions {
		if v.ResourceProviderId == nil && string(v.GetUuid().GetValue()) != string(m.version[:]) {
			return true
		}
	}
	return false
}

// executorMismatch compares what the master expects with the executors there are.
func (m *Machine) executorMismatch(l *launch) *refusal {
	f := l.framework
	r := f.runs[l.executor.GetExecutorId().GetValue()]
	kept := func(reason mesos.TaskStatus_Reason, message string) *refusal {
		out := dropped(reason, message)
		out.keep = true
		return out
	}
	switch {
	case r == nil && l.executor.GetType() == mesos.ExecutorInfo_DEFAULT && m.cfg.DefaultExecutor == nil:
		return &refusal{
			state: mesos.TaskState_TASK_ERROR, reason: mesos.TaskStatus_REASON_TASK_GROUP_INVALID,
			message: "This agent has no default executor",
		}
	case r == nil && l.expected != nil && !*l.expected:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"No executor is expected to launch and there is none running")
	case r == nil:
		return nil
	case l.expected != nil && l.generated:
		return kept(mesos.TaskStatus_REASON_TASK_INVALID,
			"Cannot reuse an already existing executor for a command task")
	case l.expected != nil && *l.expected:
		// The master lost track of the executor. If it is over, the master is
		// told again; if it lives, it is ended.
		out := kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED,
			"Master wants to launch executor, but one already exists")
		switch r.phase {
		case Terminated:
			m.sendExited(f.id, r.id, nil)
		case Registering, Active:
			m.shutdownRun(r)
		}
		return out
	case r.phase == Stopping:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminating")
	case r.phase == Terminated:
		return kept(mesos.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated")
	}
	for _, t := range l.tasks {
		if f.owners[t.GetTaskId().GetValue()] != nil {
			return kept(mesos.TaskStatus_REASON_TASK_INVALID,
				"Task '"+t.GetTaskId().GetValue()+"' runs already")
		}
	}
	return nil
}

// refuse answers every task of a launch.
func (m *Machine) refuse(l *launch, why *refusal) {
	f := l.framework
	state := why.state
	if state == mesos.TaskState_TASK_DROPPED {
		state = orLost(f.partitionAware(), state)
	}
	for _, t := range l.tasks {
		u := m.ownUpdate(f.id, l.executor.GetExecutorId().GetValue(), t.GetTaskId().GetValue(),
			state, why.reason, why.message)
		if r := f.owners[t.GetTaskId().GetValue()]; r != nil {
			// The refusal must not end a task of that ID that runs, nor stand in the
			// way of the last update of one that ran.
			m.warn("launch refused: a task of that ID exists", append(fields(r), "task", t.GetTaskId().GetValue())...)
			if r.terminated[t.GetTaskId().GetValue()] != nil {
				m.send(&messages.StatusUpdateMessage{Update: u})
			}
			continue
		}
		m.update(u, nil)
	}
	m.removeIfIdle(f)
	if !why.keep {
		m.executorNotLaunched(l)
	}
}

// executorNotLaunched corrects a master that counts on a new executor.
func (m *Machine) executorNotLaunched(l *launch) {
	if l.expected != nil && *l.expected {
		m.sendExited(l.framework.id, l.executor.GetExecutorId().GetValue(), nil)
	}
}

// sendExited tells the master that an executor is gone.
func (m *Machine) sendExited(frameworkID, executorID string, status *int32) {
	if status == nil {
		status = new(int32(-1))
	}
	m.send(&messages.ExitedExecutorMessage{
		SlaveId:     m.info.Id,
		FrameworkId: &mesos.FrameworkID{Value: &frameworkID},
		ExecutorId:  &mesos.ExecutorID{Value: &executorID},
		Status:      status,
	})
}

// addRun makes and checkpoints a new executor.
func (m *Machine) addRun(l *launch) *run {
	f := l.framework
	id := m.cfg.Random.UUID()
	r := newRun(f, l.executor, uuidString(id[:]))
	r.generated = l.generated
	r.directory = m.sandbox(f.id, r.id, r.container)
	if m.cfg.SwitchUser {
		r.user = f.info.GetUser()
		if u := l.executor.GetCommand().GetUser(); u != "" {
			r.user = u
		}
	}
	f.runs[r.id] = r
	m.containers[r.container] = r
	if r.checkpoint {
		m.checkpoint(ExecutorRecord{
			AgentID: m.agentID(), FrameworkID: f.id, Container: r.container, Info: r.info, Generated: r.generated,
		})
	}
	m.inform("launching executor", append(fields(r), "directory", r.directory)...)
	return r
}

// startRun launches the container of a new executor.
func (m *Machine) startRun(l *launch, r *run) {
	// The container starts with the resources of its first tasks: those of the
	// executor alone may be too few to start at all.
	lists := [][]*mesos.Resource{l.executor.GetResources()}
	for _, t := range l.tasks {
		lists = append(lists, t.GetResources())
	}
	start := LaunchContainer{
		AgentID:     m.agentID(),
		Container:   r.container,
		FrameworkID: r.framework.id,
		Executor:    m.launchable(r.info, sum(lists...)),
		Limits:      m.limitsOf(l.executor.GetResources(), l.tasks, nil),
		User:        r.user,
		Directory:   r.directory,
		Checkpoint:  r.checkpoint,
	}
	if r.generated {
		start.Task = l.tasks[0]
	}
	m.do(start)
	m.do(Arm{
		Timer: Timer{Kind: TimerExecutorRegister, Container: r.container},
		After: m.cfg.ExecutorRegistration,
	})
}

// queue gives the tasks to the executor, or keeps them until it subscribes.
func (m *Machine) queue(l *launch, r *run) {
	for _, t := range l.tasks {
		if r.checkpoint {
			m.checkpoint(TaskRecord{Run: m.runID(r), Task: newTask(r.framework, t, mesos.TaskState_TASK_STAGING)})
		}
		r.queued = append(r.queued, queuedTask{info: t, group: l.group})
		r.framework.owners[t.GetTaskId().GetValue()] = r
	}
	if r.phase == Active {
		m.resizes[m.resize(r)] = resize{run: r, queued: queuedOf(l)}
	}
}

func queuedOf(l *launch) []queuedTask {
	out := make([]queuedTask, len(l.tasks))
	for i, t := range l.tasks {
		out[i] = queuedTask{info: t, group: l.group}
	}
	return out
}

// resize is what waits for a container to get more resources: the delivery of
// tasks to its executor.
type resize struct {
	run    *run
	queued []queuedTask
}

// deliver sends tasks that are still queued to the executor.
func (m *Machine) deliver(next resize, err error) {
	r := next.run
	if r.phase == Terminated {
		return
	}
	if err != nil {
		m.destroyAfterFailure(r, err)
		return
	}
	if r.framework.terminating || r.phase != Active {
		m.debug("tasks not sent: executor is ending", fields(r)...)
		return
	}
	var sent *mesos.TaskGroupInfo
	for _, q := range next.queued {
		i := r.queuedAt(q.info.GetTaskId().GetValue())
		if i < 0 {
			continue // killed meanwhile
		}
		r.queued = append(r.queued[:i:i], r.queued[i+1:]...)
		r.launched[q.info.GetTaskId().GetValue()] = newTask(r.framework, q.info, mesos.TaskState_TASK_STAGING)
		switch {
		case q.group == nil:
			m.inform("task sent to executor", append(fields(r), "task", q.info.GetTaskId().GetValue())...)
			m.event(r, launchEvent(q.info))
		case q.group != sent:
			sent = q.group
			m.inform("task group sent to executor", append(fields(r), "tasks", len(sent.GetTasks()))...)
			m.event(r, launchGroupEvent(sent))
		}
	}
}

// launched takes in that a container runs, or doesn't.
func (m *Machine) launched(in ContainerLaunched) {
	r := m.containers[in.Container]
	if in.Err != nil {
		m.counters.ContainerLaunchErrors++
		m.log(Error, "launching container failed", "container", in.Container, "error", in.Err.Error())
		if r == nil || r.phase == Terminated {
			return
		}
		if r.pending == nil {
			r.pending = &pendingTermination{
				state:   mesos.TaskState_TASK_FAILED,
				reason:  mesos.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
				message: "Failed to launch container: " + in.Err.Error(),
			}
		}
		m.terminate(r, Termination{}, nil)
		return
	}
	switch {
	case r == nil:
		m.do(DestroyContainer{Container: in.Container})
	case r.phase == Stopping || r.framework.terminating:
		m.do(DestroyContainer{Container: in.Container})
	default:
		r.status = in.Status
	}
}
