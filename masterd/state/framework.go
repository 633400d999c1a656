package state

import (
	"math"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// framework is a framework that is subscribed, may come back, or is known from
// an agent only.
type framework struct {
	id          FrameworkID
	info        *mesos.FrameworkInfo // ID set; replaced, never changed
	protoID     *mesos.FrameworkID
	caps        frameworkCapabilities
	roles       []string // sorted
	suppressed  map[string]bool
	constraints *scheduler.OfferConstraints

	conn      Connection
	connected bool
	active    bool // the allocator makes offers to it
	recovered bool // known from an agent, did not subscribe here yet

	registered, reregistered, unregistered time.Time

	tasks     list[task]
	executors list[executor]
	offers    list[offer]
	// operations are those that are under way or not acknowledged, operationIDs
	// the part that the framework gave an ID.
	operations   list[operation]
	operationIDs map[string]*operation
	inverse      list[inverseOffer]
	// unreachable are its tasks on unreachable agents, oldest first.
	unreachable     map[TaskID]*unreachableTask
	unreachableList list[unreachableTask]
	done            doneTasks // in published.completedTasks

	used, offered resources.Resources

	stats *FrameworkStats

	listed *node[framework]
	dirty  mark
}

// frameworkCapabilities is what a framework says it can deal with.
type frameworkCapabilities struct {
	multiRole, partitionAware, reservationRefinement, sharedResources bool
}

func capabilitiesOf(info *mesos.FrameworkInfo) (c frameworkCapabilities) {
	for _, k := range info.GetCapabilities() {
		switch k.GetType() {
		case mesos.FrameworkInfo_Capability_MULTI_ROLE:
			c.multiRole = true
		case mesos.FrameworkInfo_Capability_PARTITION_AWARE:
			c.partitionAware = true
		case mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT:
			c.reservationRefinement = true
		case mesos.FrameworkInfo_Capability_SHARED_RESOURCES:
			c.sharedResources = true
		}
	}
	return c
}

// rolesOf returns the roles a framework subscribes to, sorted.
func rolesOf(info *mesos.FrameworkInfo) []string {
	if !capabilitiesOf(info).multiRole {
		return []string{info.GetRole()}
	}
	roles := slices.Clone(info.GetRoles())
	slices.Sort(roles)
	return roles
}

// lostState is the state of a task that ended in a way that frameworks learn
// the details of only if they are partition-aware.
func (f *framework) lostState(aware mesos.TaskState) mesos.TaskState {
	if f.caps.partitionAware {
		return aware
	}
	return mesos.TaskState_TASK_LOST
}

func (f *framework) subscribedTo(role string) bool {
	_, ok := slices.BinarySearch(f.roles, role)
	return ok
}

// setInfo takes over what a framework says of itself.
func (f *framework) setInfo(info *mesos.FrameworkInfo) {
	f.info, f.protoID = info, info.GetId()
	f.caps, f.roles = capabilitiesOf(info), rolesOf(info)
}

// addFramework adds a framework and tells the allocator and the operators.
func (m *Machine) addFramework(f *framework) {
	f.stats = &FrameworkStats{}
	m.addPrincipal(f)
	f.unreachable = map[TaskID]*unreachableTask{}
	f.operationIDs = map[string]*operation{}
	m.frameworks[f.id] = f
	f.listed = m.frameworkList.add(f)
	m.touchFramework(f)
	m.emit(AllocAddFramework{
		Info: f.info, Active: f.active, Suppressed: f.suppressedRoles(), Constraints: f.constraints,
	})
	m.adoptOperations(f)
}

func (f *framework) suppressedRoles() []string {
	if len(f.suppressed) == 0 {
		return nil
	}
	roles := make([]string, 0, len(f.suppressed))
	for _, r := range f.roles {
		if f.suppressed[r] {
			roles = append(roles, r)
		}
	}
	return roles
}

// recoverFramework adds a framework that is known from an agent, or by its ID
// only: it may not get offers before it subscribes.
func (m *Machine) recoverFramework(info *mesos.FrameworkInfo) *framework {
	f := &framework{id: FrameworkID(info.GetId().GetValue()), recovered: true}
	f.setInfo(info)
	m.addFramework(f)
	m.publishFrameworkAdded(f)
	m.info("recovered a framework", "framework_id", f.id, "name", info.GetName())
	return f
}

// connect binds a framework to a connection, after the old one was dealt with.
func (m *Machine) connect(f *framework, c Connection) {
	m.unbind(f)
	m.forgetDriver(f)
	f.conn, f.connected, f.recovered = c, true, false
	if c.Stream != "" {
		m.byStream[c.Stream] = f
	} else {
		m.byPID[c.PID] = f
		m.throttles.drivers[c.PID] = f
		m.emit(Link{PID: c.PID})
	}
	m.disarm(Timer{TimerFailover, string(f.id)})
	m.touchFramework(f)
}

// unbind drops a framework's connection; a stream is closed.
func (m *Machine) unbind(f *framework) {
	if c := f.conn; c.Stream != "" {
		delete(m.byStream, c.Stream)
		m.disarm(Timer{TimerHeartbeat, string(c.Stream)})
		m.emit(CloseStream{Stream: c.Stream})
		f.conn.Stream = ""
	} else if c.PID != "" && m.byPID[c.PID] == f {
		delete(m.byPID, c.PID)
		m.emit(Unlink{PID: c.PID})
	}
	f.connected = false
}

// forgetDriver says that a framework's PID is not its own any more.
func (m *Machine) forgetDriver(f *framework) {
	if pid := f.conn.PID; pid != "" && m.throttles.drivers[pid] == f {
		delete(m.throttles.drivers, pid)
	}
}

// activate lets a framework get offers.
func (m *Machine) activate(f *framework) {
	if !f.active {
		f.active = true
		m.emit(AllocActivateFramework{Framework: f.id})
		m.touchFramework(f)
	}
}

// deactivate takes a framework's offers back and lets it get no more. Offers
// of one that is about to go are not rescinded: nobody listens.
func (m *Machine) deactivate(f *framework, rescind bool) {
	if f.active {
		f.active = false
		m.emit(AllocDeactivateFramework{Framework: f.id})
		m.touchFramework(f)
	}
	for o := range f.offers.all() {
		if rescind {
			m.rescind(o)
		} else {
			m.discard(o, nil)
		}
	}
	for o := range f.inverse.all() {
		if rescind {
			m.rescindInverse(o)
		} else {
			m.discardInverse(o, nil)
		}
	}
}

// streamClosed deals with the end of a stream that the client chose.
func (m *Machine) streamClosed(id StreamID) {
	if f := m.byStream[id]; f != nil {
		m.disconnected(f)
	}
}

// disconnected gives a framework its failover timeout to come back.
func (m *Machine) disconnected(f *framework) {
	m.deactivate(f, true)
	m.unbind(f)
	m.touchFramework(f)
	timeout := failoverTimeout(f.info)
	m.info("a framework disconnected", "framework_id", f.id, "name", f.info.GetName(), "failoverTimeout", timeout)
	m.arm(Timer{TimerFailover, string(f.id)}, timeout)
}

// failoverTimeout returns a framework's failover timeout, which was validated
// when it subscribed; negative ones are none.
func failoverTimeout(info *mesos.FrameworkInfo) time.Duration {
	ns := info.GetFailoverTimeout() * float64(time.Second)
	if !(ns > 0) {
		return 0
	}
	return time.Duration(math.Min(ns, math.MaxInt64/2))
}

func (m *Machine) failoverTimeout(id FrameworkID) {
	if f := m.frameworks[id]; f != nil && !f.connected {
		m.info("a framework did not come back in time", "framework_id", id)
		m.removeFramework(f)
	}
}

// removeFramework ends a framework and all that it runs.
func (m *Machine) removeFramework(f *framework) {
	m.info("removing a framework", "framework_id", f.id, "name", f.info.GetName())
	m.deactivate(f, false)
	for a := range m.agentList.all() {
		m.send(a.pid, shutdownFramework(f))
	}
	m.endTasksOf(f)
	for e := range f.executors.all() {
		m.removeExecutor(e)
	}
	m.unbind(f)
	m.forgetDriver(f)
	m.dropPrincipal(f)
	m.disarm(Timer{TimerFailover, string(f.id)})
	f.unregistered, f.active = m.now, false
	delete(m.frameworks, f.id)
	m.frameworkList.remove(f.listed)
	m.emit(AllocRemoveFramework{Framework: f.id})
	m.abandonOperations(f)
	m.complete(f)
	m.publishFrameworkRemoved(f)
}

// endTasksOf moves a framework's tasks to the completed ones. Killed is the
// closest state: the agents were told to end them, and nobody waits for what
// becomes of them.
func (m *Machine) endTasksOf(f *framework) {
	cause := report{
		state:   mesos.TaskState_TASK_KILLED,
		reason:  mesos.TaskStatus_REASON_FRAMEWORK_REMOVED.Enum(),
		message: "Framework " + string(f.id) + " removed",
	}
	for t := range f.tasks.all() {
		m.updateTask(t, m.statusOf(t.info, cause), nil)
		m.removeTask(t)
	}
	for u := range f.unreachableList.all() {
		m.endUnreachable(u, m.statusOf(u.info, cause))
	}
}

// updateFramework takes over a changed FrameworkInfo of a subscribed framework.
func (m *Machine) updateFramework(f *framework, s subscription) {
	f.setInfo(s.info)
	f.suppressed, f.constraints = s.suppressed, s.constraints
	m.emit(AllocUpdateFramework{Info: f.info, Suppressed: f.suppressedRoles(), Constraints: f.constraints})
	for o := range f.offers.all() {
		if !f.subscribedTo(o.role) {
			m.rescind(o)
		}
	}
	m.touchFramework(f)
}

// broadcastFramework tells the agents and the operators that a framework's
// info or driver changed. An agent resends its unacknowledged updates then.
func (m *Machine) broadcastFramework(f *framework) {
	m.publishFrameworkUpdated(f)
	msg := updateFrameworkMessage(f)
	for a := range m.agentList.all() {
		m.send(a.pid, msg)
	}
}

func (m *Machine) touchFramework(f *framework) { m.published.frameworks.add(f, &f.dirty) }
