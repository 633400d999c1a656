package httpapi

import (
	"net/http"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// maintenanceSchedule is the schedule, empty for who may not see it.
func (s visible) maintenanceSchedule(v *state.View) *maintenance.Schedule {
	if !s.schedule.Allow(acl.Object{}) {
		return &maintenance.Schedule{}
	}
	return v.Schedule
}

// maintenanceStatus is the mode of the scheduled machines, empty for who may
// not see it.
func (s visible) maintenanceStatus(v *state.View) *maintenance.ClusterStatus {
	if !s.maintenance.Allow(acl.Object{}) {
		return &maintenance.ClusterStatus{}
	}
	return v.Maintenance
}

// appendSchedule writes /maintenance/schedule.
func appendSchedule(b []byte, v *state.View, query asked) []byte {
	return query.maintenanceSchedule(v).AppendMesosJSON(b)
}

// appendMaintenanceStatus writes /maintenance/status.
func appendMaintenanceStatus(b []byte, v *state.View, query asked) []byte {
	return query.maintenanceStatus(v).AppendMesosJSON(b)
}

func postSchedule(r *http.Request) (*mesosmaster.Call, error) {
	schedule := &maintenance.Schedule{}
	err := readJSON(r, schedule)
	return &mesosmaster.Call{
		Type:                      mesosmaster.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(),
		UpdateMaintenanceSchedule: &mesosmaster.Call_UpdateMaintenanceSchedule{Schedule: schedule},
	}, err
}

func postMachinesDown(r *http.Request) (*mesosmaster.Call, error) {
	machines, err := readList[mesos.MachineID](r)
	return &mesosmaster.Call{
		Type:             mesosmaster.Call_START_MAINTENANCE.Enum(),
		StartMaintenance: &mesosmaster.Call_StartMaintenance{Machines: machines},
	}, err
}

func postMachinesUp(r *http.Request) (*mesosmaster.Call, error) {
	machines, err := readList[mesos.MachineID](r)
	return &mesosmaster.Call{
		Type:            mesosmaster.Call_STOP_MAINTENANCE.Enum(),
		StopMaintenance: &mesosmaster.Call_StopMaintenance{Machines: machines},
	}, err
}
