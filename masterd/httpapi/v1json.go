package httpapi

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// The JSON of GET_* answers is written straight from a View: no list of all
// tasks is built only to be encoded, and lists are there when they are empty,
// as Mesos has them.

func appendGetState(b []byte, v *state.View, see visible) []byte {
	start := len(b)
	b = appendGetTasks(key(b, "get_tasks"), v)
	b = appendGetExecutors(key(b, "get_executors"), v)
	b = appendGetFrameworks(key(b, "get_frameworks"), v)
	b = appendGetAgents(key(b, "get_agents"), v, see)
	return mesosjson.CloseObject(b, start)
}

// tableMember writes the records of a table.
func tableMember[T any](b []byte, name string, t state.Table[T], appendItem func([]byte, *T) []byte) []byte {
	b = key(b, name)
	start := len(b)
	for r := range t.All() {
		b = appendItem(append(b, ','), r)
	}
	return mesosjson.CloseList(b, start)
}

func appendGetTasks(b []byte, v *state.View) []byte {
	start := len(b)
	b = tableMember(b, "tasks", v.Tasks, appendMessage[*mesos.Task])
	b = tableMember(b, "unreachable_tasks", v.UnreachableTasks, appendMessage[*mesos.Task])
	b = tableMember(b, "completed_tasks", v.CompletedTasks, appendMessage[*mesos.Task])
	return mesosjson.CloseObject(b, start)
}

func appendGetExecutors(b []byte, v *state.View) []byte {
	start := len(b)
	b = tableMember(b, "executors", v.Executors, func(b []byte, e *state.Executor) []byte {
		return executorResponse(e).AppendMesosJSON(b)
	})
	return mesosjson.CloseObject(b, start)
}

func appendGetFrameworks(b []byte, v *state.View) []byte {
	offers := offersOf(v)
	one := func(b []byte, f *state.Framework) []byte {
		return frameworkResponse(f, offers[f.ID]).AppendMesosJSON(b)
	}
	start := len(b)
	b = tableMember(b, "frameworks", v.Frameworks, one)
	b = tableMember(b, "completed_frameworks", v.CompletedFrameworks, one)
	return mesosjson.CloseObject(b, start)
}

func appendGetAgents(b []byte, v *state.View, see visible) []byte {
	start := len(b)
	b = tableMember(b, "agents", v.Agents, func(b []byte, a *state.Agent) []byte {
		return appendAgentResponse(b, a, see)
	})
	b = tableMember(b, "recovered_agents", v.RecoveredAgents.Filter(see.agentInfo), appendAgentInfo)
	return mesosjson.CloseObject(b, start)
}

func appendAgentResponse(b []byte, a *state.Agent, see visible) []byte {
	start := len(b)
	b = appendAgentInfo(key(b, "agent_info"), a.Info)
	b = boolMember(b, "active", a.Active)
	b = boolMember(b, "deactivated", a.Deactivated)
	b = stringMember(b, "version", a.Version)
	b = stringMember(b, "pid", string(a.PID))
	r := agentResponse(a, see)
	if r.RegisteredTime != nil {
		b = messageMember(b, "registered_time", r.RegisteredTime)
	}
	if r.ReregisteredTime != nil {
		b = messageMember(b, "reregistered_time", r.ReregisteredTime)
	}
	b = resourceList(b, "total_resources", see.resources(a.Total))
	b = resourceList(b, "allocated_resources", see.resources(a.Used))
	b = resourceList(b, "offered_resources", see.resources(a.Offered))
	if len(a.Capabilities) > 0 {
		b = listMember(b, "capabilities", a.Capabilities, appendMessage)
	}
	if a.Drain != nil {
		b = messageMember(b, "drain_info", a.Drain)
	}
	if r.EstimatedDrainStartTime != nil {
		b = messageMember(b, "estimated_drain_start_time", r.EstimatedDrainStartTime)
	}
	return mesosjson.CloseObject(b, start)
}

func resourceList(b []byte, name string, rs []*mesos.Resource) []byte {
	if len(rs) == 0 {
		return b
	}
	return listMember(b, name, resources.Endpoint(rs), appendMessage)
}

// appendAgentInfo adds a member that the v1 message doesn't have and that
// Mesos writes all the same: its JSON is made from the v0 message.
func appendAgentInfo(b []byte, info *mesos.AgentInfo) []byte {
	b = info.AppendMesosJSON(b)
	b = append(b[:len(b)-1], `,"checkpoint":`...) // never empty: hostname is required
	b = mesosjson.AppendBool(b, checkpoints(info))
	return append(b, '}')
}

// checkpointField is the number of SlaveInfo.checkpoint, which v1 has no name
// for.
const checkpointField = 7

// checkpoints reads what an agent said about checkpointing. Every agent since
// Mesos 1.0 does it, so one that says nothing does it too.
func checkpoints(info *mesos.AgentInfo) bool {
	for b := info.ProtoReflect().GetUnknown(); len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		if number == checkpointField && kind == protowire.VarintType {
			value, _ := protowire.ConsumeVarint(b[n:])
			return value != 0
		}
		m := protowire.ConsumeFieldValue(number, kind, b[n:])
		if m < 0 {
			break
		}
		b = b[n+m:]
	}
	return true
}

var noConstraints = &scheduler.OfferConstraints{}
