package sim

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	agentstate "github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// agent is one agent: the process, its disk, and the containers, which outlive
// both.
type agent struct {
	sim  *sim
	node string
	pid  string
	life int
	up   bool

	machine    *agentstate.Machine
	timers     map[agentstate.Timer]int
	arming     int
	journal    journal
	containers map[string]*container
	order      []*container // of their launch
	replies    agentstate.ReplyID
	streams    agentstate.StreamID
	answers    map[agentstate.ReplyID]func(status int)
	listeners  map[agentstate.StreamID]*container

	follows
	freeze freeze
}

func newAgent(s *sim, n int) *agent {
	a := &agent{
		sim:        s,
		node:       fmt.Sprintf("a%d", n),
		pid:        fmt.Sprintf("slave(1)@10.0.1.%d:5051", n),
		containers: map[string]*container{},
	}
	s.after(s.upTo(5*time.Second), a.start)
	return a
}

// source draws from the simulation's randomness.
type source struct{ sim *sim }

func (s source) UUID() (u [16]byte) {
	copy(u[:], s.sim.uuid())
	return u
}

func (s source) Fraction() float64 { return s.sim.rng.Float64() }

// agentHas is what every agent has, and agentAmounts how much that is.
const agentHas = "cpus:4;mem:4096;disk:10000;ports:[31000-31009]"

var agentAmounts = resources.MustParse(agentHas).Amounts().String()

func (a *agent) config() agentstate.Config {
	var caps []*mesos.AgentInfo_Capability
	for c := mesos.AgentInfo_Capability_MULTI_ROLE; c <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; c++ {
		caps = append(caps, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	return agentstate.Config{
		Agent: &mesos.AgentInfo{
			Hostname: new(a.node), Port: new(int32(5051)),
			Resources: resources.MustParse(agentHas).Proto(),
		},
		Capabilities: caps, Version: "1.11.0", PID: a.pid, IP: "10.0.1.1", WorkDir: "/w",
		Random: source{a.sim}, Reconnect: true,
		CommandExecutor: &mesos.CommandInfo{Value: new("executor")},
		DefaultExecutor: &mesos.CommandInfo{Value: new("default-executor")},
	}
}

// start begins a life of the agent's process.
func (a *agent) start() {
	a.life++
	machine, err := agentstate.New(a.config())
	if err != nil {
		a.sim.fail("agent: %v", err)
		return
	}
	a.machine, a.up = machine, true
	a.timers = map[agentstate.Timer]int{}
	a.answers = map[agentstate.ReplyID]func(int){}
	a.listeners = map[agentstate.StreamID]*container{}
	a.step(agentstate.Recovered{Snapshot: a.journal.snapshot()})
}

// crash kills the agent's process. What it started goes on.
func (a *agent) crash() {
	if !a.up {
		return
	}
	a.sim.note("%s crashes", a.node)
	a.sim.stats.AgentCrashes++
	a.up = false
	a.life++
	a.sim.net.forget(a.node)
	a.sim.net.breakAll(a.node)
	for _, c := range a.order {
		c.lostAgent()
	}
	down := a.sim.upTo(10 * time.Second)
	if a.sim.chance(0.15) {
		down = a.sim.upTo(4 * time.Minute)
	}
	a.sim.after(down, a.start)
}

// shutDown ends the agent's process as the master wants it: nothing runs any
// more. Its supervisor starts it again.
func (a *agent) shutDown() {
	a.sim.note("%s is shut down", a.node)
	a.sim.stats.ShutDowns++
	a.up = false
	a.life++
	a.sim.net.forget(a.node)
	a.sim.net.breakAll(a.node)
	for _, c := range a.order {
		c.lostAgent()
		if a.isGone() {
			c.end(9)
		}
	}
	if a.isGone() {
		a.journal = journal{} // for ever: the node is a new one
	}
	a.sim.after(time.Second+a.sim.upTo(10*time.Second), a.start)
}

// isGone says whether the master will never have it back.
func (a *agent) isGone() bool {
	return a.sim.store.fates[a.journal.agent.GetId().GetValue()].gone
}

// killSomething ends a container for no good reason.
func (a *agent) killSomething() {
	if len(a.order) > 0 {
		a.order[a.sim.rng.IntN(len(a.order))].end(9)
	}
}

func (a *agent) step(in agentstate.Input) {
	if !a.up || a.sim.err != nil {
		return
	}
	if a.freeze.hold(a.sim, func() { a.step(in) }) {
		return
	}
	life := a.life
	for _, e := range a.machine.Step(in, a.sim.now) {
		if a.life != life {
			return
		}
		a.checkObeys(e)
		a.perform(e)
	}
}

// later does something if the agent's process still lives then.
func (a *agent) later(d time.Duration, do func()) {
	life := a.life
	a.sim.after(d, func() {
		if a.life == life {
			do()
		}
	})
}

func (a *agent) soon() time.Duration { return time.Millisecond + a.sim.upTo(20*time.Millisecond) }

func (a *agent) perform(e agentstate.Effect) {
	switch e := e.(type) {
	case agentstate.Checkpoint:
		a.journal.write(e.Record)
	case agentstate.Send:
		a.send(e.To, e.Message)
	case agentstate.Link:
		a.link(e.PID)
	case agentstate.DetectMaster:
		a.detect(a.sim.upTo(time.Second))
	case agentstate.Arm:
		a.arm(e)
	case agentstate.Disarm:
		delete(a.timers, e.Timer)
	case agentstate.Terminate:
		if e.Err != nil {
			a.sim.fail("%s ends: %v", a.node, e.Err)
			return
		}
		a.shutDown()
	case agentstate.Log:
		if e.Level >= agentstate.Info {
			a.sim.note("%s: %s %v", a.node, e.Message, e.Fields)
		}
	default:
		a.performContainer(e)
	}
}

func (a *agent) arm(e agentstate.Arm) {
	a.arming++
	serial := a.arming
	a.timers[e.Timer] = serial
	a.later(e.After, func() {
		if a.timers[e.Timer] == serial {
			delete(a.timers, e.Timer)
			a.step(agentstate.TimerFired{Timer: e.Timer})
		}
	})
}

func (a *agent) send(to string, m proto.Message) {
	master := a.sim.masterAt(to)
	if master == nil {
		return
	}
	msg := carry(a.sim, m)
	a.sim.net.send(a.node, master.node, func() { master.receive(a.pid, to, msg) })
	if a.sim.troubled() && repeatable(m) && a.sim.chance(0.03) {
		again := carry(a.sim, m)
		a.sim.net.send(a.node, master.node, func() { master.receive(a.pid, to, again) })
	}
}

// repeatable says whether the master has to bear getting a message twice.
func repeatable(m proto.Message) bool {
	switch name(m) {
	case "RegisterSlaveMessage", "ReregisterSlaveMessage", "StatusUpdateMessage", "PongSlaveMessage", "UpdateSlaveMessage":
		return true
	}
	return false
}

func (a *agent) nodeName() string { return a.node }

// receive takes a message of the master.
func (a *agent) receive(from, _ string, m proto.Message) {
	a.from = from
	a.step(agentstate.MasterMessage{From: from, Message: m})
	a.from = ""
}
