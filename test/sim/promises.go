package sim

import (
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_KILLED,
		mesos.TaskState_TASK_ERROR, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_DROPPED,
		mesos.TaskState_TASK_GONE, mesos.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// checkEverything is how often agents are checked that nothing seems to have
// happened to.
const checkEverything = 32

// checkResources: what agents have is offered or used once at most. A View
// shares what did not change with the one before, so most agents need no look.
func (m *master) checkResources() {
	if m.sim.err != nil {
		return
	}
	v := m.machine.View()
	m.checks++
	changed := map[state.AgentID]*holdings{}
	for a := range v.Agents.All() {
		if m.checked[a.ID] != a || m.checks%checkEverything == 0 {
			changed[a.ID] = &holdings{}
			m.checked[a.ID] = a
		}
	}
	if len(changed) == 0 {
		return
	}
	m.addHoldings(v, changed)
	for a := range v.Agents.All() {
		h := changed[a.ID]
		if h == nil {
			continue
		}
		m.checkAmounts(a)
		total, sum := m.parse(a.Total), h.sum.Unallocate()
		if !holds(total, sum) && !m.holdsWithout(v, a, sum) || sum.Ranges("ports").Count() != h.ports {
			m.sim.fail("agent %s has %s, and %s is offered or in use (%d ports)", a.ID, total, sum, h.ports)
		}
		if got := m.parse(a.Used).Add(m.parse(a.Offered)).Unallocate(); !once(got).Equal(once(sum)) {
			m.sim.fail("agent %s counts %s, and %s is offered or in use", a.ID, got, sum)
		}
	}
}

// holds says whether a total has what is held of it: copies of shared volumes count
// once.
func holds(total, held resources.Resources) bool {
	for it := range held.Shared().All() {
		if !total.Contains(it.One()) {
			return false
		}
	}
	return total.NonShared().Contains(held.NonShared())
}

// once has every shared volume once: how many hold one is not told on the wire.
func once(r resources.Resources) resources.Resources {
	out := r.NonShared()
	for it := range r.Shared().All() {
		out = out.Add(it.One())
	}
	return out
}

// holdings is what is offered or in use on an agent. Ports are counted beside:
// the same one twice does not show in the sum.
type holdings struct {
	sum   resources.Resources
	ports uint64
}

func (m *master) addHoldings(v *state.View, of map[state.AgentID]*holdings) {
	add := func(id string, list []*mesos.Resource) {
		if h := of[state.AgentID(id)]; h != nil {
			r := m.parse(list)
			h.sum = h.sum.Add(r)
			h.ports += r.Ranges("ports").Count()
		}
	}
	for t := range v.Tasks.All() {
		if !terminal(t.GetState()) {
			add(t.GetAgentId().GetValue(), t.GetResources())
		}
	}
	for e := range v.Executors.All() {
		add(string(e.Agent), e.Info.GetResources())
	}
	for o := range v.Offers.All() {
		add(o.Offer.GetAgentId().GetValue(), o.Offer.GetResources())
	}
}

// parse is resources.Of with a memory: what is in a View is never changed, and
// there is a View for every step.
func (m *master) parse(list []*mesos.Resource) resources.Resources {
	if len(list) == 0 {
		return resources.Resources{}
	}
	r, ok := m.parsed[list[0]]
	if !ok {
		r = resources.Of(list...)
		m.parsed[list[0]] = r
	}
	return r
}

// checkUpdate holds an update of a task against what was heard of it before.
func (f *framework) checkUpdate(t *launched, s *mesos.TaskStatus) {
	if t.terminal == nil {
		return
	}
	state := s.GetState()
	switch {
	case len(s.GetUuid()) > 0 && state != *t.terminal:
		// What the agent itself says comes in order, so nothing follows the
		// end.
		f.sim.fail("task %s ended as %s, and now its agent says %s", t.id, *t.terminal, state)
	case s.GetReason() == mesos.TaskStatus_REASON_RECONCILIATION, s.GetReason() == mesos.TaskStatus_REASON_AGENT_REREGISTERED:
		// A new leader knows what was acknowledged, and that may be less than
		// an earlier one told. The end is told again.
	case !terminal(state) && state != mesos.TaskState_TASK_UNREACHABLE:
		f.sim.fail("task %s ended as %s, and now the master says %s", t.id, *t.terminal, state)
	}
}

// checkSettled: after the trouble everybody agrees that it is over.
func (s *sim) checkSettled() {
	s.checkLeadership()
	for _, a := range s.agents {
		a.checkSettled()
	}
	v := s.master.machine.View()
	for t := range v.Tasks.All() {
		if s.forgotten(t) {
			continue
		}
		s.fail("the master still believes in task %s, %s", t.GetTaskId().GetValue(), t.GetState())
	}
	for t := range v.UnreachableTasks.All() {
		if s.abandoned(t.GetAgentId()) {
			continue
		}
		s.fail("the master still believes in the unreachable task %s", t.GetTaskId().GetValue())
	}
	for e := range v.Executors.All() {
		s.fail("the master still believes in executor %s", e.Info.GetExecutorId().GetValue())
	}
	if got := v.Agents.Len(); got != len(s.agents) {
		s.fail("%d of %d agents are registered", got, len(s.agents))
	}
	for a := range v.Agents.All() {
		if !a.Active {
			s.fail("agent %s is not active", a.ID)
		}
	}
	for _, f := range s.frameworks {
		f.checkSettled()
	}
	s.checkOperations()
	s.checkVolumes()
}

// settling is how long after the trouble everybody who will be is back.
const settling = 2 * time.Minute

// forgotten says that an agent may have forgotten to repeat that a task is not
// there: as Mesos's agent does when the framework's last executor on it ends, and
// when it restarts. The master asks it again when it registers the next time. That
// excuses nobody whose task ran, nor who said so when nothing gets lost any more.
func (s *sim) forgotten(t *mesos.Task) bool {
	switch t.GetState() {
	case mesos.TaskState_TASK_DROPPED, mesos.TaskState_TASK_LOST:
	default:
		return false
	}
	for _, a := range s.agents {
		for _, c := range a.order {
			if c.tasks[t.GetTaskId().GetValue()] != nil {
				return false
			}
		}
	}
	told := t.GetStatuses()
	if len(told) == 0 {
		return false
	}
	said := time.Unix(0, int64(told[len(told)-1].GetTimestamp()*1e9))
	return said.Before(s.end.Add(settling + max(s.master.skew, 0)))
}

// abandoned says that nobody goes by an agent's ID. An agent that never hears
// that it was registered asks for another one, and what was sent to it under
// the first stays unreachable until the registry forgets it.
func (s *sim) abandoned(id *mesos.AgentID) bool {
	for _, a := range s.agents {
		if a.journal.agent.GetId().GetValue() == id.GetValue() {
			return false
		}
	}
	return true
}

// unreachable says that the last that was heard of a task is that nothing is
// heard of it.
func (t *launched) unreachable() bool {
	n := len(t.heard)
	return n > 0 && t.heard[n-1] == mesos.TaskState_TASK_UNREACHABLE
}

// checkSettled: nothing is left on an agent.
func (a *agent) checkSettled() {
	for _, c := range a.order {
		if c.alive {
			a.sim.fail("container %s of executor %s on %s is still there: subscribed %t, unacknowledged %v, tasks %v",
				c.id, c.executor.GetValue(), a.node, c.subscribed, c.updates, c.order)
		}
	}
	for _, f := range a.machine.View().Frameworks {
		for _, e := range f.Executors {
			a.sim.fail("%s still has executor %s: %d queued, %d launched, %d terminated", a.node, e.ID,
				len(e.Queued), len(e.Launched), len(e.Terminated))
		}
	}
}

// checkSettled: the framework knows the end of everything it launched.
func (f *framework) checkSettled() {
	if !f.subscribed {
		f.sim.fail("%s did not get back to the master", f.node)
	}
	for _, t := range f.order {
		lost := t.unreachable() && f.sim.abandoned(t.agent)
		if !t.ended && !lost {
			f.sim.fail("%s does not know the end of task %s: it heard %v", f.node, t.id, t.heard)
		}
	}
}
