package httpapi

import (
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// composeSlaves puts together /slaves.
func composeSlaves(b *body, v *state.View, query asked) {
	one := query.only("slave_id")
	b.open('{')
	b.member("slaves")
	b.open('[')
	agents := v.Agents
	if one.given {
		agents = agents.Filter(func(a *state.Agent) *state.Agent {
			if one.accepts(string(a.ID)) {
				return a
			}
			return nil
		})
	}
	agentElements(b, agents, formFull, query.visible, appendSlaveInFull)
	b.close(']')
	b.write(func(text []byte) []byte { return recoveredMember(text, v, one) })
	b.close('}')
}

// agentElements appends a form of agents. It is kept only as those see it who
// see all roles.
func agentElements(b *body, t state.Table[state.Agent], f state.Form, see visible, appendAgent func([]byte, *state.Agent, visible) []byte) {
	encode := element(func(text []byte, a *state.Agent) []byte { return appendAgent(text, a, see) })
	if see.roles.Always() {
		appendTable(b, t, f, encode)
		return
	}
	for a := range t.All() {
		b.write(func(text []byte) []byte { return encode(text, a) })
	}
}

// recoveredMember lists the agents that did not come back yet.
func recoveredMember(b []byte, v *state.View, one only) []byte {
	b = key(b, "recovered_slaves")
	list := len(b)
	for info := range v.RecoveredAgents.All() {
		if one.accepts(info.GetId().GetValue()) {
			start := len(b) + 1
			b = agentInfoMembers(append(b, ','), info)
			b = mesosjson.CloseObject(b, start)
		}
	}
	return mesosjson.CloseList(b, list)
}

func agentInfoMembers(b []byte, info *mesos.AgentInfo) []byte {
	b = stringMember(b, "id", info.GetId().GetValue())
	b = stringMember(b, "hostname", info.GetHostname())
	b = intMember(b, "port", int(info.GetPort()))
	b = attributesMember(b, info.Attributes)
	if info.Domain != nil {
		b = messageMember(b, "domain", info.Domain)
	}
	return b
}

// slaveMembers is an agent as /state shows it.
func slaveMembers(b []byte, a *state.Agent, see visible) []byte {
	total := resources.Of(a.Total...)
	b = agentInfoMembers(b, a.Info)
	b = stringMember(b, "pid", string(a.PID))
	b = timeMember(b, "registered_time", a.Registered)
	if !a.Reregistered.IsZero() {
		b = timeMember(b, "reregistered_time", a.Reregistered)
	}
	b = total.AppendStateJSON(key(b, "resources"))
	b = resourcesMember(b, "used_resources", a.Used)
	b = resourcesMember(b, "offered_resources", a.Offered)
	b = resources.AppendStateJSONByRole(key(b, "reserved_resources"), reservations(total, see))
	b = total.Unreserved().AppendStateJSON(key(b, "unreserved_resources"))
	b = boolMember(b, "active", a.Active)
	b = boolMember(b, "deactivated", a.Deactivated)
	b = stringMember(b, "version", a.Version)
	b = listMember(b, "capabilities", a.Capabilities, func(b []byte, c *mesos.AgentInfo_Capability) []byte {
		return mesosjson.AppendString(b, c.GetType().String())
	})
	if a.Drain == nil {
		return b
	}
	b = messageMember(b, "drain_info", a.Drain)
	if !a.DrainStarted.IsZero() {
		b = timeMember(b, "estimated_drain_start_time_seconds", a.DrainStarted)
	}
	return b
}

func appendSlave(b []byte, a *state.Agent, see visible) []byte {
	start := len(b)
	return mesosjson.CloseObject(slaveMembers(b, a, see), start)
}

// appendSlaveInFull adds the resources as messages: what operators need to name
// reservations and volumes.
func appendSlaveInFull(b []byte, a *state.Agent, see visible) []byte {
	start := len(b)
	b = slaveMembers(b, a, see)
	total := resources.Of(a.Total...)
	b = key(b, "reserved_resources_full")
	object := len(b)
	byRole := reservations(total, see)
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		b = mesosjson.AppendString(append(b, ','), role)
		b = appendFull(append(b, ':'), see.resources(byRole[role].Proto()))
	}
	b = mesosjson.CloseObject(b, object)
	b = appendFull(key(b, "unreserved_resources_full"), see.resources(total.Unreserved().Proto()))
	b = appendFull(key(b, "used_resources_full"), see.resources(a.Used))
	b = appendFull(key(b, "offered_resources_full"), see.resources(a.Offered))
	return mesosjson.CloseObject(b, start)
}

// reservations are those for roles that may be seen.
func reservations(total resources.Resources, see visible) map[string]resources.Resources {
	byRole := total.ByReservation()
	if !see.roles.Always() {
		maps.DeleteFunc(byRole, func(role string, _ resources.Resources) bool { return !see.role(role) })
	}
	return byRole
}

// appendFull writes resources as messages, with both forms of reservations.
func appendFull(b []byte, rs []*mesos.Resource) []byte {
	start := len(b)
	for _, r := range resources.Endpoint(rs) {
		b = r.AppendMesosJSON(append(b, ','))
	}
	return mesosjson.CloseList(b, start)
}
