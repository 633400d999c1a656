package state

import (
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosallocator "github.com/mesos-operator/mesos-operator/api/mesos/v1/allocator"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// agent is a registered agent, connected or expected to come back.
type agent struct {
	id      AgentID
	info    *mesos.AgentInfo // ID set; replaced, never changed
	pid     PID
	version string
	caps    agentCapabilities

	connected bool
	active    bool // may be offered: connected and not deactivated

	registered, reregistered time.Time
	drainStarted             time.Time

	total, checkpointed resources.Resources
	used, offered       resources.Resources
	// resourceVersion changes with the agent's own view of its resources. A
	// launch carries it, so that the agent can tell one that crossed with a
	// change.
	resourceVersion *mesos.UUID
	providers       map[string]*provider // by ID

	tasks     list[task]
	executors list[executor]
	offers    list[offer]
	// operations are those other than launches that are under way or not
	// acknowledged.
	operations list[operation]
	// acknowledged are the last acknowledgements of outcomes, by operation.
	acknowledged map[string]*messages.AcknowledgeOperationStatusMessage
	inverse      list[inverseOffer]
	// answers are those of frameworks to inverse offers; replaced, never
	// changed.
	answers []*mesosallocator.InverseOfferStatus

	observer observer

	// removed says that the allocator has forgotten it.
	removed bool

	listed *node[agent]
	dirty  mark
}

// agentCapabilities is what an agent says it can deal with.
type agentCapabilities struct {
	list []*mesos.AgentInfo_Capability

	multiRole, hierarchicalRole, reservationRefinement, taskResourceLimits, agentDraining bool
	resourceProvider, resizeVolume, agentOperationFeedback                                bool
}

func agentCapabilitiesOf(list []*mesos.AgentInfo_Capability) agentCapabilities {
	c := agentCapabilities{list: list}
	for _, k := range list {
		switch k.GetType() {
		case mesos.AgentInfo_Capability_MULTI_ROLE:
			c.multiRole = true
		case mesos.AgentInfo_Capability_HIERARCHICAL_ROLE:
			c.hierarchicalRole = true
		case mesos.AgentInfo_Capability_RESIZE_VOLUME:
			c.resizeVolume = true
		case mesos.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK:
			c.agentOperationFeedback = true
		case mesos.AgentInfo_Capability_RESERVATION_REFINEMENT:
			c.reservationRefinement = true
		case mesos.AgentInfo_Capability_RESOURCE_PROVIDER:
			c.resourceProvider = true
		case mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS:
			c.taskResourceLimits = true
		case mesos.AgentInfo_Capability_AGENT_DRAINING:
			c.agentDraining = true
		}
	}
	return c
}

func (c agentCapabilities) types() []mesos.AgentInfo_Capability_Type {
	types := make([]mesos.AgentInfo_Capability_Type, 0, len(c.list))
	for _, k := range c.list {
		types = append(types, k.GetType())
	}
	return types
}

// host returns the host part of a PID.
func (p PID) host() string {
	_, address, _ := strings.Cut(string(p), "@")
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address
	}
	return strings.Trim(address[:i], "[]")
}

// addAgent adds an agent with nothing on it yet. The allocator learns of it
// with announceAgent, once what runs there is known.
func (m *Machine) addAgent(a *agent) {
	a.connected = true
	m.agents[a.id] = a
	m.agentsByPID[a.pid] = a
	a.listed = m.agentList.add(a)
	m.touchAgent(a)
	m.emit(Link{PID: a.pid})
	m.observe(a)
}

// announceAgent tells the allocator and the operators of a new agent.
func (m *Machine) announceAgent(a *agent) {
	m.emit(AllocAddAgent{
		Info:           a.info,
		Capabilities:   a.caps.types(),
		Total:          a.total.Proto(),
		Used:           a.usedByFramework(),
		Unavailability: m.policy.unavailability(machineOf(a.info, a.pid)),
	})
	a.active = true
	if m.policy.deactivated[a.id] {
		a.active = false
		m.emit(AllocDeactivateAgent{Agent: a.id})
	}
	m.publishAgentAdded(a)
	if m.policy.isDown(machineOf(a.info, a.pid)) {
		m.takeDown(a) // that happened while it was being admitted
	}
}

// usedByFramework returns what is in use on an agent, by framework in order of
// their first task or executor there.
func (a *agent) usedByFramework() []FrameworkResources {
	var order []FrameworkID
	sums := map[FrameworkID]resources.Resources{}
	add := func(id FrameworkID, r resources.Resources) {
		if _, ok := sums[id]; !ok {
			order = append(order, id)
		}
		sums[id] = sums[id].Add(r)
	}
	for e := range a.executors.all() {
		add(e.key.Framework, e.resources)
	}
	for t := range a.tasks.all() {
		if !released(t.info.GetState()) {
			add(t.key.Framework, t.resources)
		}
	}
	for o := range a.operations.all() {
		if o.framework != nil && !o.held.IsEmpty() {
			add(o.framework.id, o.held)
		}
	}
	used := make([]FrameworkResources, 0, len(order))
	for _, id := range order {
		used = append(used, FrameworkResources{Framework: id, Resources: sums[id].Copied()})
	}
	return used
}

