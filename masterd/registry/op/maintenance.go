package op

import (
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
)

// UpdateSchedule replaces the maintenance schedule. Machines that are new in
// it start to drain, those that are no longer in it are up, and those that
// stay keep their mode.
type UpdateSchedule struct{ Schedule *maintenance.Schedule }

// StartMaintenance takes scheduled machines down; others are passed over.
type StartMaintenance struct{ Machines []*mesos.MachineID }

// StopMaintenance brings machines up and takes them out of the schedule.
type StopMaintenance struct{ Machines []*mesos.MachineID }

// machineKey is a MachineID as a value. Hostnames are in lower case: their case
// does not matter.
type machineKey struct{ hostname, ip string }

func keyOf(id *mesos.MachineID) machineKey {
	return machineKey{strings.ToLower(id.GetHostname()), id.GetIp()}
}

func keysOf(ids []*mesos.MachineID) map[machineKey]bool {
	keys := make(map[machineKey]bool, len(ids))
	for _, id := range ids {
		keys[keyOf(id)] = true
	}
	return keys
}

func (o UpdateSchedule) apply(b *book) (bool, error) {
	before := map[machineKey]*mesos.MachineInfo{}
	for _, m := range b.r.GetMachines().GetMachines() {
		before[keyOf(m.GetInfo().GetId())] = m.GetInfo()
	}
	var machines []*registry.Registry_Machine
	for _, w := range o.Schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			info := &mesos.MachineInfo{
				Id: id, Mode: mesos.MachineInfo_DRAINING.Enum(), Unavailability: w.GetUnavailability(),
			}
			if old := before[keyOf(id)]; old != nil {
				info.Mode = old.Mode
			}
			machines = append(machines, &registry.Registry_Machine{Info: info})
		}
	}
	b.r.Machines = &registry.Registry_Machines{Machines: machines}
	b.r.Schedules = []*maintenance.Schedule{o.Schedule}
	return true, nil
}

func (o StartMaintenance) apply(b *book) (bool, error) {
	down := keysOf(o.Machines)
	mutated := false
	machines := slices.Clone(b.r.GetMachines().GetMachines())
	for i, m := range machines {
		info := m.GetInfo()
		if !down[keyOf(info.GetId())] {
			continue
		}
		machines[i] = &registry.Registry_Machine{Info: &mesos.MachineInfo{
			Id: info.GetId(), Mode: mesos.MachineInfo_DOWN.Enum(), Unavailability: info.GetUnavailability(),
		}}
		mutated = true
	}
	if mutated {
		b.r.Machines = &registry.Registry_Machines{Machines: machines}
	}
	return mutated, nil
}

func (o StopMaintenance) apply(b *book) (bool, error) {
	up := keysOf(o.Machines)
	old := b.r.GetMachines().GetMachines()
	machines := slices.DeleteFunc(slices.Clone(old), func(m *registry.Registry_Machine) bool {
		return up[keyOf(m.GetInfo().GetId())]
	})
	mutated := len(machines) != len(old)
	if mutated {
		b.r.Machines = &registry.Registry_Machines{Machines: machines}
	}
	b.r.Schedules = unschedule(b.r.GetSchedules(), up)
	return mutated, nil
}

// unschedule returns schedules without some machines, and without the windows
// and schedules that are empty then.
func unschedule(schedules []*maintenance.Schedule, out map[machineKey]bool) []*maintenance.Schedule {
	var kept []*maintenance.Schedule
	for _, s := range schedules {
		var windows []*maintenance.Window
		for _, w := range s.GetWindows() {
			ids := slices.DeleteFunc(slices.Clone(w.GetMachineIds()), func(id *mesos.MachineID) bool {
				return out[keyOf(id)]
			})
			if len(ids) > 0 {
				windows = append(windows, &maintenance.Window{MachineIds: ids, Unavailability: w.GetUnavailability()})
			}
		}
		if len(windows) > 0 {
			kept = append(kept, &maintenance.Schedule{Windows: windows})
		}
	}
	return kept
}
