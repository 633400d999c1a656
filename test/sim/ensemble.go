package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	registrystore "github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// seat is a master among others: whether it runs, whether it leads, and whom it
// believes to lead.
type seat struct {
	up, leading bool
	term        int
	// heard is the leader that it heard of last.
	heard *master
	// alone is since when a leader reaches no majority.
	alone time.Time
	// skew is how wrong its clock is.
	skew   time.Duration
	freeze freeze
}

// MasterStats says what happened to masters.
type MasterStats struct {
	Elections, Deposed, MasterCrashes, WriteCrashes, Freezes, Gone int
	// Late counts what deposed masters sent that did not know it yet.
	Late int
}

// found makes the masters.
func (s *sim) found() {
	s.store = newStore(s)
	if s.cfg.Masters <= 1 {
		m := &master{sim: s, node: "m", pid: masterPID, seat: seat{up: true}}
		s.master, s.masters = m, []*master{m}
		m.lead()
		return
	}
	for n := range s.cfg.Masters {
		m := &master{
			sim: s, node: fmt.Sprintf("m%d", n), pid: fmt.Sprintf("master@10.0.0.%d:5050", n+1),
			seat: seat{up: true, skew: s.upTo(20*time.Minute) - 10*time.Minute},
		}
		s.masters = append(s.masters, m)
		m.watchOthers()
	}
	s.master = s.masters[0]
}

// masterAt is who is at the address of a PID.
func (s *sim) masterAt(pid string) *master {
	_, address, _ := strings.Cut(pid, "@")
	for _, m := range s.masters {
		if strings.HasSuffix(m.pid, "@"+address) {
			return m
		}
	}
	return nil
}

// leaderSeenFrom is whom a client takes for the leader that asks any master that
// answers; nil if none knows of one. What it hears may be out of date.
func (s *sim) leaderSeenFrom(node string) *master {
	if len(s.masters) == 1 {
		return s.master
	}
	if s.cfg.Sessions {
		return s.leaderInGroup(node)
	}
	for _, i := range s.rng.Perm(len(s.masters)) {
		m := s.masters[i]
		if !m.up || m.frozen() || !s.net.open(node, m.node) {
			continue
		}
		if m.leading {
			return m
		}
		if m.heard != nil && m.heard != m {
			return m.heard
		}
	}
	return nil
}

// majority says whether a master reaches most of them, itself included.
func (s *sim) majority(m *master) bool {
	if !m.up {
		return false
	}
	reached := 0
	for _, other := range s.masters {
		if other == m || other.up && !other.frozen() && s.net.open(m.node, other.node) {
			reached++
		}
	}
	return 2*reached > len(s.masters)
}

// leaderInGroup is whom a client sees leading in ZooKeeper's group. It may see
// it late, but never somebody who led before whom it saw last.
func (s *sim) leaderInGroup(node string) *master {
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	l := s.store.leader
	if l == nil || s.store.term < s.seen[node] {
		return nil
	}
	s.seen[node] = s.store.term
	return l
}

// The times of the election, as with raft's defaults: a leader gives up within
// its lease when a majority doesn't answer, and nobody else is elected before
// that is over, unless the leader's process stands still.
const (
	electionTick = 150 * time.Millisecond
	lease        = 500 * time.Millisecond
	vacancy      = 1500 * time.Millisecond
	// session is how long a leader may take with ZooKeeper to notice that it
	// is deposed: until its session is known to have expired.
	session = 20 * time.Second
)

// watchOthers is the life of a master in the election: a majority elects, and
// a leader that a majority hears is left alone.
func (m *master) watchOthers() {
	tick := electionTick
	if m.sim.now.Sub(m.sim.end) > 5*time.Minute {
		tick = 10 * time.Second // nothing happens any more
	}
	m.sim.after(tick+m.sim.upTo(tick), func() {
		if m.up && !m.frozen() {
			m.vote()
		}
		m.watchOthers()
	})
}

func (m *master) vote() {
	s := m.sim
	if leader := s.store.leader; leader != nil && leader.leading && leader.term == s.store.term && s.net.open(m.node, leader.node) && !leader.frozen() {
		m.heard = leader
	}
	if m.leading {
		m.doubt()
		return
	}
	switch {
	case s.held():
		s.vacant = time.Time{}
	case s.vacant.IsZero():
		s.vacant = s.now
	case s.now.Sub(s.vacant) > vacancy && s.majority(m):
		m.elected()
	}
}

