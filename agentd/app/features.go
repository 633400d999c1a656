package app

import (
	"encoding/json"
	"fmt"
	"slices"

	v1 "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// features are the capabilities of Mesos 1.11's agents: masters send messages of
// the newer protocols to agents that name them. Mesos requires all but the last.
var features = []v1.AgentInfo_Capability_Type{
	v1.AgentInfo_Capability_MULTI_ROLE,
	v1.AgentInfo_Capability_HIERARCHICAL_ROLE,
	v1.AgentInfo_Capability_RESERVATION_REFINEMENT,
	v1.AgentInfo_Capability_RESOURCE_PROVIDER,
	v1.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK,
	v1.AgentInfo_Capability_AGENT_DRAINING,
	v1.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
	v1.AgentInfo_Capability_RESIZE_VOLUME,
}

// capabilities are what --agent_features leaves of them, in the order of Mesos's
// numbers.
func (f *Flags) capabilities() ([]*v1.AgentInfo_Capability, error) {
	named := features
	if f.Features != nil {
		var in struct{ Capabilities []struct{ Type string } }
		if err := json.Unmarshal(*f.Features, &in); err != nil {
			return nil, fmt.Errorf("--agent_features: %w", err)
		}
		named = nil
		for _, c := range in.Capabilities {
			n, known := v1.AgentInfo_Capability_Type_value[c.Type]
			if !known || !slices.Contains(features, v1.AgentInfo_Capability_Type(n)) {
				return nil, fmt.Errorf("--agent_features: there is no feature %q", c.Type)
			}
			named = append(named, v1.AgentInfo_Capability_Type(n))
		}
		for _, required := range features[:len(features)-1] {
			if !slices.Contains(named, required) {
				return nil, fmt.Errorf("--agent_features: %s can't be left out", required)
			}
		}
	}
	var out []*v1.AgentInfo_Capability
	for _, c := range slices.Compact(slices.Sorted(slices.Values(named))) {
		out = append(out, &v1.AgentInfo_Capability{Type: &c})
	}
	return out, nil
}
