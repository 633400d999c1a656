package state

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Machines are UP unless the schedule names them. Those that it names are
// DRAINING: their agents are offered with the time of their unavailability, and
// frameworks that have something there are asked to leave. START_MAINTENANCE
// makes them DOWN: their agents are removed and kept out. STOP_MAINTENANCE makes
// them UP again.

// downText is what agents on machines that are down, and the frameworks that
// had tasks there, are told.
const downText = "The machine is down for maintenance"

// updateSchedule does UPDATE_MAINTENANCE_SCHEDULE: a new schedule replaces the
// present one.
func (m *Machine) updateSchedule(in OperatorCall) {
	schedule := in.Call.GetUpdateMaintenanceSchedule().GetSchedule()
	if err := m.policy.validateSchedule(schedule); err != nil {
		m.reply(in.Reply, 400, "Invalid maintenance schedule: "+err.Error())
		return
	}
	m.persist(func([]op.Result) {
		m.applySchedule(schedule)
		m.reply(in.Reply, 200, "")
	}, op.UpdateSchedule{Schedule: schedule})
}

func (m *Machine) applySchedule(schedule *maintenance.Schedule) {
	before := m.policy.machines
	m.policy.setSchedule(schedule)
	m.info("the maintenance schedule changed", "windows", len(schedule.GetWindows()), "machines", len(m.policy.machines))
	for a := range m.agentList.all() {
		k := machineOf(a.info, a.pid)
		if u := m.policy.unavailability(k); !proto.Equal(u, before[k].GetUnavailability()) {
			m.setUnavailability(a, u)
		}
	}
}

// setSchedule replaces the schedule. Machines that stay in it keep their mode.
func (p *policy) setSchedule(schedule *maintenance.Schedule) {
	machines := map[machineKey]*mesos.MachineInfo{}
	for _, w := range schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			k := keyOfMachine(id)
			mode := mesos.MachineInfo_DRAINING
			if old := p.machines[k]; old != nil {
				mode = old.GetMode()
			}
			machines[k] = &mesos.MachineInfo{Id: id, Mode: &mode, Unavailability: w.GetUnavailability()}
		}
	}
	p.schedule, p.machines = schedule, machines
	p.status = nil
}

// setUnavailability tells the allocator, and everybody who was offered the
// agent, when it will be away; nil means that it won't. Answers to inverse
// offers were for another time.
func (m *Machine) setUnavailability(a *agent, u *mesos.Unavailability) {
	for o := range a.offers.all() {
		m.rescind(o)
	}
	for o := range a.inverse.all() {
		m.rescindInverse(o)
	}
	m.forgetAnswers(a)
	m.emit(AllocUpdateUnavailability{Agent: a.id, Unavailability: u})
}

// startMaintenance does START_MAINTENANCE.
func (m *Machine) startMaintenance(in OperatorCall) {
	ids := in.Call.GetStartMaintenance().GetMachines()
	if err := m.policy.validateModes(ids, mesos.MachineInfo_DRAINING, errNotDraining); err != nil {
		m.reply(in.Reply, 400, "Maintenance not started: "+err.Error())
		return
	}
	m.persist(func([]op.Result) {
		for _, id := range ids {
			// What was validated may have changed while it was being written.
			if info := m.policy.machines[keyOfMachine(id)]; info != nil {
				m.policy.machines[keyOfMachine(id)] = &mesos.MachineInfo{
					Id: info.Id, Mode: mesos.MachineInfo_DOWN.Enum(), Unavailability: info.Unavailability,
				}
				m.info("a machine is down for maintenance", "machine", machineText(id))
			}
		}
		m.policy.status = nil
		for a := range m.agentList.all() {
			if m.policy.isDown(machineOf(a.info, a.pid)) {
				m.takeDown(a)
			}
		}
		m.reply(in.Reply, 200, "")
	}, op.StartMaintenance{Machines: ids})
}

// takeDown removes an agent whose machine is down. It is told to end all it
// runs, and not waited for.
func (m *Machine) takeDown(a *agent) {
	m.send(a.pid, &messages.ShutdownMessage{Message: new(downText)})
	if a.active {
		m.deactivateAgent(a) // until the registry has forgotten it
	}
	m.retireAgent(a, downText, nil)
}

// stopMaintenance does STOP_MAINTENANCE.
func (m *Machine) stopMaintenance(in OperatorCall) {
	ids := in.Call.GetStopMaintenance().GetMachines()
	if err := m.policy.validateModes(ids, mesos.MachineInfo_DOWN, errNotDown); err != nil {
		m.reply(in.Reply, 400, "Maintenance not stopped: "+err.Error())
		return
	}
	m.persist(func([]op.Result) {
		up := map[machineKey]bool{}
		for _, id := range ids {
			up[keyOfMachine(id)] = true
			m.info("a machine is up again", "machine", machineText(id))
		}
		m.policy.setSchedule(withoutMachines(m.policy.schedule, up))
		m.reply(in.Reply, 200, "")
	}, op.StopMaintenance{Machines: ids})
}

// withoutMachines is a schedule without some machines, and without the windows
// that are empty then.
func withoutMachines(s *maintenance.Schedule, out map[machineKey]bool) *maintenance.Schedule {
	kept := &maintenance.Schedule{}
	for _, w := range s.GetWindows() {
		ids := slices.DeleteFunc(slices.Clone(w.GetMachineIds()), func(id *mesos.MachineID) bool { return out[keyOfMachine(id)] })
		if len(ids) > 0 {
			kept.Windows = append(kept.Windows, &maintenance.Window{MachineIds: ids, Unavailability: w.GetUnavailability()})
		}
	}
	return kept
}

// maintenanceStatus is the mode of every scheduled machine, with the answers of
// frameworks to inverse offers. It is made when somebody looks and something
// changed.
func (m *Machine) maintenanceStatus() *maintenance.ClusterStatus {
	if m.policy.status != nil {
		return m.policy.status
	}
	status := &maintenance.ClusterStatus{}
	agents := m.scheduledAgents()
	for _, w := range m.policy.schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			k := keyOfMachine(id)
			if m.policy.isDown(k) {
				status.DownMachines = append(status.DownMachines, id)
				continue
			}
			machine := &maintenance.ClusterStatus_DrainingMachine{Id: id}
			for _, a := range agents[k] {
				machine.Statuses = append(machine.Statuses, a.answers...)
			}
			status.DrainingMachines = append(status.DrainingMachines, machine)
		}
	}
	m.policy.status = status
	return status
}

func (m *Machine) scheduledAgents() map[machineKey][]*agent {
	if len(m.policy.machines) == 0 {
		return nil
	}
	agents := map[machineKey][]*agent{}
	for a := range m.agentList.all() {
		if len(a.answers) > 0 {
			k := machineOf(a.info, a.pid)
			agents[k] = append(agents[k], a)
		}
	}
	return agents
}
