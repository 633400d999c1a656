package sim

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	agentstate "github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// What is promised about several masters. Mesos does not promise that only one
// of them believes to lead: one that was cut off does until it notices, and may
// answer who can still reach it from what it remembers. It promises that
//
//   - an agent does what one master says: the one that it detected last. Any
//     other gets a pong from it, and nothing else.
//   - only the leader of the latest term changes the registry, so what needs the
//     registry (an admission, an unreachable or gone agent) is said by a leader
//     only after it is durable, and every later leader knows.
//   - a framework hears only from the master that it is subscribed to.

// follows is whom an agent obeys.
type follows struct {
	// detected is the PID of the master that it detected last; from is the
	// sender of the message that it is at work on, "" for none.
	detected, from string
	detection      int
}

// detect lets an agent look for the leader, in place of an earlier attempt.
func (a *agent) detect(after time.Duration) {
	a.detection++
	serial := a.detection
	a.later(after, func() {
		if a.detection != serial {
			return
		}
		leader := a.sim.leaderSeenFrom(a.node)
		if leader == nil {
			a.detect(time.Second)
			return
		}
		a.detected = leader.pid
		a.step(agentstate.MasterDetected{PID: leader.pid})
	})
}

// link watches the connection to a master.
func (a *agent) link(pid string) {
	m := a.sim.masterAt(pid)
	if m == nil {
		return
	}
	life := a.life
	a.sim.net.watch(a.node, m.node, func() {
		if a.life == life {
			a.step(agentstate.PeerExited{PID: pid})
		}
	})
}

// checkObeys: nobody but the master that it detected last moves an agent.
func (a *agent) checkObeys(e agentstate.Effect) {
	if a.from == "" || a.sim.masterAt(a.from) == a.sim.masterAt(a.detected) {
		return
	}
	switch e := e.(type) {
	case agentstate.Log:
	case agentstate.Send:
		if _, pong := e.Message.(*messages.PongSlaveMessage); !pong || e.To != a.from {
			a.sim.fail("%s sends %s to %s because of a message of %s, and follows %s", a.node, name(e.Message), e.To, a.from, a.detected)
		}
	default:
		a.sim.fail("%s does %T because of a message of %s, and follows %s", a.node, e, a.from, a.detected)
	}
}

// checkSends: what a master says about the registry is there.
func (m *master) checkSends(msg proto.Message) {
	if m.term != m.sim.store.term {
		m.sim.stats.Late++
	}
	switch msg := msg.(type) {
	case *messages.SlaveRegisteredMessage:
		id := msg.GetSlaveId().GetValue()
		if !m.sim.store.fates[id].admitted {
			m.sim.fail("%s tells agent %s that it is registered, and the registry does not know it", m.node, id)
		}
	case *messages.SlaveReregisteredMessage:
		id := msg.GetSlaveId().GetValue()
		if m.term == m.sim.store.term && m.sim.store.fates[id].gone {
			m.sim.fail("%s takes agent %s back, which is gone", m.node, id)
		}
	}
}

// checkTold: a framework hears that an agent is unreachable or gone after the
// registry has it.
func (f *framework) checkTold(s *mesos.TaskStatus) {
	known := f.sim.store.fates[s.GetAgentId().GetValue()]
	switch {
	case s.GetState() == mesos.TaskState_TASK_UNREACHABLE && !known.unreachable:
		f.sim.fail("%s hears that task %s is unreachable, and the registry never had agent %s for that",
			f.node, s.GetTaskId().GetValue(), s.GetAgentId().GetValue())
	case s.GetReason() == mesos.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR && !known.gone:
		f.sim.fail("%s hears that task %s is gone, and the registry has no gone agent %s",
			f.node, s.GetTaskId().GetValue(), s.GetAgentId().GetValue())
	}
}

// checkGone: an operator is told that an agent is gone once it is for good.
func (s *sim) checkGone(id string) {
	for _, a := range s.store.registry.GetGone().GetSlaves() {
		if a.GetId().GetValue() == id {
			return
		}
	}
	s.fail("an operator is told that agent %s is gone, and the registry doesn't have it", id)
}

// checkLeadership: after the trouble exactly one master leads, the one whose
// term is the last, everybody follows it, and no gone agent is among its own.
func (s *sim) checkLeadership() {
	var leading []string
	for _, m := range s.masters {
		if m.leading {
			leading = append(leading, m.node)
		}
	}
	if len(leading) != 1 || s.store.leader != s.master || !s.master.leading {
		s.fail("%v lead in peace", leading)
		return
	}
	for _, a := range s.agents {
		if a.detected != s.master.pid && len(s.masters) > 1 {
			s.fail("%s follows %s, and %s leads", a.node, a.detected, s.master.node)
		}
	}
	for _, f := range s.frameworks {
		if f.master != s.master {
			s.fail("%s is not subscribed to the leader", f.node)
		}
	}
	gone := s.store.registry.GetGone().GetSlaves()
	for a := range s.master.machine.View().Agents.All() {
		if slices.ContainsFunc(gone, func(g *registry.Registry_GoneSlave) bool { return g.GetId().GetValue() == string(a.ID) }) {
			s.fail("agent %s is gone, and is registered", a.ID)
		}
	}
}
