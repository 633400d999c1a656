package httpapi

import (
	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// visible is what one principal may see of the cluster. Frameworks with their
// tasks, executors and offers are left out of the View that answers are written
// from (of); what agents and roles show is up to whoever writes them (role,
// resources). The zero visible sees everything.
//
// Whoever keeps encoded pieces asks everything first: pieces of records that
// are themselves shown whole can be used for all principals, an answer as a
// whole only for those who see everything.
type visible struct {
	frameworks, tasks, executors, roles, quotas acl.Approver
	flags, schedule, maintenance                acl.Approver
}

// visibleTo is what a principal may see.
func (a *API) visibleTo(principal string) visible {
	grants := a.cfg.Authorizer.ForName(principal)
	return visible{
		frameworks: grants.To(acl.ViewFramework),
		tasks:      grants.To(acl.ViewTask),
		executors:  grants.To(acl.ViewExecutor),
		roles:      grants.To(acl.ViewRole),
		quotas:     grants.To(acl.GetQuota),
		flags:      grants.To(acl.ViewFlags),

		schedule:    grants.To(acl.GetMaintenanceSchedule),
		maintenance: grants.To(acl.GetMaintenanceStatus),
	}
}

// everything says that nothing is hidden, so that no other method need be asked.
func (s visible) everything() bool {
	return s.records() && s.roles.Always() && s.quotas.Always() && s.flags.Always() && s.schedule.Always() && s.maintenance.Always()
}

// records says that of returns the View as it is.
func (s visible) records() bool {
	return s.frameworks.Always() && s.tasks.Always() && s.executors.Always()
}

// of returns the part of a View that may be seen: without the frameworks that
// are hidden and all they have, and without hidden tasks and executors. Tables
// that lose nothing are shared with the View.
func (s visible) of(v *state.View) *state.View {
	if s.records() {
		return v
	}
	part := *v
	infos := map[state.FrameworkID]*mesos.FrameworkInfo{} // of those that are seen
	seen := func(f *state.Framework) *state.Framework {
		if !s.frameworks.Allow(acl.User(f.Info.GetUser())) {
			return nil
		}
		infos[f.ID] = f.Info
		return f
	}
	part.Frameworks = v.Frameworks.Filter(seen)
	part.CompletedFrameworks = v.CompletedFrameworks.Filter(seen)
	task := func(t *mesos.Task) *mesos.Task {
		if s.task(t, infos[state.FrameworkID(t.GetFrameworkId().GetValue())]) {
			return t
		}
		return nil
	}
	part.Tasks = v.Tasks.Filter(task)
	part.UnreachableTasks = v.UnreachableTasks.Filter(task)
	part.CompletedTasks = v.CompletedTasks.Filter(task)
	part.Executors = v.Executors.Filter(func(e *state.Executor) *state.Executor {
		if info := infos[e.Framework]; info == nil || !s.executors.Allow(acl.UserOfExecutor(e.Info, info)) {
			return nil
		}
		return e
	})
	part.Offers = v.Offers.Filter(func(o *state.Offer) *state.Offer {
		if infos[state.FrameworkID(o.Offer.GetFrameworkId().GetValue())] == nil {
			return nil
		}
		return o
	})
	return &part
}

// task says whether a task may be seen. framework is nil if its framework may
// not.
func (s visible) task(t *mesos.Task, framework *mesos.FrameworkInfo) bool {
	if framework == nil {
		return false
	}
	user := framework.GetUser()
	if t.User != nil {
		user = t.GetUser()
	}
	return s.tasks.Allow(acl.User(user))
}

// role says whether a role may be seen.
func (s visible) role(name string) bool { return s.roles.Allow(acl.Role(name)) }

// quota says whether a role's quota may be seen.
func (s visible) quota(name string) bool { return s.quotas.Allow(acl.Role(name)) }

// resource says whether a resource may be seen: every role that it is reserved
// for or allocated to must be.
func (s visible) resource(r *mesos.Resource) bool { return s.roles.AllowRolesOf(r) }

// resources returns those that may be seen.
func (s visible) resources(rs []*mesos.Resource) []*mesos.Resource {
	if s.roles.Always() {
		return rs
	}
	var seen []*mesos.Resource
	for _, r := range rs {
		if s.resource(r) {
			seen = append(seen, r)
		}
	}
	return seen
}

// agentInfo is an agent without the resources that may not be seen.
func (s visible) agentInfo(info *mesos.AgentInfo) *mesos.AgentInfo {
	seen := s.resources(info.Resources)
	if len(seen) == len(info.Resources) {
		return info
	}
	part := proto.CloneOf(info)
	part.Resources = seen
	return part
}