// elected begins a term. A predecessor that hears of it steps down.
func (m *master) elected() {
	s := m.sim
	s.note("%s is elected", m.node)
	s.stats.Elections++
	s.vacant = time.Time{}
	s.master, m.heard = m, m
	m.alone = time.Time{}
	m.lead()
	for _, o := range s.masters {
		if o != m && o.leading && !s.cfg.Sessions && s.net.open(m.node, o.node) {
			o.stepDownSoon()
		}
	}
}

// stepDownSoon lets a leader step down that hears of its successor, as soon as
// it hears anything.
func (m *master) stepDownSoon() {
	m.sim.after(m.sim.upTo(20*time.Millisecond), m.sameLife(func() {
		switch {
		case !m.leading:
		case m.frozen():
			m.sim.after(m.freeze.until.Sub(m.sim.now), m.sameLife(m.stepDownSoon))
		default:
			m.stepDown("another one leads")
		}
	}))
}

// held says whether the leader of the last term still has a majority.
func (s *sim) held() bool {
	l := s.store.leader
	return l != nil && l.up && l.leading && !l.frozen() && l.term == s.store.term && s.majority(l)
}

// doubt lets a leader step down that a majority has given up. It may act for
// some seconds before it notices.
func (m *master) doubt() {
	s := m.sim
	if s.store.term == m.term && s.majority(m) {
		m.alone = time.Time{}
		return
	}
	if m.alone.IsZero() {
		m.alone = s.now
	}
	patience := lease
	if s.cfg.Sessions {
		patience = s.upTo(session)
	}
	if s.now.Sub(m.alone) >= patience {
		m.stepDown("it reaches no majority")
	}
}

// abdicate is the end of a term by the machine's own insight.
func (m *master) abdicate(reason error) {
	if len(m.sim.masters) == 1 || !errors.Is(reason, registrystore.ErrNotLeader) {
		m.sim.fail("the master gives up: %v", reason)
		return
	}
	m.stepDown(reason.Error())
}

// stepDown ends a term: the machine is thrown away, and peers are hung up on.
func (m *master) stepDown(why string) {
	m.sim.note("%s leads no more: %s", m.node, why)
	m.sim.stats.Deposed++
	m.leading = false
	m.life++
	m.alone = time.Time{}
	if m.heard == m {
		m.heard = nil
	}
	m.sim.net.forget(m.node)
	m.sim.net.breakAll(m.node)
}

// crash kills a master's process; it comes back.
func (m *master) crash() {
	if !m.up {
		return
	}
	m.sim.note("%s crashes", m.node)
	m.sim.stats.MasterCrashes++
	m.up, m.leading, m.heard = false, false, nil
	m.life++
	m.sim.net.forget(m.node)
	m.sim.net.breakAll(m.node)
	m.sim.after(m.sim.upTo(30*time.Second), func() {
		m.up = true
		m.skew = m.sim.upTo(20*time.Minute) - 10*time.Minute
	})
}

// unlucky draws whether a master crashes at a write.
func (m *master) unlucky() bool {
	if len(m.sim.masters) == 1 || !m.sim.troubled() || !m.sim.chance(0.05) {
		return false
	}
	m.sim.stats.WriteCrashes++
	return true
}

func (m *master) frozen() bool { return m.freeze.until.After(m.sim.now) }

// sameLife is something that only happens if the master is the same by then.
func (m *master) sameLife(do func()) func() {
	life := m.life
	return func() {
		if m.life == life {
			do()
		}
	}
}

// freeze is a process that stands still: a virtual machine that is moved, a
// disk that hangs. What reaches it meanwhile it finds in order afterwards.
type freeze struct {
	until time.Time
}

// begin starts a freeze. One that goes on is not made shorter: what waits for
// its end must not be overtaken.
func (f *freeze) begin(s *sim, d time.Duration) {
	if until := s.now.Add(d); until.After(f.until) {
		f.until = until
	}
}

// hold puts something off while the process is frozen, and says whether it did.
func (f *freeze) hold(s *sim, do func()) bool {
	if !f.until.After(s.now) {
		return false
	}
	s.at(f.until, do)
	return true
}

