package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
)

var (
	errNoMachines    = errors.New("no machine is named")
	errNamelessHost  = errors.New("a machine has neither hostname nor ip")
	errMachineTwice  = errors.New("is named twice")
	errNotAnAddress  = errors.New("is not an IPv4 address")
	errMachineIsDown = errors.New("is down and can't be taken out of the schedule")
	errNotScheduled  = errors.New("is not in the maintenance schedule")
	errNotDraining   = errors.New("is not in mode DRAINING")
	errNotDown       = errors.New("is not in mode DOWN")
	errEndsTooEarly  = errors.New("the duration of an unavailability is negative")
)

// validateSchedule checks a schedule that is to replace the present one.
func (p *policy) validateSchedule(s *maintenance.Schedule) error {
	scheduled := map[machineKey]bool{}
	for _, w := range s.GetWindows() {
		if err := validateMachines(w.GetMachineIds(), scheduled); err != nil {
			return fmt.Errorf("in a window: %w", err)
		}
		if w.GetUnavailability().GetDuration().GetNanoseconds() < 0 {
			return errEndsTooEarly
		}
	}
	for _, w := range p.schedule.GetWindows() {
		for _, id := range w.GetMachineIds() {
			if k := keyOfMachine(id); p.isDown(k) && !scheduled[k] {
				return fmt.Errorf("machine %s %w", machineText(id), errMachineIsDown)
			}
		}
	}
	return nil
}

// validateMachines checks machines by themselves, and that none is named twice.
func validateMachines(ids []*mesos.MachineID, seen map[machineKey]bool) error {
	if len(ids) == 0 {
		return errNoMachines
	}
	for _, id := range ids {
		k := keyOfMachine(id)
		switch {
		case k == machineKey{}:
			return errNamelessHost
		case k.ip != "" && !isIPv4(k.ip):
			return fmt.Errorf("machine %s: %w", machineText(id), errNotAnAddress)
		case seen[k]:
			return fmt.Errorf("machine %s %w", machineText(id), errMachineTwice)
		}
		seen[k] = true
	}
	return nil
}

// validateModes checks that machines are scheduled, and all in a mode.
func (p *policy) validateModes(ids []*mesos.MachineID, mode mesos.MachineInfo_Mode, otherwise error) error {
	if err := validateMachines(ids, map[machineKey]bool{}); err != nil {
		return err
	}
	for _, id := range ids {
		switch info := p.machines[keyOfMachine(id)]; {
		case info == nil:
			return fmt.Errorf("machine %s %w", machineText(id), errNotScheduled)
		case info.GetMode() != mode:
			return fmt.Errorf("machine %s %w", machineText(id), otherwise)
		}
	}
	return nil
}

func machineText(id *mesos.MachineID) string {
	switch {
	case id.GetHostname() == "":
		return "'" + id.GetIp() + "'"
	case id.GetIp() == "":
		return "'" + id.GetHostname() + "'"
	}
	return "'" + id.GetHostname() + "' (" + id.GetIp() + ")"
}

// isIPv4 reads dotted decimals. This package has no net.
func isIPv4(s string) bool {
	parts := strings.Split(s, ".")
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return false
		}
	}
	return len(parts) == 4
}
