package httpapi

import (
	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// composeFrameworks puts together /frameworks.
func composeFrameworks(b *body, v *state.View, query asked) {
	one := query.only("framework_id")
	v = query.of(v)
	b.open('{')
	frameworkMembers(b, v, group(b, v, one), one)
	b.write(func(text []byte) []byte { return append(key(text, "unregistered_frameworks"), '[', ']') })
	b.close('}')
}

// frameworkMembers appends the lists of frameworks, all or one.
func frameworkMembers(b *body, v *state.View, g *groups, one only) {
	for _, list := range []struct {
		name  string
		table state.Table[state.Framework]
	}{{"frameworks", v.Frameworks}, {"completed_frameworks", v.CompletedFrameworks}} {
		b.member(list.name)
		b.open('[')
		for f := range list.table.All() {
			if one.accepts(string(f.ID)) {
				b.write(func(text []byte) []byte { return append(text, ',') })
				composeFramework(b, f, g.of(f.ID))
			}
		}
		b.close(']')
	}
}

// composeFramework puts together a framework with all it has.
func composeFramework(b *body, f *state.Framework, g *frameworkGroup) {
	b.open('{')
	b.write(func(text []byte) []byte { return frameworkFacts(text, f) })
	for _, list := range []struct {
		name     string
		elements *elements
	}{
		{"tasks", &g.tasks}, {"unreachable_tasks", &g.unreachable}, {"completed_tasks", &g.completed},
		{"offers", &g.offers}, {"executors", &g.executors},
	} {
		b.member(list.name)
		b.open('[')
		for e := range list.elements.all() {
			b.keep(e)
			b.step()
		}
		b.close(']')
	}
	b.write(func(text []byte) []byte {
		text = labelsMember(text, f.Info.Labels)
		return f.Constraints.AppendMesosJSON(key(text, "offer_constraints"))
	})
	b.close('}')
}

// frameworkFacts is what a framework is by itself.
func frameworkFacts(b []byte, f *state.Framework) []byte {
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
		return listMember(b, "roles", f.Info.Roles, mesosjson.AppendString)
	}
	return stringMember(b, "role", f.Info.GetRole())
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