// masterFault does something bad to masters, or to who can reach them.
func (s *sim) masterFault() {
	m := s.masters[s.rng.IntN(len(s.masters))]
	if s.chance(0.5) && s.store.leader != nil {
		m = s.store.leader
	}
	other := s.masters[s.rng.IntN(len(s.masters))]
	d := s.upTo(time.Minute)
	switch s.rng.IntN(8) {
	case 0:
		m.crash()
	case 1:
		s.note("%s is frozen for %v", m.node, d/2)
		s.stats.Freezes++
		m.freeze.begin(s, d/2)
		if !s.cfg.Sessions {
			s.at(m.freeze.until.Add(s.upTo(20*time.Millisecond)), m.wake)
		}
	case 2: // apart from all masters, though not from agents and frameworks
		s.note("%s is cut off from the other masters for %v", m.node, d)
		s.stats.Cuts++
		for _, o := range s.masters {
			if o != m {
				s.net.cutOff(m.node, o.node, d)
			}
		}
	case 3:
		if m != other {
			s.note("%s does not hear %s for %v", m.node, other.node, d)
			s.stats.Cuts++
			s.net.deafen(m.node, other.node, d)
		}
	case 4: // two halves of everything
		s.split(d)
	case 5:
		a := s.agents[s.rng.IntN(len(s.agents))]
		s.note("%s does not hear %s for %v", a.node, m.node, d)
		s.stats.Cuts++
		s.net.deafen(a.node, m.node, d)
	case 6:
		f := s.frameworks[s.rng.IntN(len(s.frameworks))]
		s.note("%s does not hear %s for %v", m.node, f.node, d)
		s.stats.Cuts++
		s.net.deafen(m.node, f.node, d)
	case 7:
		s.slowDiskOrGone()
	}
}

// wake is a leader that finds its lease over.
func (m *master) wake() {
	if m.leading && m.term != m.sim.store.term {
		m.stepDown("its lease is over")
	}
}

// split puts every node on one of two sides.
func (s *sim) split(d time.Duration) {
	s.note("the network is split for %v", d)
	s.stats.Cuts++
	side := map[string]bool{}
	var nodes []string
	for _, m := range s.masters {
		nodes = append(nodes, m.node)
	}
	for _, a := range s.agents {
		nodes = append(nodes, a.node)
	}
	for _, f := range s.frameworks {
		nodes = append(nodes, f.node)
	}
	for _, n := range nodes {
		side[n] = s.chance(0.5)
	}
	for _, m := range s.masters {
		for _, n := range nodes {
			if n != m.node && side[n] != side[m.node] {
				s.net.cutOff(m.node, n, d)
			}
		}
	}
}

// slowDiskOrGone lets the disk of an agent hang, or, rarely, an operator give an
// agent up.
func (s *sim) slowDiskOrGone() {
	a := s.agents[s.rng.IntN(len(s.agents))]
	if s.chance(0.7) {
		s.note("the disk of %s hangs", a.node)
		a.freeze.begin(s, s.upTo(20*time.Second))
		return
	}
	id := a.journal.agent.GetId()
	leader := s.store.leader
	if id.GetValue() == "" || leader == nil || !leader.leading || leader.frozen() {
		return
	}
	s.note("an operator marks agent %s gone", id.GetValue())
	leader.replies++
	leader.calls[leader.replies] = func(status int) {
		if status == 200 {
			s.stats.Gone++
			s.checkGone(id.GetValue())
		}
	}
	leader.step(state.OperatorCall{Reply: leader.replies, Call: &mesosmaster.Call{
		Type:          mesosmaster.Call_MARK_AGENT_GONE.Enum(),
		MarkAgentGone: &mesosmaster.Call_MarkAgentGone{AgentId: &mesos.AgentID{Value: new(id.GetValue())}},
	}})
}

// open says whether two nodes hear each other.
func (n *network) open(x, y string) bool {
	c := n.between(x, y)
	return !c.cut && len(c.deaf) == 0
}

// deafen lets a node hear nothing of another one for a time.
func (n *network) deafen(node, of string, d time.Duration) {
	c := n.between(node, of)
	if c.deaf == nil {
		c.deaf = map[string]bool{}
	}
	c.deaf[node] = true
	n.sim.after(d, func() { delete(c.deaf, node) })
}

// breakAll breaks all connections of a node.
func (n *network) breakAll(node string) {
	for _, m := range n.sim.masters {
		if m.node == node {
			n.breakOthers(node)
			return
		}
	}
	for _, m := range n.sim.masters {
		n.breakUp(m.node, node)
	}
}

// breakOthers breaks the connections of a master with everybody else.
func (n *network) breakOthers(master string) {
	for _, a := range n.sim.agents {
		n.breakUp(master, a.node)
	}
	for _, f := range n.sim.frameworks {
		n.breakUp(master, f.node)
	}
}

// add adds what happened in another run.
func (s *MasterStats) add(o MasterStats) {
	s.Elections += o.Elections
	s.Deposed += o.Deposed
	s.MasterCrashes += o.MasterCrashes
	s.WriteCrashes += o.WriteCrashes
	s.Freezes += o.Freezes
	s.Gone += o.Gone
	s.Late += o.Late
}
