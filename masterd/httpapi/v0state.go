package httpapi

import (
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// composeState puts together /state: the whole master.
func (a *API) composeState(b *body, v *state.View, query asked) {
	b.open('{')
	b.write(func(text []byte) []byte { return a.masterMembers(text, v, query.visible) })
	b.member("slaves")
	b.open('[')
	agentElements(b, v.Agents, formV0, query.visible, appendSlave)
	b.close(']')
	b.write(func(text []byte) []byte { return recoveredMember(text, v, only{}) })
	seen := query.of(v)
	frameworkMembers(b, seen, group(b, seen, only{}), only{})
	// Both are always empty since Mesos 1.0, and clients still look.
	b.write(func(text []byte) []byte { return append(text, `,"orphan_tasks":[],"unregistered_frameworks":[]`...) })
	b.close('}')
}

// masterMembers is what /state says of the master itself.
func (a *API) masterMembers(b []byte, v *state.View, see visible) []byte {
	b = versionMembers(b)
	b = timeMember(b, "start_time", a.cfg.Started)
	b = timeMember(b, "elected_time", v.Elected)
	b = stringMember(b, "id", v.Master.GetId())
	b = stringMember(b, "pid", v.Master.GetPid())
	b = stringMember(b, "hostname", v.Master.GetHostname())
	b = listMember(b, "capabilities", v.Master.Capabilities, func(b []byte, c *mesos.MasterInfo_Capability) []byte {
		return mesosjson.AppendString(b, c.GetType().String())
	})
	b = agentCounts(b, v)
	if v.Master.Domain != nil {
		b = messageMember(b, "domain", v.Master.Domain)
	}
	b = stringMember(b, "leader", v.Master.GetPid())
	b = appendLeader(key(b, "leader_info"), v.Master)
	return a.flagMembers(b, see)
}

// agentCounts are doubles, as everything that Mesos takes from its metrics.
func agentCounts(b []byte, v *state.View) []byte {
	active := 0
	for agent := range v.Agents.All() {
		if agent.Active {
			active++
		}
	}
	b = doubleMember(b, "activated_slaves", float64(active))
	b = doubleMember(b, "deactivated_slaves", float64(v.Agents.Len()-active))
	return doubleMember(b, "unreachable_slaves", float64(v.UnreachableAgents.Len()))
}

func appendLeader(b []byte, m *mesos.MasterInfo) []byte {
	start := len(b)
	b = stringMember(b, "id", m.GetId())
	b = stringMember(b, "pid", m.GetPid())
	b = intMember(b, "port", int(m.GetPort()))
	b = stringMember(b, "hostname", m.GetHostname())
	if m.Domain != nil {
		b = messageMember(b, "domain", m.Domain)
	}
	return mesosjson.CloseObject(b, start)
}

func (a *API) flagMembers(b []byte, see visible) []byte {
	if !see.flags.Allow(acl.Any) {
		return b
	}
	for _, f := range []struct{ name, value string }{
		{"cluster", a.cfg.Cluster}, {"log_dir", a.cfg.LogDir}, {"external_log_file", a.cfg.ExternalLogFile},
	} {
		if f.value != "" {
			b = stringMember(b, f.name, f.value)
		}
	}
	return append(key(b, "flags"), a.flags...)
}

func appendFlags(b []byte, flags map[string]string) []byte {
	start := len(b)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		b = mesosjson.AppendString(append(b, ','), name)
		b = mesosjson.AppendString(append(b, ':'), flags[name])
	}
	return mesosjson.CloseObject(b, start)
}
