package httpapi

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// appendAgentResponse writes an agent as the messages have it, with its own
// AgentInfo.
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
	if len(r.ResourceProviders) > 0 {
		b = listMember(b, "resource_providers", r.ResourceProviders, appendMessage)
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
