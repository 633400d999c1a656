package httpapi

import (
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// The shapes that v0 endpoints give to what they show.

// resources writes amounts by name.
func (w *writer) resources(name string, rs []*mesos.Resource) { w.amounts(name, resources.Of(rs...)) }

func (w *writer) amounts(name string, rs resources.Resources) {
	w.key(name)
	w.b = rs.AppendStateJSON(w.b)
}

// reservations writes what is reserved, by role.
func (w *writer) reservations(name string, rs resources.Resources) {
	w.key(name)
	w.b = resources.AppendStateJSONByRole(w.b, w.byRole(rs))
}

// byRole are the reservations for roles that may be seen.
func (w *writer) byRole(rs resources.Resources) map[string]resources.Resources {
	byRole := rs.ByReservation()
	if !w.roles.Always() {
		maps.DeleteFunc(byRole, func(role string, _ resources.Resources) bool { return !w.roles.Allow(acl.Role(role)) })
	}
	return byRole
}

func (w *writer) full(name string, rs resources.Resources) {
	messageList(w, name, resources.Endpoint(rs.Proto()))
}

func (w *writer) attributes(name string, as []*mesos.Attribute) {
	w.object(name, func() {
		for _, a := range as {
			switch a.GetType() {
			case mesos.Value_SCALAR:
				w.double(a.GetName(), a.GetScalar().GetValue())
			case mesos.Value_RANGES:
				w.string(a.GetName(), resources.RangesFromProto(a.GetRanges()).String())
			case mesos.Value_SET:
				w.string(a.GetName(), resources.SetOf(a.GetSet().GetItem()...).String())
			case mesos.Value_TEXT:
				w.string(a.GetName(), a.GetText().GetValue())
			}
		}
	})
}

func (w *writer) framework(f *state.Framework) {
	w.string("id", f.ID)
	w.string("name", f.Info.GetName())
	w.string("user", f.Info.GetUser())
	w.double("failover_timeout", f.Info.GetFailoverTimeout())
	w.bool("checkpoint", f.Info.GetCheckpoint())
	w.string("hostname", f.Info.GetHostname())
	if f.Info.Principal != nil {
		w.string("principal", f.Info.GetPrincipal())
	}
	if isMultiRole(f.Info) {
		w.list("roles", func() {
			for _, role := range f.Info.GetRoles() {
				w.elementString(role)
			}
		})
	} else {
		w.string("role", f.Info.GetRole())
	}
	w.list("executors", func() { w.executors(f.Executors) })
	w.list("completed_executors", func() { w.executors(f.Completed) })
}

func isMultiRole(f *mesos.FrameworkInfo) bool {
	return slices.ContainsFunc(f.GetCapabilities(), func(c *mesos.FrameworkInfo_Capability) bool {
		return c.GetType() == mesos.FrameworkInfo_Capability_MULTI_ROLE
	})
}

func (w *writer) executors(es []*state.Executor) {
	for _, e := range es {
		w.element(func() { w.executor(e) })
	}
}

func (w *writer) executor(e *state.Executor) {
	w.string("id", e.ID)
	w.string("name", e.Info.GetName())
	w.string("source", e.Info.GetSource())
	w.string("container", e.Container)
	w.string("directory", e.Directory)
	w.resources("resources", e.Resources)
	w.role(e.Info.GetResources())
	if e.Info.Labels != nil {
		messageList(w, "labels", e.Info.GetLabels().GetLabels())
	}
	if e.Info.Type != nil {
		w.string("type", e.Info.GetType().String())
	}
	w.list("tasks", func() { w.tasks(e.Launched) })
	w.list("queued_tasks", func() {
		for _, t := range e.Queued {
			w.element(func() { w.queued(t) })
		}
	})
	w.list("completed_tasks", func() {
		w.tasks(e.Completed)
		w.tasks(e.Terminated)
	})
}

// role writes whom resources are allocated to; those of one task or executor are
// all of one role.
func (w *writer) role(rs []*mesos.Resource) {
	if len(rs) > 0 {
		w.string("role", rs[0].GetAllocationInfo().GetRole())
	}
}

func (w *writer) queued(t *mesos.TaskInfo) {
	w.string("id", t.GetTaskId().GetValue())
	w.string("name", t.GetName())
	w.string("slave_id", t.GetAgentId().GetValue())
	w.resources("resources", t.GetResources())
	w.role(t.GetResources())
	if t.Command != nil {
		w.object("command", func() { w.command(t.GetCommand()) })
	}
	if t.Executor != nil {
		w.string("executor_id", t.GetExecutor().GetExecutorId().GetValue())
	}
	if t.Discovery != nil {
		w.message("discovery", t.GetDiscovery())
	}
}

func (w *writer) command(c *mesos.CommandInfo) {
	if c.Shell != nil {
		w.bool("shell", c.GetShell())
	}
	if c.Value != nil {
		w.string("value", c.GetValue())
	}
	w.list("argv", func() {
		for _, arg := range c.GetArguments() {
			w.elementString(arg)
		}
	})
	if c.Environment != nil {
		w.message("environment", c.GetEnvironment())
	}
	w.list("uris", func() {
		for _, u := range c.GetUris() {
			w.element(func() {
				w.string("value", u.GetValue())
				w.bool("executable", u.GetExecutable())
			})
		}
	})
}

func (w *writer) tasks(ts []*mesos.Task) {
	for _, t := range ts {
		w.element(func() { w.task(t) })
	}
}

func (w *writer) task(t *mesos.Task) {
	w.string("id", t.GetTaskId().GetValue())
	w.string("name", t.GetName())
	w.string("framework_id", t.GetFrameworkId().GetValue())
	w.string("executor_id", t.GetExecutorId().GetValue())
	w.string("slave_id", t.GetAgentId().GetValue())
	w.string("state", t.GetState().String())
	w.resources("resources", t.GetResources())
	if len(t.GetLimits()) > 0 {
		w.object("limits", func() {
			for _, name := range slices.Sorted(maps.Keys(t.GetLimits())) {
				w.double(name, t.GetLimits()[name].GetValue())
			}
		})
	}
	w.role(t.GetResources())
	w.list("statuses", func() {
		for _, s := range t.GetStatuses() {
			w.element(func() { w.status(s) })
		}
	})
	if t.User != nil {
		w.string("user", t.GetUser())
	}
	if t.Labels != nil {
		messageList(w, "labels", t.GetLabels().GetLabels())
	}
	if t.Discovery != nil {
		w.message("discovery", t.GetDiscovery())
	}
	if t.Container != nil {
		w.message("container", t.GetContainer())
	}
	if t.HealthCheck != nil {
		w.message("health_check", t.GetHealthCheck())
	}
}

func (w *writer) status(s *mesos.TaskStatus) {
	w.string("state", s.GetState().String())
	w.double("timestamp", s.GetTimestamp())
	if s.Labels != nil {
		messageList(w, "labels", s.GetLabels().GetLabels())
	}
	if s.ContainerStatus != nil {
		w.object("container_status", func() { w.containerStatus(s.GetContainerStatus()) })
	}
	if s.Healthy != nil {
		w.bool("healthy", s.GetHealthy())
	}
}

func (w *writer) containerStatus(s *mesos.ContainerStatus) {
	if s.ContainerId != nil {
		w.message("container_id", s.GetContainerId())
	}
	if len(s.GetNetworkInfos()) > 0 {
		w.list("network_infos", func() {
			for _, n := range s.GetNetworkInfos() {
				w.element(func() { w.network(n) })
			}
		})
	}
	if s.CgroupInfo != nil {
		w.message("cgroup_info", s.GetCgroupInfo())
	}
}

func (w *writer) network(n *mesos.NetworkInfo) {
	if len(n.GetGroups()) > 0 {
		w.list("groups", func() {
			for _, g := range n.GetGroups() {
				w.elementString(g)
			}
		})
	}
	if n.Labels != nil {
		messageList(w, "labels", n.GetLabels().GetLabels())
	}
	if len(n.GetIpAddresses()) > 0 {
		messageList(w, "ip_addresses", n.GetIpAddresses())
	}
	if n.Name != nil {
		w.string("name", n.GetName())
	}
	if len(n.GetPortMappings()) > 0 {
		messageList(w, "port_mappings", n.GetPortMappings())
	}
}
