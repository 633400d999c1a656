package state

import (
	"fmt"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
)

// observer is how the master knows that an agent lives: it is pinged for ever,
// and misses too many answers when it is gone or cut off. Each has a process
// ID of its own, as in Mesos, whose number is not used again.
type observer struct {
	process string
	// pinged says that the last ping was not answered yet; missed counts
	// those before it.
	pinged bool
	missed int
}

// observe starts to ping an agent.
func (m *Machine) observe(a *agent) {
	m.nextObserver++
	a.observer = observer{process: fmt.Sprintf("slave-observer(%d)", m.nextObserver)}
	m.ping(a)
}

func (m *Machine) stopObserving(a *agent) {
	m.disarm(Timer{TimerPing, string(a.id)})
	m.emit(EndProcess{ID: a.observer.process})
}

// ping tells the agent whether we think it is connected; one that isn't in our
// eyes and gets pings registers again.
func (m *Machine) ping(a *agent) {
	a.observer.pinged = true
	m.emit(SendMessage{From: a.observer.process, To: a.pid, Message: &messages.PingSlaveMessage{Connected: new(a.connected)}})
	m.arm(Timer{TimerPing, string(a.id)}, m.cfg.AgentPingTimeout)
}

func (m *Machine) pong(from PID) {
	if a := m.agentsByPID[from]; a != nil {
		a.observer.pinged, a.observer.missed = false, 0
		m.cancelRemoval(a.id, removalPing)
	}
}

func (m *Machine) pingTimeout(id AgentID) {
	a := m.agents[id]
	if a == nil {
		return
	}
	if a.observer.pinged {
		a.observer.missed++
		if a.observer.missed >= m.cfg.MaxAgentPingTimeouts && m.former.moves[id] == nil {
			m.scheduleRemoval(removal{agent: id, cause: removalPing, info: a.info})
		}
	}
	m.ping(a)
}

// connection tells an agent how long it may hear nothing from us before it
// should look for the leader again.
func (m *Machine) connection() *messages.MasterSlaveConnection {
	total := time.Duration(m.cfg.MaxAgentPingTimeouts) * m.cfg.AgentPingTimeout
	return &messages.MasterSlaveConnection{TotalPingTimeoutSeconds: new(total.Seconds())}
}
