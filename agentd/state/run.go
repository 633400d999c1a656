package state

import (
	"slices"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// RunPhase is where an executor is in its life.
type RunPhase string

// The phases, in order.
const (
	// Registering: launched or recovered, and has not subscribed.
	Registering RunPhase = "REGISTERING"
	// Active: subscribed, once at least.
	Active RunPhase = "RUNNING"
	// Stopping: asked to end, or being killed.
	Stopping RunPhase = "TERMINATING"
	// Terminated: its container is gone; updates may be unacknowledged.
	Terminated RunPhase = "TERMINATED"
)

// run is an executor from its launch to the last acknowledgement.
type run struct {
	framework  *framework
	id         string // of the executor
	info       *mesos.ExecutorInfo
	container  string
	directory  string
	user       string
	checkpoint bool
	generated  bool // by this agent, for a command task
	phase      RunPhase
	stream     StreamID
	// pid is that of an executor that speaks by the native driver; "" for others.
	pid string
	// status describes the container while it runs; nil if that is not known.
	status *mesos.ContainerStatus
	// pending explains a termination that this agent brings about.
	pending *pendingTermination

	queued     []queuedTask
	launched   map[string]*mesos.Task
	terminated map[string]*mesos.Task
	completed  []*mesos.Task
	// settled holds the UUIDs of all updates of each completed task.
	settled map[string]map[string]bool
	// arriving holds updates of a task that wait for the containerizer, in order.
	arriving map[string][]*arrival
}

type queuedTask struct {
	info  *mesos.TaskInfo
	group *mesos.TaskGroupInfo // nil if it came alone
}

type pendingTermination struct {
	state   mesos.TaskState
	reason  mesos.TaskStatus_Reason
	message string
}

func newRun(f *framework, info *mesos.ExecutorInfo, container string) *run {
	return &run{
		framework:  f,
		id:         info.GetExecutorId().GetValue(),
		info:       info,
		container:  container,
		checkpoint: f.info.GetCheckpoint(),
		phase:      Registering,
		launched:   map[string]*mesos.Task{},
		terminated: map[string]*mesos.Task{},
		settled:    map[string]map[string]bool{},
		arriving:   map[string][]*arrival{},
	}
}

func (r *run) queuedAt(task string) int {
	return slices.IndexFunc(r.queued, func(q queuedTask) bool { return q.info.GetTaskId().GetValue() == task })
}

// groupOf returns all tasks that are queued together with this one.
func (r *run) groupOf(task string) []*mesos.TaskInfo {
	q := r.queued[r.queuedAt(task)]
	if q.group == nil {
		return []*mesos.TaskInfo{q.info}
	}
	return q.group.GetTasks()
}

func (r *run) incomplete() bool {
	return len(r.queued)+len(r.launched)+len(r.terminated) > 0
}

// knows says whether an update of a completed task was here before. From now on
// it was, if the task is one that ran here.
func (r *run) knows(u *messages.StatusUpdate) bool {
	seen := r.settled[u.GetStatus().GetTaskId().GetValue()]
	known := seen[string(u.GetUuid())]
	if seen != nil {
		seen[string(u.GetUuid())] = true
	}
	return known
}

// settle moves a task to history. seen are the UUIDs of its updates.
func (r *run) settle(task string, t *mesos.Task, seen map[string]bool) {
	r.completed = append(r.completed, t)
	r.settled[task] = seen
	if len(r.completed) > maxCompletedTasks {
		delete(r.settled, r.completed[0].GetTaskId().GetValue())
		r.completed = slices.Delete(r.completed, 0, 1)
	}
}

// everSent says whether the executor was given a task at any time.
func (r *run) everSent() bool {
	if len(r.launched) > 0 {
		return true
	}
	fromExecutor := func(t *mesos.Task) bool {
		return slices.ContainsFunc(t.GetStatuses(), func(s *mesos.TaskStatus) bool {
			return s.GetSource() == mesos.TaskStatus_SOURCE_EXECUTOR
		})
	}
	for _, t := range r.terminated {
		if fromExecutor(t) {
			return true
		}
	}
	return slices.ContainsFunc(r.completed, fromExecutor)
}

// resources are what executor and tasks may use.
func (r *run) resources() []*mesos.Resource {
	lists := [][]*mesos.Resource{r.info.GetResources()}
	for _, q := range r.queued {
		lists = append(lists, q.info.GetResources())
	}
	for _, t := range sorted(r.launched) {
		lists = append(lists, t.GetResources())
	}
	return sum(lists...)
}

func (r *run) shutdownGrace(byDefault time.Duration) time.Duration {
	if g := r.info.GetShutdownGracePeriod(); g != nil {
		return time.Duration(g.GetNanoseconds())
	}
	return byDefault
}

// shutdownRun asks an executor to end, and sees to it that it does.
func (m *Machine) shutdownRun(r *run) {
	m.inform("shutting down executor", fields(r)...)
	r.phase = Stopping
	m.event(r, shutdownEvent())
	m.do(Disarm{Timer{Kind: TimerExecutorRegister, Container: r.container}})
	m.do(Arm{
		Timer: Timer{Kind: TimerExecutorShutdown, Container: r.container},
		After: r.shutdownGrace(m.cfg.ExecutorShutdownGrace),
	})
}

func (m *Machine) shutdownTimeout(r *run) {
	if r == nil || r.phase != Stopping {
		return
	}
	m.inform("killing executor: it did not end in time", fields(r)...)
	m.destroy(r)
}

func (m *Machine) shutdownExecutor(frameworkID, executorID string) {
	var r *run
	if f := m.frameworks[frameworkID]; f != nil && !f.terminating {
		r = f.runs[executorID]
	}
	if m.phase == Recovering || m.phase == Disconnected || r == nil || (r.phase != Registering && r.phase != Active) {
		m.warn("shutdown of executor ignored: it is not running", "framework_id", frameworkID, "executor_id", executorID)
		return
	}
	m.shutdownRun(r)
}

func (m *Machine) registrationTimeout(r *run) {
	if r == nil || r.phase != Registering || r.framework.terminating {
		return
	}
	m.inform("killing executor: it did not register in time", fields(r)...)
	r.pending = &pendingTermination{
		state:   mesos.TaskState_TASK_FAILED,
		reason:  mesos.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT,
		message: "Executor did not register within " + duration(m.cfg.ExecutorRegistration),
	}
	m.stop(r)
}

// stop kills an executor without asking.
func (m *Machine) stop(r *run) {
	r.phase = Stopping
	m.destroy(r)
}

// destroyAfterFailure kills an executor whose container could not be updated.
func (m *Machine) destroyAfterFailure(r *run, err error) {
	m.log(Error, "destroying container: its resources can't be updated", append(fields(r), "error", err.Error())...)
	r.pending = &pendingTermination{
		state:   orLost(r.framework.partitionAware(), mesos.TaskState_TASK_GONE),
		reason:  mesos.TaskStatus_REASON_CONTAINER_UPDATE_FAILED,
		message: "Failed to update resources for container: " + err.Error(),
	}
	m.destroy(r)
}

// removeRun forgets a terminated executor.
func (m *Machine) removeRun(r *run) {
	m.inform("executor removed", fields(r)...)
	if r.checkpoint {
		m.checkpoint(CompletedRecord{Run: m.runID(r)})
	}
	m.closeStream(r)
	f := r.framework
	m.do(ExecutorRemoved{
		AgentID: m.agentID(), FrameworkID: f.id, ExecutorID: r.id, Container: r.container, Checkpoint: r.checkpoint,
	})
	for _, q := range r.queued {
		delete(f.owners, q.info.GetTaskId().GetValue())
	}
	for _, tasks := range []map[string]*mesos.Task{r.launched, r.terminated} {
		for id := range tasks {
			delete(f.owners, id)
		}
	}
	delete(f.runs, r.id)
	delete(m.containers, r.container)
	m.addCompleted(f, r)
}

func (m *Machine) addCompleted(f *framework, r *run) {
	f.completed = append(f.completed, r.view())
	if len(f.completed) > m.cfg.MaxCompletedExecutors {
		f.completed = slices.Delete(f.completed, 0, len(f.completed)-m.cfg.MaxCompletedExecutors)
	}
}

// fields names a run in logs.
func fields(r *run) []any {
	return []any{"framework_id", r.framework.id, "executor_id", r.id, "container_id", r.container}
}
