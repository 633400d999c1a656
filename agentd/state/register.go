package state

import (
	"fmt"
	"strings"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// detected begins registration with a new leader, or waits for one.
func (m *Machine) detected(pid string) {
	if m.phase == Recovering {
		return // detection is asked for when recovery is over
	}
	m.detecting = false
	if pid != "" && pid == m.master {
		return // it leads still
	}
	if m.phase != Terminating {
		m.phase = Disconnected
	}
	m.pause()
	m.master = pid
	m.do(Disarm{Timer{Kind: TimerRegister}})
	m.do(Disarm{Timer{Kind: TimerPing}})
	if pid == "" {
		m.inform("no master leads")
		return
	}
	m.inform("master detected", "master", pid)
	if m.phase == Terminating {
		return
	}
	// Agents must not all come at once after a failover.
	m.backoff, m.attempts = 2*m.cfg.RegistrationBackoff, 0
	m.do(Arm{Timer: Timer{Kind: TimerRegister}, After: m.jitter(m.cfg.RegistrationBackoff)})
}

func (m *Machine) jitter(most time.Duration) time.Duration {
	return time.Duration(m.cfg.Random.Fraction() * float64(most))
}

// redetect gives up the master and asks which one leads.
func (m *Machine) redetect() {
	m.detected("")
	m.detect()
}

func (m *Machine) detect() {
	m.detecting = true
	m.do(DetectMaster{})
}

func (m *Machine) exited(pid string) {
	if m.phase == Recovering || pid == "" || pid != m.master {
		return
	}
	m.warn("master disconnected", "master", pid)
	m.redetect()
}

// register sends one request and arms the next attempt.
func (m *Machine) register() {
	if m.master == "" || m.phase != Disconnected {
		return
	}
	m.do(Link{PID: m.master})
	if m.agentID() == "" {
		m.inform("registering", "master", m.master)
		m.send(&messages.RegisterSlaveMessage{
			Slave:                 checkpointing(m.info),
			Version:               &m.cfg.Version,
			CheckpointedResources: m.checkpointed(),
			AgentCapabilities:     m.cfg.Capabilities,
			ResourceVersionUuid:   m.versionUUID(),
		})
	} else {
		m.inform("reregistering", "master", m.master, "agent_id", m.agentID())
		m.send(m.reregistration())
	}
	if m.attempts++; m.attempts > 1 && !m.detecting {
		// No answer: it may have been deposed before it had read the request,
		// and lives on without leading.
		m.detect()
	}
	m.backoff = min(m.backoff, maxRegistrationBackoff)
	m.do(Arm{Timer: Timer{Kind: TimerRegister}, After: m.jitter(m.backoff)})
	m.backoff *= 2
}

func (m *Machine) versionUUID() *mesos.UUID { return &mesos.UUID{Value: m.version[:]} }

func (m *Machine) registered(msg *messages.SlaveRegisteredMessage) {
	id := msg.GetSlaveId().GetValue()
	switch m.phase {
	case Disconnected:
		if m.agentID() != "" && m.agentID() != id {
			m.wrongID(id)
			return
		}
		m.inform("registered", "master", m.master, "agent_id", id)
		m.info = withID(m.info, msg.GetSlaveId())
		m.checkpoint(AgentRecord{Info: m.info})
		m.connected(msg.GetConnection())
	case Running:
		if m.agentID() != id {
			m.wrongID(id)
			return
		}
		m.sendUpdateSlave()
	}
}

// wrongID ends the agent: a master that confuses agents would confuse tasks.
func (m *Machine) wrongID(id string) {
	m.do(Terminate{Err: fmt.Errorf("registered as agent %q, but this is agent %q", id, m.agentID())})
}

func withID(info *mesos.AgentInfo, id *mesos.AgentID) *mesos.AgentInfo {
	return &mesos.AgentInfo{
		Hostname:   info.Hostname,
		Resources:  info.Resources,
		Attributes: info.Attributes,
		Id:         id,
		Port:       info.Port,
		Domain:     info.Domain,
	}
}

// checkpointing says in a message for a master that this agent keeps
// checkpoints: without it, masters of Mesos refuse an agent that comes back with
// reservations. It is field 7, true, of the libprocess form of AgentInfo, which
// the HTTP form lacks.
func checkpointing(info *mesos.AgentInfo) *mesos.AgentInfo {
	out := withID(info, info.Id)
	out.ProtoReflect().SetUnknown([]byte{7 << 3, 1})
	return out
}

// connected is what follows registration of both kinds.
func (m *Machine) connected(c *messages.MasterSlaveConnection) {
	m.phase = Running
	m.do(Disarm{Timer{Kind: TimerRegister}})
	m.pingAfter = defaultPingTimeout
	if s := c.GetTotalPingTimeoutSeconds(); s > 0 {
		m.pingAfter = time.Duration(s * float64(time.Second))
	}
	m.do(Arm{Timer: Timer{Kind: TimerPing}, After: m.pingAfter})
	m.sendUpdateSlave()
	m.resume()
}

func (m *Machine) reregistered(msg *messages.SlaveReregisteredMessage) {
	if m.agentID() != msg.GetSlaveId().GetValue() {
		m.wrongID(msg.GetSlaveId().GetValue())
		return
	}
	switch m.phase {
	case Disconnected:
		m.inform("reregistered", "master", m.master, "agent_id", m.agentID())
		m.connected(msg.GetConnection())
		m.repeatExits()
	case Running:
		m.sendUpdateSlave()
	default:
		return
	}
	for _, r := range msg.GetReconciliations() {
		m.reconcile(r)
	}
}

// sendUpdateSlave tells the master what may have changed while it was not told.
func (m *Machine) sendUpdateSlave() {
	m.send(m.withLent(&messages.UpdateSlaveMessage{
		SlaveId:             m.info.Id,
		ResourceVersionUuid: m.versionUUID(),
		Operations:          &messages.UpdateSlaveMessage_Operations{Operations: m.operationsOf("")},
		ResourceProviders:   m.providersMessage(),
	}))
}

// providersMessage tells of the resource providers that told their state.
func (m *Machine) providersMessage() *messages.UpdateSlaveMessage_ResourceProviders {
	out := &messages.UpdateSlaveMessage_ResourceProviders{}
	for id, p := range sorted(m.providers.subscribed) {
		if p.version == nil {
			continue
		}
		out.Providers = append(out.Providers, &messages.UpdateSlaveMessage_ResourceProvider{
			Info: p.info, TotalResources: p.total.Proto(), ResourceVersionUuid: p.version,
			Operations: &messages.UpdateSlaveMessage_Operations{Operations: m.operationsOf(id)},
		})
	}
	return out
}

// ping answers a master, whether or not it is the agent's: it then learns by
// itself that it no longer leads.
func (m *Machine) ping(from string, connected bool) {
	m.do(Send{To: from, Message: &messages.PongSlaveMessage{}})
	if m.phase != Running || addressOf(from) != addressOf(m.master) {
		return
	}
	if !connected {
		m.inform("the master takes the agent for disconnected: registering again", "from", from)
		m.redetect()
		return
	}
	m.do(Arm{Timer: Timer{Kind: TimerPing}, After: m.pingAfter})
}

// addressOf is the node of a PID: pings come from another process of the master's.
func addressOf(pid string) string {
	_, address, _ := strings.Cut(pid, "@")
	return address
}

// executorMessage passes a message on: to the framework itself if it speaks
// libprocess, else through the master.
func (m *Machine) executorMessage(r *run, data []byte) {
	if m.phase != Running || r.framework.terminating {
		m.warn("message of executor dropped: not registered or framework is being shut down", fields(r)...)
		m.counters.InvalidFrameworkMessages++
		return
	}
	to := r.framework.pid
	if to == "" {
		to = m.master
	}
	m.do(Send{To: to, Message: &messages.ExecutorToFrameworkMessage{
		SlaveId:     m.info.Id,
		FrameworkId: r.framework.info.Id,
		ExecutorId:  r.info.ExecutorId,
		Data:        data,
	}})
	m.counters.ValidFrameworkMessages++
}
