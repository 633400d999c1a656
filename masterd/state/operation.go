package state

import (
	"crypto/sha1" //nolint:gosec // of RFC 4122: it names, it protects nothing
	"encoding/binary"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// operation is an operation other than a launch that an agent was told to do:
// its outcome is not known, or not acknowledged.
//
// Those that any agent does alike (RESERVE ... SHRINK_VOLUME) are speculative:
// the master takes it that they succeed and has converted the agent's resources
// when it asks for them. An agent that fails to comes back with what it really
// has. What becomes of a disk that a resource provider creates or destroys is
// the provider's to say, so its source is held until then.
type operation struct {
	uuid string
	info *mesos.Operation // replaced, never changed
	// framework is nil if an operator asked for it, or a framework that is not
	// here (any more).
	framework *framework
	agent     *agent
	provider  string // ID of the resource provider, "" for the agent itself
	// held is what an operation that is under way and not speculative keeps
	// from everybody. For a framework that is here it is in use by that; else,
	// as an orphan's, it is not in the agent's total.
	held   resources.Resources
	orphan bool

	inFramework, onAgent *node[operation]
}

// isSpeculative says whether the master knows the outcome of a type of
// operation beforehand.
func isSpeculative(t mesos.Offer_Operation_Type) bool {
	switch t {
	case mesos.Offer_Operation_CREATE_DISK, mesos.Offer_Operation_DESTROY_DISK:
		return false
	}
	return true
}

// settled says whether an operation in this state changes no more.
func settled(s mesos.OperationState) bool {
	switch s {
	case mesos.OperationState_OPERATION_FINISHED, mesos.OperationState_OPERATION_FAILED,
		mesos.OperationState_OPERATION_ERROR, mesos.OperationState_OPERATION_DROPPED,
		mesos.OperationState_OPERATION_GONE_BY_OPERATOR:
		return true
	}
	return false
}

func (o *operation) kind() mesos.Offer_Operation_Type { return o.info.GetInfo().GetType() }

func (o *operation) state() mesos.OperationState { return o.info.GetLatestStatus().GetState() }

func (o *operation) frameworkID() FrameworkID {
	return FrameworkID(o.info.GetFrameworkId().GetValue())
}

// newOperationUUID derives a UUID (version 5, RFC 4122 section 4.3) from the
// master's ID and a counter. Agents refuse what has no version.
func (m *Machine) newOperationUUID() *mesos.UUID {
	m.nextOperation++
	name := binary.BigEndian.AppendUint64([]byte(m.cfg.Master.GetId()+"/operation/"), m.nextOperation)
	sum := sha1.Sum(name) //nolint:gosec // see above
	u := sum[:uuidSize]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return &mesos.UUID{Value: u}
}

// addOperation takes an operation into the books: one that the agent is about
// to be told of, or one that it told us of. The caller tells the allocator of
// what it holds.
func (m *Machine) addOperation(info *mesos.Operation, a *agent) *operation {
	o := &operation{
		uuid:      string(info.GetUuid().GetValue()),
		info:      info,
		framework: m.frameworks[FrameworkID(info.GetFrameworkId().GetValue())],
		agent:     a,
		provider:  resources.ProviderOf(info.GetInfo()).GetValue(),
	}
	m.operations[o.uuid] = o
	o.onAgent = a.operations.add(o)
	m.own(o)
	m.stats.Operations.add(o.kind(), o.state(), 1)
	m.published.operationTable.put(o.uuid, info)
	if isSpeculative(o.kind()) || settled(o.state()) {
		return o
	}
	if held, err := resources.Consumed(info.GetInfo()); err == nil {
		o.held = held
	}
	if o.framework != nil {
		m.use(o.framework, a, o.held)
	} else {
		m.orphan(o)
	}
	return o
}

// own lists an operation with its framework, or among those whose frameworks
// may still come.
func (m *Machine) own(o *operation) {
	switch id := o.frameworkID(); {
	case o.framework != nil:
		o.inFramework = o.framework.operations.add(o)
		if id := o.info.GetInfo().GetId(); id != nil {
			o.framework.operationIDs[id.GetValue()] = o
		}
	case id != "":
		if m.strays[id] == nil {
			m.strays[id] = &list[operation]{}
		}
		o.inFramework = m.strays[id].add(o)
	}
}

func (m *Machine) disown(o *operation) {
	id := o.frameworkID()
	switch stray := m.strays[id]; {
	case o.framework != nil:
		o.framework.operations.remove(o.inFramework)
		if named := o.info.GetInfo().GetId().GetValue(); o.framework.operationIDs[named] == o {
			delete(o.framework.operationIDs, named)
		}
	case stray != nil:
		stray.remove(o.inFramework)
		if stray.length == 0 {
			delete(m.strays, id)
		}
	}
	o.inFramework = nil
}

// orphan takes what an operation without framework holds out of the agent's
// total: nobody else may have it, and the allocator knows no holder.
func (m *Machine) orphan(o *operation) {
	o.orphan = true
	o.agent.total = o.agent.total.Subtract(o.held.Unallocate())
	m.touchAgent(o.agent)
}

// removeOperation forgets an operation. What it held goes back, unless its
// agent is removed with it.
func (m *Machine) removeOperation(o *operation) {
	if !settled(o.state()) {
		m.stats.Operations.add(o.kind(), o.state(), -1)
	}
	m.freeHeld(o)
	m.disown(o)
	o.agent.operations.remove(o.onAgent)
	m.checkLater(o.agent)
	delete(m.operations, o.uuid)
	m.published.operationTable.drop(o.uuid)
}

// freeHeld gives back what an operation held, unconverted.
func (m *Machine) freeHeld(o *operation) {
	held := o.held
	o.held = resources.Resources{}
	switch {
	case held.IsEmpty():
	case o.orphan:
		o.agent.total = o.agent.total.Add(held.Unallocate())
		m.updateTotal(o.agent)
	default:
		m.unuse(o.framework, o.agent, held)
		m.recoverResources(o.framework.id, o.agent, held, nil)
	}
}

// updateTotal tells the allocator what an agent has, unless that has forgotten
// the agent.
func (m *Machine) updateTotal(a *agent) {
	m.touchAgent(a)
	if !a.removed {
		m.emit(AllocUpdateAgent{Info: a.info, Capabilities: a.caps.types(), Total: a.total.Proto()})
	}
}

// adoptOperations gives a framework that came (back) its operations.
func (m *Machine) adoptOperations(f *framework) {
	strays := m.strays[f.id]
	if strays == nil {
		return
	}
	for o := range strays.all() {
		m.disown(o)
		o.framework = f
		m.own(o)
		if !o.orphan {
			continue
		}
		// Counted as in use before it is in the total again, so that it is
		// nobody's in between.
		o.orphan = false
		m.use(f, o.agent, o.held)
		if !o.held.IsEmpty() {
			m.emit(AllocTrack{Framework: f.id, Agent: o.agent.id, Resources: o.held.Copied()})
			o.agent.total = o.agent.total.Add(o.held.Unallocate())
			m.updateTotal(o.agent)
		}
	}
}

// abandonOperations leaves the operations of a framework that ends to their
// agents. The allocator has forgotten the framework.
func (m *Machine) abandonOperations(f *framework) {
	for o := range f.operations.all() {
		m.disown(o)
		o.framework = nil
		m.own(o)
		if !o.held.IsEmpty() {
			m.unuse(f, o.agent, o.held)
			m.orphan(o)
			m.updateTotal(o.agent)
		}
	}
}

// changeOperation replaces the record of an operation.
func (m *Machine) changeOperation(o *operation, latest *mesos.OperationStatus, statuses []*mesos.OperationStatus) {
	o.info = &mesos.Operation{
		FrameworkId:  o.info.FrameworkId,
		AgentId:      o.info.AgentId,
		Info:         o.info.Info,
		LatestStatus: latest,
		Statuses:     slices.Clip(statuses),
		Uuid:         o.info.Uuid,
	}
	m.published.operationTable.put(o.uuid, o.info)
}
