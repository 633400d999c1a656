package httpapi

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// appendFrameworks writes /frameworks.
func appendFrameworks(b []byte, v *state.View, query asked) []byte {
	start := len(b)
	v = query.of(v)
	b = frameworkMembers(b, v, group(v), query.Get("framework_id"))
	b = append(key(b, "unregistered_frameworks"), '[', ']')
	return mesosjson.CloseObject(b, start)
}

// frameworkMembers writes the lists of frameworks; only "" shows all.
func frameworkMembers(b []byte, v *state.View, g *groups, only string) []byte {
	for _, list := range []struct {
		name  string
		table state.Table[state.Framework]
	}{{"frameworks", v.Frameworks}, {"completed_frameworks", v.CompletedFrameworks}} {
		b = key(b, list.name)
		start := len(b)
		for f := range list.table.All() {
			if only == "" || only == string(f.ID) {
				b = appendFramework(append(b, ','), f, g.of(f.ID))
			}
		}
		b = mesosjson.CloseList(b, start)
	}
	return b
}

func appendFramework(b []byte, f *state.Framework, g *frameworkGroup) []byte {
	start := len(b)
	b = summaryMembers(b, f)
	b = stringMember(b, "user", f.Info.GetUser())
	b = doubleMember(b, "failover_timeout", f.Info.GetFailoverTimeout())
	b = boolMember(b, "checkpoint", f.Info.GetCheckpoint())
	b = timeMember(b, "registered_time", f.Registered)
	b = timeMember(b, "unregistered_time", f.Unregistered)
	if f.Info.Principal != nil {
		b = stringMember(b, "principal", f.Info.GetPrincipal())
	}
	b = key(b, "resources")
	b = resources.Of(f.Used...).Add(resources.Of(f.Offered...)).AppendStateJSON(b)
	if !f.Registered.Equal(f.Reregistered) {
		b = timeMember(b, "reregistered_time", f.Reregistered)
	}
	if hasCapability(f.Info, mesos.FrameworkInfo_Capability_MULTI_ROLE) {
		b = listMember(b, "roles", f.Info.Roles, mesosjson.AppendString)
	} else {
		b = stringMember(b, "role", f.Info.GetRole())
	}
	b = listMember(b, "tasks", g.tasks, appendTask)
	b = listMember(b, "unreachable_tasks", g.unreachable, appendTask)
	b = listMember(b, "completed_tasks", g.completed, appendTask)
	b = listMember(b, "offers", g.offers, appendOffer)
	b = listMember(b, "executors", g.executors, appendExecutor)
	b = labelsMember(b, f.Info.Labels)
	b = key(b, "offer_constraints")
	b = f.Constraints.AppendMesosJSON(b)
	return mesosjson.CloseObject(b, start)
}

// summaryMembers is what /state-summary shows as well.
func summaryMembers(b []byte, f *state.Framework) []byte {
	b = stringMember(b, "id", string(f.ID))
	b = stringMember(b, "name", f.Info.GetName())
	if f.PID != "" {
		b = stringMember(b, "pid", string(f.PID))
	}
	b = resourcesMember(b, "used_resources", f.Used)
	b = resourcesMember(b, "offered_resources", f.Offered)
	b = listMember(b, "capabilities", f.Info.Capabilities, func(b []byte, c *mesos.FrameworkInfo_Capability) []byte {
		return mesosjson.AppendString(b, c.GetType().String())
	})
	b = stringMember(b, "hostname", f.Info.GetHostname())
	b = stringMember(b, "webui_url", f.Info.GetWebuiUrl())
	b = boolMember(b, "active", f.Active)
	b = boolMember(b, "connected", f.Connected)
	return boolMember(b, "recovered", f.Recovered)
}

func hasCapability(info *mesos.FrameworkInfo, want mesos.FrameworkInfo_Capability_Type) bool {
	for _, c := range info.GetCapabilities() {
		if c.GetType() == want {
			return true
		}
	}
	return false
}

func appendOffer(b []byte, o *state.Offer) []byte {
	start := len(b)
	b = stringMember(b, "id", o.Offer.GetId().GetValue())
	b = stringMember(b, "framework_id", o.Offer.GetFrameworkId().GetValue())
	b = key(b, "allocation_info")
	b = o.Offer.GetAllocationInfo().AppendMesosJSON(b)
	b = stringMember(b, "slave_id", o.Offer.GetAgentId().GetValue())
	b = resourcesMember(b, "resources", o.Offer.Resources)
	return mesosjson.CloseObject(b, start)
}

func appendExecutor(b []byte, e *state.Executor) []byte {
	start := len(b)
	b = stringMember(b, "executor_id", e.Info.GetExecutorId().GetValue())
	b = stringMember(b, "name", e.Info.GetName())
	b = stringMember(b, "framework_id", string(e.Framework))
	b = appendCommand(key(b, "command"), e.Info.GetCommand())
	b = resourcesMember(b, "resources", e.Info.Resources)
	if len(e.Info.Resources) > 0 {
		b = stringMember(b, "role", roleOf(e.Info.Resources))
	}
	b = labelsMember(b, e.Info.Labels)
	if e.Info.Type != nil {
		b = stringMember(b, "type", e.Info.GetType().String())
	}
	b = stringMember(b, "slave_id", string(e.Agent))
	return mesosjson.CloseObject(b, start)
}

func appendCommand(b []byte, c *mesos.CommandInfo) []byte {
	start := len(b)
	if c != nil && c.Shell != nil {
		b = boolMember(b, "shell", c.GetShell())
	}
	if c != nil && c.Value != nil {
		b = stringMember(b, "value", c.GetValue())
	}
	b = listMember(b, "argv", c.GetArguments(), mesosjson.AppendString)
	if c != nil && c.Environment != nil {
		b = messageMember(b, "environment", c.Environment)
	}
	b = listMember(b, "uris", c.GetUris(), func(b []byte, u *mesos.CommandInfo_URI) []byte {
		start := len(b)
		b = stringMember(b, "value", u.GetValue())
		b = boolMember(b, "executable", u.GetExecutable())
		return mesosjson.CloseObject(b, start)
	})
	return mesosjson.CloseObject(b, start)
}
