package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr/funcr"
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/allocator"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// masterPID is where the leading master is. Every leader is at the same place,
// which is hard on whoever does not notice that it changed.
const masterPID = "master@10.0.0.1:5050"

// master is one master: a process, and the machine of its term while it leads.
type master struct {
	sim  *sim
	life int // a new one with every term, and every crash
	node string
	pid  string
	seat

	machine *state.Machine
	alloc   engine.Allocator
	timers  map[state.Timer]int // serial of the arming
	arming  int
	due     bool // an allocation is planned
	// brought counts effects that told the allocator of what it did not propose.
	brought int
	parsed  map[*mesos.Resource]resources.Resources
	// checked are the agents as they were when their resources were checked.
	checked map[state.AgentID]*state.Agent
	checks  int
	// launched are the tasks that this leader sent to agents.
	launched map[state.TaskKey]bool
	steps    int

	calls   map[state.ReplyID]func(status int)
	replies state.ReplyID
	streams map[state.StreamID]*framework
}

// lead begins the time of a new leader.
func (m *master) lead() {
	m.life++
	m.term, m.leading = m.sim.store.begin(m), true
	info := &mesos.MasterInfo{
		Id: new(fmt.Sprintf("m%d", m.term)), Ip: new(uint32(0)), Port: new(uint32(5050)), Pid: new(m.pid),
		Capabilities: []*mesos.MasterInfo_Capability{
			{Type: mesos.MasterInfo_Capability_AGENT_DRAINING.Enum()}, {Type: mesos.MasterInfo_Capability_QUOTA_V2.Enum()},
		},
	}
	m.machine = state.New(state.DefaultConfig(info))
	cfg := allocator.DefaultConfig()
	cfg.Seed = m.sim.rng.Uint64()
	a, err := allocator.New(cfg)
	if err != nil {
		m.sim.fail("allocator: %v", err)
		return
	}
	m.alloc = newFairness(m.sim, engine.Bridge(a, constraint.DefaultLimits, funcr.New(m.logged, funcr.Options{})))
	m.timers = map[state.Timer]int{}
	m.calls = map[state.ReplyID]func(int){}
	m.streams = map[state.StreamID]*framework{}
	m.due = false
	m.parsed = map[*mesos.Resource]resources.Resources{}
	m.checked = map[state.AgentID]*state.Agent{}
	m.launched = map[state.TaskKey]bool{}
	m.step(state.Recovered{Registry: proto.CloneOf(m.sim.store.registry)})
	m.tick()
}

// logged takes what the bridge logs: only that the allocator lost track.
func (m *master) logged(_, args string) {
	m.sim.fail("master and allocator disagree: %s", args)
}

// failover replaces the leader. Nobody is told but by broken connections.
func (m *master) failover() {
	m.sim.note("the master fails over")
	m.sim.stats.MasterFailovers++
	m.sim.net.forget(m.node)
	m.lead()
	for _, a := range m.sim.agents {
		m.sim.net.breakUp(m.node, a.node)
	}
	for _, f := range m.sim.frameworks {
		m.sim.net.breakUp(m.node, f.node)
	}
}

// tick allocates once a second.
func (m *master) tick() {
	life := m.life
	m.sim.after(time.Second, func() {
		if m.life == life {
			m.allocate()
			m.tick()
		}
	})
}

func (m *master) allocate() {
	m.due = false
	proposed := m.alloc.Allocate(m.sim.now)
	if proposed.IsEmpty() {
		return
	}
	life, brought := m.life, m.brought
	m.sim.after(m.sim.upTo(3*time.Millisecond), func() {
		if m.life != life {
			return
		}
		before := m.machine.View()
		m.step(proposed)
		if m.brought == brought && m.sim.err == nil {
			m.checkLimits(before, m.machine.View())
		}
	})
}

// step steps the machine and performs the effects.
func (m *master) step(in state.Input) {
	if m.sim.err != nil || !m.leading || m.freeze.hold(m.sim, m.sameLife(func() { m.step(in) })) {
		return
	}
	effects := append([]state.Effect(nil), m.machine.Step(in, m.sim.now.Add(m.skew))...)
	allocated := false
	life := m.life
	for _, e := range effects {
		if m.life != life {
			return // it stepped down
		}
		switch e.(type) {
		case state.AllocatorEffect:
			allocated = true
		}
		if brings(e) {
			m.brought++
		}
		m.perform(e)
	}
	if _, offered := in.(state.Allocated); offered || allocated {
		m.checkResources()
		m.checkOffers(m.machine.View())
	}
	if m.steps++; m.steps%memoryEvery == 0 {
		m.checkMemory()
	}
}

