package httpapi

import (
	"context"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// visible returns the part of a View that who made the request may see: without
// the frameworks, executors, tasks, operations and resource providers that are
// hidden.
func (a *API) visible(ctx context.Context, v *state.View) *state.View {
	grants := a.grants(ctx)
	s := sight{grants.To(acl.ViewFramework), grants.To(acl.ViewExecutor), grants.To(acl.ViewTask), grants.To(acl.ViewRole)}
	providers := grants.May(acl.ViewResourceProvider, acl.Any)
	if s.frameworks.Always() && s.executors.Always() && s.tasks.Always() && s.roles.Always() && providers {
		return v
	}
	part := *v
	if !providers {
		part.Providers = nil
	}
	part.Frameworks, part.Completed = s.ofFrameworks(v.Frameworks), s.ofFrameworks(v.Completed)
	part.Operations = s.ofOperations(v.Operations)
	return &part
}

type sight struct{ frameworks, executors, tasks, roles acl.Approver }

// ofOperations keeps those whose every resource may be seen.
func (s sight) ofOperations(all []*mesos.Operation) []*mesos.Operation {
	if s.roles.Always() {
		return all
	}
	var seen []*mesos.Operation
	for _, o := range all {
		consumed, err := resources.Consumed(o.GetInfo())
		hidden := func(r *mesos.Resource) bool { return !s.roles.AllowRolesOf(r) }
		if err == nil && !slices.ContainsFunc(consumed.Proto(), hidden) {
			seen = append(seen, o)
		}
	}
	return seen
}

func (s sight) ofFrameworks(all []*state.Framework) []*state.Framework {
	var seen []*state.Framework
	for _, f := range all {
		if !s.frameworks.Allow(acl.User(f.Info.GetUser())) {
			continue
		}
		part := *f
		part.Executors, part.Completed = s.ofExecutors(f, f.Executors), s.ofExecutors(f, f.Completed)
		seen = append(seen, &part)
	}
	return seen
}

func (s sight) ofExecutors(f *state.Framework, all []*state.Executor) []*state.Executor {
	var seen []*state.Executor
	for _, e := range all {
		if !s.executors.Allow(acl.UserOfExecutor(e.Info, f.Info)) {
			continue
		}
		part := *e
		part.Launched, part.Terminated = s.ofTasks(f, e.Launched), s.ofTasks(f, e.Terminated)
		part.Completed = s.ofTasks(f, e.Completed)
		part.Queued = nil
		for _, t := range e.Queued {
			if s.tasks.Allow(acl.UserOfTask(t, f.Info)) {
				part.Queued = append(part.Queued, t)
			}
		}
		seen = append(seen, &part)
	}
	return seen
}

func (s sight) ofTasks(f *state.Framework, all []*mesos.Task) []*mesos.Task {
	var seen []*mesos.Task
	for _, t := range all {
		user := f.Info.GetUser()
		if t.User != nil {
			user = t.GetUser()
		}
		if s.tasks.Allow(acl.User(user)) {
			seen = append(seen, t)
		}
	}
	return seen
}

// containersSeen keeps the executors whose containers may be seen.
func (a *API) containersSeen(ctx context.Context, v *state.View, all []*state.Executor) []*state.Executor {
	view := a.grants(ctx).To(acl.ViewContainer)
	if view.Always() {
		return all
	}
	var seen []*state.Executor
	for _, e := range all {
		for _, f := range v.Frameworks {
			if f.ID == e.FrameworkID && view.Allow(acl.Container(&mesos.ContainerID{Value: &e.Container}, e.Info, f.Info)) {
				seen = append(seen, e)
			}
		}
	}
	return seen
}
