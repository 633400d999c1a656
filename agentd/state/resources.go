package state

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func sum(lists ...[]*mesos.Resource) []*mesos.Resource {
	var out []*mesos.Resource
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func (m *Machine) total() []*mesos.Resource        { return m.info.GetResources() }
func (m *Machine) checkpointed() []*mesos.Resource { return m.resources }
func (m *Machine) unknownResources(*launch) string { return "" }
func (m *Machine) recoverResources(s *Snapshot) error {
	m.resources = s.Resources
	return nil
}
func (m *Machine) operationList() []*mesos.Operation { return nil }

func compatible(policy string, before, now *mesos.AgentInfo) error {
	if policy == "any" || proto.Equal(before, now) {
		return nil
	}
	return fmt.Errorf("incompatible")
}
