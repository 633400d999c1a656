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
		m.warn("task ignored: it needs either a command or an executor", "task_id", task.GetTaskId().GetValue())
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
		m.warn("launch ignored: "+err.Error(), "framework_id", info.GetId().GetValue())
		return
	}
	m.allocate(l, info)
	m.do(DirectoriesReused{AgentID: m.agentID(), FrameworkID: info.GetId().GetValue(), ExecutorID: l.executor.GetExecutorId().GetValue()})
	l.framework = m.addFramework(info, pid)
	if l.framework.terminating {
		m.warn("launch ignored: the framework is being shut down", "framework_id", l.framework.id)
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
	} else {
		r = m.addRun(l)
		m.queue(l, r)
		m.startRun(l, r)
	}
	for _, t := range l.tasks {
		m.showVolumes(r, t.GetTaskId().GetValue(), t.GetResources(), t.GetContainer())
	}
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
	m.published(r, start.Executor.GetResources(), start)
	if r.phase == Terminated {
		return // nothing can be published
	}
	m.do(Arm{
		Timer: Timer{Kind: TimerExecutorRegister, Container: r.container},
		After: m.cfg.ExecutorRegistration,
	})
}
