package httpapi

import (
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func appendTask(b []byte, t *mesos.Task) []byte {
	start := len(b)
	b = stringMember(b, "id", t.GetTaskId().GetValue())
	b = stringMember(b, "name", t.GetName())
	b = stringMember(b, "framework_id", t.GetFrameworkId().GetValue())
	b = stringMember(b, "executor_id", t.GetExecutorId().GetValue())
	b = stringMember(b, "slave_id", t.GetAgentId().GetValue())
	b = stringMember(b, "state", t.GetState().String())
	b = resourcesMember(b, "resources", t.Resources)
	if len(t.Limits) > 0 {
		b = appendLimits(key(b, "limits"), t.Limits)
	}
	b = stringMember(b, "role", roleOf(t.Resources))
	b = listMember(b, "statuses", t.Statuses, appendStatus)
	if t.User != nil {
		b = stringMember(b, "user", t.GetUser())
	}
	b = labelsMember(b, t.Labels)
	if t.Discovery != nil {
		b = messageMember(b, "discovery", t.Discovery)
	}
	if t.Container != nil {
		b = messageMember(b, "container", t.Container)
	}
	if t.HealthCheck != nil {
		b = messageMember(b, "health_check", t.HealthCheck)
	}
	return mesosjson.CloseObject(b, start)
}

// roleOf is the role that resources are allocated to, which is one for all of a
// task or executor.
func roleOf(rs []*mesos.Resource) string {
	if len(rs) == 0 {
		return ""
	}
	return rs[0].GetAllocationInfo().GetRole()
}

func appendLimits(b []byte, limits map[string]*mesos.Value_Scalar) []byte {
	start := len(b)
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		b = mesosjson.AppendString(append(b, ','), name)
		b = mesosjson.AppendDouble(append(b, ':'), limits[name].GetValue())
	}
	return mesosjson.CloseObject(b, start)
}

// labelsMember writes labels as a list, without the message around it.
func labelsMember(b []byte, l *mesos.Labels) []byte {
	if l == nil {
		return b
	}
	return listMember(b, "labels", l.Labels, appendMessage)
}

func appendStatus(b []byte, s *mesos.TaskStatus) []byte {
	start := len(b)
	b = stringMember(b, "state", s.GetState().String())
	b = doubleMember(b, "timestamp", s.GetTimestamp())
	b = labelsMember(b, s.Labels)
	if s.ContainerStatus != nil {
		b = appendContainerStatus(key(b, "container_status"), s.ContainerStatus)
	}
	if s.Healthy != nil {
		b = boolMember(b, "healthy", s.GetHealthy())
	}
	return mesosjson.CloseObject(b, start)
}

func appendContainerStatus(b []byte, s *mesos.ContainerStatus) []byte {
	start := len(b)
	if s.ContainerId != nil {
		b = messageMember(b, "container_id", s.ContainerId)
	}
	if len(s.NetworkInfos) > 0 {
		b = listMember(b, "network_infos", s.NetworkInfos, appendNetwork)
	}
	if s.CgroupInfo != nil {
		b = messageMember(b, "cgroup_info", s.CgroupInfo)
	}
	return mesosjson.CloseObject(b, start)
}

func appendNetwork(b []byte, n *mesos.NetworkInfo) []byte {
	start := len(b)
	if len(n.Groups) > 0 {
		b = listMember(b, "groups", n.Groups, mesosjson.AppendString)
	}
	b = labelsMember(b, n.Labels)
	if len(n.IpAddresses) > 0 {
		b = listMember(b, "ip_addresses", n.IpAddresses, appendMessage)
	}
	if n.Name != nil {
		b = stringMember(b, "name", n.GetName())
	}
	if len(n.PortMappings) > 0 {
		b = listMember(b, "port_mappings", n.PortMappings, appendMessage)
	}
	return mesosjson.CloseObject(b, start)
}