// deactivateAgent takes an agent's offers back and lets it be offered no more.
func (m *Machine) deactivateAgent(a *agent) {
	a.active = false
	m.touchAgent(a)
	m.emit(AllocDeactivateAgent{Agent: a.id})
	m.rescindAll(a)
}

// rescindAll takes all offers of an agent back.
func (m *Machine) rescindAll(a *agent) {
	for o := range a.offers.all() {
		m.rescind(o)
	}
	for o := range a.inverse.all() {
		m.rescindInverse(o)
	}
}

// agentExited deals with the end of the connection to an agent. Whatever it
// runs goes on: it has until it fails its pings, or the reregistration
// timeout, to come back.
func (m *Machine) agentExited(a *agent) {
	if !a.connected {
		return // a link was renewed while the exit was under way
	}
	m.warn("an agent disconnected", "agent_id", a.id, "hostname", a.info.GetHostname(), "pid", a.pid)
	a.connected = false
	m.deactivateAgent(a)
	m.dropUncheckpointed(a)
	m.arm(Timer{TimerReregister, string(a.id)}, m.cfg.AgentReregisterTimeout)
}

// dropUncheckpointed ends what frameworks without checkpointing have on an
// agent that lost its connection: it would not find that again.
func (m *Machine) dropUncheckpointed(a *agent) {
	for t := range a.tasks.all() {
		if t.framework.info.GetCheckpoint() {
			continue
		}
		status := m.statusOf(t.info, report{
			state:   mesos.TaskState_TASK_LOST,
			reason:  mesos.TaskStatus_REASON_AGENT_DISCONNECTED.Enum(),
			message: "Agent " + a.info.GetHostname() + " disconnected",
		})
		m.updateTask(t, status, nil)
		m.removeTask(t)
		m.sendEvent(t.framework, updateEvent(status))
	}
	for e := range a.executors.all() {
		if e.framework != nil && !e.framework.info.GetCheckpoint() {
			m.removeExecutor(e)
		}
	}
}

// unregisterAgent removes an agent that said goodbye.
func (m *Machine) unregisterAgent(in PeerMessage, msg *messages.UnregisterSlaveMessage) {
	m.stats.Messages[MessageUnregisterAgent]++
	a := m.agents[AgentID(msg.GetSlaveId().GetValue())]
	if a == nil || a.pid != in.From {
		m.warn("an unknown agent unregistered", "agent_id", msg.GetSlaveId().GetValue(), "from", in.From)
		return
	}
	m.retireAgent(a, "the agent unregistered", &m.stats.RemovalsUnregistered)
}

// retireAgent removes an agent that will not come back, first from the
// registry. The counter of the reason may be nil.
func (m *Machine) retireAgent(a *agent, cause string, counter *uint64) {
	move := m.former.moving(a.id)
	if move.unreachable || move.gone || move.removing {
		return // it is on its way out already
	}
	move.removing = true
	m.info("removing an agent", "agent_id", a.id, "hostname", a.info.GetHostname(), "cause", cause)
	m.persist(func(results []op.Result) {
		move.removing = false
		m.former.settle(a.id)
		if err := results[0].Err; err != nil {
			m.warn("the registry did not know a removed agent", "agent_id", a.id, "error", err.Error())
		}
		m.stats.AgentRemovals++
		if counter != nil {
			*counter++
		}
		m.loseAgent(a, cause)
	}, op.RemoveAgent{ID: a.info.GetId()})
}

// loseAgent takes an agent that was removed from the registry out of memory.
// Its tasks are lost, even to frameworks that are partition-aware.
func (m *Machine) loseAgent(a *agent, cause string) {
	m.stopAllocating(a)
	for t := range a.tasks.all() {
		status := m.statusOf(t.info, report{
			state:   mesos.TaskState_TASK_LOST,
			reason:  mesos.TaskStatus_REASON_AGENT_REMOVED.Enum(),
			message: "Agent " + a.info.GetHostname() + " removed: " + cause,
		})
		m.updateTask(t, status, nil)
		m.removeTask(t)
		m.sendEvent(t.framework, updateEvent(status))
	}
	m.dropAgent(a)
	delete(m.policy.deactivated, a.id)
	delete(m.policy.draining, a.id)
	m.publishAgentRemoved(a)
}

// dropAgent takes an agent without tasks out of memory.
func (m *Machine) dropAgent(a *agent) {
	for e := range a.executors.all() {
		m.removeExecutor(e)
	}
	for o := range a.operations.all() {
		m.removeOperation(o)
	}
	for o := range a.offers.all() {
		m.rescind(o)
	}
	for o := range a.inverse.all() {
		m.rescindInverse(o)
	}
	m.forgetAnswers(a)
	delete(m.agents, a.id)
	if m.agentsByPID[a.pid] == a {
		delete(m.agentsByPID, a.pid)
	}
	m.agentList.remove(a.listed)
	m.disarm(Timer{TimerReregister, string(a.id)})
	m.cancelRemoval(a.id, removalPing, removalDisconnected)
	m.stopObserving(a)
	m.emit(Unlink{PID: a.pid})
	m.published.agents.forget(&a.dirty)
	m.published.agentTable.drop(a.id)
	m.tellLost(a.info.GetId())
}

func (m *Machine) touchAgent(a *agent) { m.published.agents.add(a, &a.dirty) }
