package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Why an agent is turned away without an answer: it goes on trying, and an
// operator finds the reason in our log.
var (
	errNotAuthenticated = errors.New("it is not authenticated")
	errNoMasterDomain   = errors.New("it has a fault domain and the master has none")
	errNoDomain         = errors.New("it has no fault domain and the master requires one")
)

// registerAgent admits an agent that has no ID yet.
func (m *Machine) registerAgent(in PeerMessage, msg *messages.RegisterSlaveMessage) {
	m.stats.Messages[MessageRegisterAgent]++
	info := msg.GetSlave()
	if err := m.checkNewcomer(in, info, msg.GetVersion()); err != nil {
		m.warn("ignoring a registration", "from", in.From, "hostname", info.GetHostname(), "reason", err.Error())
		return
	}
	if err := upgradeAgent(info, msg.GetCheckpointedResources()); err != nil {
		m.warn("dropping an invalid registration", "from", in.From, "hostname", info.GetHostname(), "reason", err.Error())
		return
	}
	if m.former.registering[in.From] {
		return // the registry is at work on it
	}
	if m.policy.isDown(machineOf(info, in.From)) {
		m.shutDownAgent(in.From, "The machine is down for maintenance")
		return
	}
	if a := m.agentsByPID[in.From]; a != nil {
		if a.connected {
			m.sendRegistered(a)
			return
		}
		m.retireAgent(a, "a new agent registered at the same address", &m.stats.RemovalsRegistered)
	}
	m.admit(in.From, msg)
}

// admit gives an agent an ID and writes it to the registry before anyone hears
// of it.
func (m *Machine) admit(from PID, msg *messages.RegisterSlaveMessage) {
	info := msg.GetSlave()
	id := fmt.Sprintf("%s-S%d", m.cfg.Master.GetId(), m.nextAgent)
	m.nextAgent++
	info.Id = &mesos.AgentID{Value: &id}
	m.former.registering[from] = true
	move := m.former.moving(AgentID(id))
	move.reregistering = true // whoever claims this ID meanwhile is not heard
	m.persist(func(results []op.Result) {
		delete(m.former.registering, from)
		move.reregistering = false
		m.former.settle(AgentID(id))
		if err := results[0].Err; err != nil {
			m.warn("the registry refused an agent", "agent_id", id, "error", err.Error())
			return // it tries again and gets another ID
		}
		m.admitted(from, msg)
	}, op.AdmitAgent{Info: info})
}

func (m *Machine) admitted(from PID, msg *messages.RegisterSlaveMessage) {
	if old := m.agentsByPID[from]; old != nil {
		// Its removal is under way; the address is the new agent's from now on.
		delete(m.agentsByPID, from)
	}
	a := &agent{
		id:              AgentID(msg.GetSlave().GetId().GetValue()),
		info:            msg.GetSlave(),
		pid:             from,
		version:         msg.GetVersion(),
		caps:            agentCapabilitiesOf(msg.GetAgentCapabilities()),
		registered:      m.now,
		resourceVersion: msg.GetResourceVersionUuid(),
	}
	m.setResources(a, msg.GetCheckpointedResources())
	m.stats.AgentRegistrations++
	m.addAgent(a)
	m.announceAgent(a)
	m.sendRegistered(a)
	m.info("registered an agent", "agent_id", a.id, "hostname", a.info.GetHostname(), "pid", a.pid,
		"resources", a.total.String())
}

func (m *Machine) sendRegistered(a *agent) {
	m.send(a.pid, &messages.SlaveRegisteredMessage{SlaveId: a.info.GetId(), Connection: m.connection()})
}

// shutDownAgent tells an agent to end all it runs, and itself.
func (m *Machine) shutDownAgent(to PID, why string) {
	m.warn("shutting an agent down", "pid", to, "reason", why)
	m.send(to, &messages.ShutdownMessage{Message: &why})
}

// checkNewcomer holds an agent against what the master asks of all.
func (m *Machine) checkNewcomer(in PeerMessage, info *mesos.AgentInfo, version string) error {
	switch {
	case m.cfg.AuthenticateAgents && in.Principal == "":
		return errNotAuthenticated
	case info.GetDomain() != nil && m.cfg.Master.GetDomain() == nil:
		return errNoMasterDomain
	case info.GetDomain() == nil && m.cfg.RequireAgentDomain:
		return errNoDomain
	}
	if err := m.mayRegister(in.Principal, info); err != nil {
		return err
	}
	return checkVersion(version)
}

// minAgentMajor is the first major version whose agents Mesos 1.11 accepts.
const minAgentMajor = 1

// checkVersion reads the version of an agent, "1.11.0" or "1.11.0-rc1".
func checkVersion(version string) error {
	core, _, _ := strings.Cut(version, "-")
	core, _, _ = strings.Cut(core, "+")
	parts := strings.Split(core, ".")
	if len(parts) > 3 {
		return fmt.Errorf("its version %q is not of the form x.y.z", version)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return fmt.Errorf("its version %q is not of the form x.y.z", version)
		}
		if i == 0 && n < minAgentMajor {
			return fmt.Errorf("its version %q is older than 1.0.0", version)
		}
	}
	return nil
}

// upgradeAgent brings the resources that an agent sent into the form that they
// have in memory.
func upgradeAgent(info *mesos.AgentInfo, checkpointed []*mesos.Resource) error {
	if id := info.GetId(); id != nil {
		if err := validateID(id.GetValue()); err != nil {
			return err
		}
	}
	if err := upgrade(info.Resources); err != nil {
		return fmt.Errorf("invalid resources: %w", err)
	}
	if err := upgrade(checkpointed); err != nil {
		return fmt.Errorf("invalid checkpointed resources: %w", err)
	}
	return nil
}

// upgrade checks resources and brings them into the form that they have in
// memory.
func upgrade(list []*mesos.Resource) error {
	if err := resources.ValidateAll(list); err != nil {
		return err
	}
	resources.Upgrade(list)
	return nil
}
