package state

import (
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// formerAgents are the agents that the registry knows and that are not
// registered with this leader, and those that are on their way from one list
// to another.
type formerAgents struct {
	recovered   table[AgentID, mesos.AgentInfo]
	unreachable table[AgentID, FormerAgent]
	gone        table[AgentID, FormerAgent]

	// expected is how many agents the registry knew when this term began.
	expected int

	registering map[PID]bool
	moves       map[AgentID]*move

	// tasks are those of unreachable agents.
	tasks map[AgentID]*list[unreachableTask]
	// operations are the types of those of unreachable agents, for the metrics.
	operations map[AgentID][]mesos.Offer_Operation_Type
}

// move is what is being written to the registry about an agent. What an agent
// or operator wants meanwhile waits or is refused.
type move struct {
	reregistering, unreachable, gone, removing, drained bool
}

func (f *formerAgents) init() {
	f.registering = map[PID]bool{}
	f.moves = map[AgentID]*move{}
	f.tasks = map[AgentID]*list[unreachableTask]{}
	f.operations = map[AgentID][]mesos.Offer_Operation_Type{}
}

// moving returns what is under way for an agent, for reading and writing.
func (f *formerAgents) moving(id AgentID) *move {
	mv := f.moves[id]
	if mv == nil {
		mv = &move{}
		f.moves[id] = mv
	}
	return mv
}

// settle forgets the move of an agent if nothing is under way any more.
func (f *formerAgents) settle(id AgentID) {
	if mv := f.moves[id]; mv != nil && *mv == (move{}) {
		delete(f.moves, id)
	}
}

// since returns when an agent was marked, and nil if it is not in the table.
func since(t *table[AgentID, FormerAgent], id AgentID) *mesos.TimeInfo {
	r := t.get(id)
	if r == nil {
		return nil
	}
	return &mesos.TimeInfo{Nanoseconds: new(r.Since.UnixNano())}
}

// timeOf is the time of a TimeInfo.
func timeOf(t *mesos.TimeInfo) time.Time { return time.Unix(0, t.GetNanoseconds()).UTC() }