func (m *master) perform(e state.Effect) {
	switch e := e.(type) {
	case state.AllocatorEffect:
		if m.alloc.Apply(e, m.sim.now) && !m.due {
			m.due = true
			life := m.life
			m.sim.after(m.sim.upTo(5*time.Millisecond), func() {
				if m.life == life {
					m.allocate()
				}
			})
		}
	case state.Reply:
		m.answer(e.Reply, e.Status)
	case state.OpenStream:
		m.answer(e.Reply, 200)
	case state.SendEvent:
		m.sendEvent(e.Stream, e.Event)
	case state.CloseStream:
		m.closeStream(e.Stream)
	case state.SendMessage:
		m.remember(e.Message)
		m.send(e)
	case state.Link:
		m.link(e.PID)
	case state.Persist:
		m.persist(e)
	case state.Arm:
		m.arm(e)
	case state.Disarm:
		delete(m.timers, e.Timer)
	case state.Abdicate:
		m.abdicate(e.Reason)
	case state.Log:
		if e.Level >= state.LogInfo {
			m.sim.note("master: %s %v", e.Text, e.KeysAndValues)
		}
	}
}

func (m *master) arm(e state.Arm) {
	m.arming++
	serial := m.arming
	m.timers[e.Timer] = serial
	life := m.life
	m.sim.after(e.After, func() {
		if m.life == life && m.timers[e.Timer] == serial {
			delete(m.timers, e.Timer)
			m.step(state.TimerFired{Timer: e.Timer})
		}
	})
}

func (m *master) persist(e state.Persist) {
	for _, o := range e.Operations {
		if _, ok := o.(op.MarkUnreachable); ok {
			m.sim.stats.Unreachable++
		}
	}
	m.sim.store.write(m, e)
}

// peer is who can be reached at a PID.
type peer interface {
	nodeName() string
	// receive takes a message that was sent to a PID there.
	receive(from, to string, m proto.Message)
}

// peer finds who is at a PID, nil if that is nobody any more.
func (m *master) peer(pid state.PID) peer {
	for _, a := range m.sim.agents {
		if string(pid) == a.pid {
			return a
		}
	}
	for _, f := range m.sim.frameworks {
		if f.driver && string(pid) == f.pid() {
			return f
		}
	}
	return nil
}

func (m *master) link(pid state.PID) {
	p := m.peer(pid)
	if p == nil {
		return
	}
	life := m.life
	m.sim.net.watch(m.node, p.nodeName(), func() {
		if m.life == life {
			m.step(state.PeerExited{PID: pid})
		}
	})
	if a, ok := p.(*agent); ok && !a.up {
		// Nobody listens there: the connection that the link makes is refused.
		m.sim.after(m.sim.upTo(50*time.Millisecond), func() { m.sim.net.breakUp("m", a.node) })
	}
}

func (m *master) send(e state.SendMessage) {
	p := m.peer(e.To)
	if p == nil {
		return
	}
	from := e.From + strings.TrimPrefix(m.pid, "master")
	msg := carry(m.sim, e.Message)
	m.checkSends(msg)
	m.sim.net.send(m.node, p.nodeName(), func() { p.receive(from, string(e.To), msg) })
}

// receive takes a message of an agent or driver.
func (m *master) receive(from, to string, msg proto.Message) {
	process, _, _ := strings.Cut(to, "@")
	m.step(state.PeerMessage{From: state.PID(from), To: process, Message: msg})
}

// call takes a call of a framework; done gets the status.
func (m *master) call(f *framework, stream state.StreamID, c *scheduler.Call, done func(status int)) {
	if !m.leading {
		done(307)
		return
	}
	if m.freeze.hold(m.sim, m.sameLife(func() { m.call(f, stream, c, done) })) {
		return
	}
	m.replies++
	m.calls[m.replies] = done
	if c.GetType() == scheduler.Call_SUBSCRIBE {
		m.streams[stream] = f
		life := m.life
		m.sim.net.watch(m.node, f.node, func() {
			if m.life == life {
				delete(m.streams, stream)
				m.step(state.StreamClosed{Stream: stream})
			}
		})
	}
	m.step(state.SchedulerCall{Reply: m.replies, Stream: stream, Call: c})
	if m.sim.err == nil && m.leading && m.calls[m.replies] != nil {
		m.sim.fail("%s of %s got no answer", c.GetType(), f.node)
	}
}

func (m *master) answer(id state.ReplyID, status int) {
	if done := m.calls[id]; done != nil {
		delete(m.calls, id)
		done(status)
		return
	}
	m.sim.fail("call %d is answered twice", id)
}

func (m *master) sendEvent(stream state.StreamID, e *scheduler.Event) {
	if f := m.streams[stream]; f != nil {
		arrived := carry(m.sim, e)
		m.sim.net.send(m.node, f.node, func() { f.event(stream, arrived) })
	}
}

func (m *master) closeStream(stream state.StreamID) {
	if f := m.streams[stream]; f != nil {
		delete(m.streams, stream)
		m.sim.net.send(m.node, f.node, func() { f.closed(stream) })
	}
}
