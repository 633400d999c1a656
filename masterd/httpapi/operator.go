package httpapi

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

// operatorCall is one call of the operator API under way.
type operatorCall struct {
	w           http.ResponseWriter
	r           *http.Request
	principal   string
	call        *mesosmaster.Call
	contentType string // of the answer
	engine      *engine.Engine
}

// serveOperator answers POST /api/v1.
func (a *API) serveOperator(w http.ResponseWriter, r *http.Request, principal string) {
	c := &operatorCall{w: w, r: r, principal: principal, call: &mesosmaster.Call{}, engine: a.leading(w, r)}
	if c.engine == nil || !readCall(w, r, c.call) {
		return
	}
	if missing := missingPart(c.call); missing != "" {
		text(w, http.StatusBadRequest, "Failed to validate the call: Expecting '"+missing+"' to be present")
		return
	}
	var ok bool
	if c.contentType, ok = accepted(w, r); !ok {
		return
	}
	a.operate(c)
}

// operate finds out who knows the answer: this package about the process, a
// View about the cluster, the machine about what changes it.
func (a *API) operate(c *operatorCall) {
	if answer := a.aboutProcess(c.call.GetType()); answer != nil {
		answer(c)
		return
	}
	if how, ok := readings[c.call.GetType()]; ok {
		a.readCluster(c, how)
		return
	}
	if c.call.GetType() == mesosmaster.Call_SUBSCRIBE {
		a.subscribe(c)
		return
	}
	if c.call.GetType() == mesosmaster.Call_UNKNOWN {
		httpserver.Refuse(c.w, http.StatusNotImplemented)
		return
	}
	reply, err := a.submit(c.r.Context(), c.engine, c.principal, c.call)
	if err != nil {
		a.failed(c.w, c.r, err)
		return
	}
	a.reply(c.w, c.contentType, reply)
}

// missingPart names the field that a type of call can't do without and that is
// not there, "" if all is well.
func missingPart(c *mesosmaster.Call) string {
	if c.Type == nil {
		return "type"
	}
	for _, p := range []struct {
		t    mesosmaster.Call_Type
		name string
		part proto.Message
	}{
		{mesosmaster.Call_GET_METRICS, "get_metrics", c.GetMetrics},
		{mesosmaster.Call_SET_LOGGING_LEVEL, "set_logging_level", c.SetLoggingLevel},
		{mesosmaster.Call_LIST_FILES, "list_files", c.ListFiles},
		{mesosmaster.Call_READ_FILE, "read_file", c.ReadFile},
		{mesosmaster.Call_UPDATE_WEIGHTS, "update_weights", c.UpdateWeights},
		{mesosmaster.Call_RESERVE_RESOURCES, "reserve_resources", c.ReserveResources},
		{mesosmaster.Call_UNRESERVE_RESOURCES, "unreserve_resources", c.UnreserveResources},
		{mesosmaster.Call_CREATE_VOLUMES, "create_volumes", c.CreateVolumes},
		{mesosmaster.Call_DESTROY_VOLUMES, "destroy_volumes", c.DestroyVolumes},
		{mesosmaster.Call_GROW_VOLUME, "grow_volume", c.GrowVolume},
		{mesosmaster.Call_SHRINK_VOLUME, "shrink_volume", c.ShrinkVolume},
		{mesosmaster.Call_UPDATE_MAINTENANCE_SCHEDULE, "update_maintenance_schedule", c.UpdateMaintenanceSchedule},
		{mesosmaster.Call_START_MAINTENANCE, "start_maintenance", c.StartMaintenance},
		{mesosmaster.Call_STOP_MAINTENANCE, "stop_maintenance", c.StopMaintenance},
		{mesosmaster.Call_DRAIN_AGENT, "drain_agent", c.DrainAgent},
		{mesosmaster.Call_DEACTIVATE_AGENT, "deactivate_agent", c.DeactivateAgent},
		{mesosmaster.Call_REACTIVATE_AGENT, "reactivate_agent", c.ReactivateAgent},
		{mesosmaster.Call_UPDATE_QUOTA, "update_quota", c.UpdateQuota},
		{mesosmaster.Call_SET_QUOTA, "set_quota", c.SetQuota},
		{mesosmaster.Call_REMOVE_QUOTA, "remove_quota", c.RemoveQuota},
		{mesosmaster.Call_TEARDOWN, "teardown", c.Teardown},
		{mesosmaster.Call_MARK_AGENT_GONE, "mark_agent_gone", c.MarkAgentGone},
	} {
		if p.t == c.GetType() && !p.part.ProtoReflect().IsValid() {
			return p.name
		}
	}
	return ""
}
