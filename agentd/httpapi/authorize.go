package httpapi

import (
	"context"
	"net/http"

	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// grants are those of who made the request.
func (a *API) grants(ctx context.Context) *acl.Grants {
	return a.cfg.Authorizer.For(auth.FromContext(ctx))
}

var errForbidden = refuse(http.StatusForbidden, "")

// authorized keeps a handler from those who may not get its path, as
// get_endpoints names it.
func (a *API) authorized(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.grants(r.Context()).May(acl.GetEndpoint, acl.Path(path)) {
			text(w, http.StatusForbidden, "")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// mayCall says whether a call is allowed as such. Calls that read leave out of
// their answers what may not be seen.
func (a *API) mayCall(ctx context.Context, call *agent.Call) error {
	grants, allowed := a.grants(ctx), true
	switch call.GetType() {
	case agent.Call_GET_FLAGS:
		allowed = grants.May(acl.ViewFlags, acl.Any)
	case agent.Call_SET_LOGGING_LEVEL:
		allowed = grants.May(acl.SetLogLevel, acl.Any)
	case agent.Call_PRUNE_IMAGES:
		allowed = grants.May(acl.PruneImages, acl.Any)
	case agent.Call_ADD_RESOURCE_PROVIDER_CONFIG, agent.Call_UPDATE_RESOURCE_PROVIDER_CONFIG,
		agent.Call_REMOVE_RESOURCE_PROVIDER_CONFIG:
		allowed = grants.May(acl.ModifyResourceProviderConfig, acl.Any)
	case agent.Call_MARK_RESOURCE_PROVIDER_GONE:
		allowed = grants.May(acl.MarkResourceProviderGone, acl.Any)
	default:
		if about := containerOf(call); about != nil {
			return a.mayDeal(ctx, grants, about)
		}
	}
	if !allowed {
		return errForbidden
	}
	return nil
}

// containerCall is what a call does to one container: to a nested one, or to one
// that has no executor.
type containerCall struct {
	id                 *mesos.ContainerID
	nested, standalone acl.Action
	command            *mesos.CommandInfo // of a launch
	launches           bool
}

// containerOf returns nil for calls that are not about one container.
func containerOf(call *agent.Call) *containerCall {
	launch := func(id *mesos.ContainerID, c *mesos.CommandInfo, nested acl.Action) *containerCall {
		return &containerCall{id, nested, acl.LaunchStandaloneContainer, c, true}
	}
	about := func(id *mesos.ContainerID, nested, standalone acl.Action) *containerCall {
		return &containerCall{id: id, nested: nested, standalone: standalone}
	}
	switch call.GetType() {
	case agent.Call_LAUNCH_CONTAINER:
		return launch(call.GetLaunchContainer().GetContainerId(), call.GetLaunchContainer().GetCommand(), acl.LaunchNestedContainer)
	case agent.Call_LAUNCH_NESTED_CONTAINER:
		c := call.GetLaunchNestedContainer()
		return launch(c.GetContainerId(), c.GetCommand(), acl.LaunchNestedContainer)
	case agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		c := call.GetLaunchNestedContainerSession()
		return launch(c.GetContainerId(), c.GetCommand(), acl.LaunchNestedContainerSession)
	case agent.Call_WAIT_CONTAINER:
		return about(call.GetWaitContainer().GetContainerId(), acl.WaitNestedContainer, acl.WaitStandaloneContainer)
	case agent.Call_WAIT_NESTED_CONTAINER:
		return about(call.GetWaitNestedContainer().GetContainerId(), acl.WaitNestedContainer, acl.WaitStandaloneContainer)
	case agent.Call_KILL_CONTAINER:
		return about(call.GetKillContainer().GetContainerId(), acl.KillNestedContainer, acl.KillStandaloneContainer)
	case agent.Call_KILL_NESTED_CONTAINER:
		return about(call.GetKillNestedContainer().GetContainerId(), acl.KillNestedContainer, acl.KillStandaloneContainer)
	case agent.Call_REMOVE_CONTAINER:
		return about(call.GetRemoveContainer().GetContainerId(), acl.RemoveNestedContainer, acl.RemoveStandaloneContainer)
	case agent.Call_REMOVE_NESTED_CONTAINER:
		return about(call.GetRemoveNestedContainer().GetContainerId(), acl.RemoveNestedContainer, acl.RemoveStandaloneContainer)
	case agent.Call_ATTACH_CONTAINER_OUTPUT:
		return about(call.GetAttachContainerOutput().GetContainerId(), acl.AttachContainerOutput, acl.AttachContainerOutput)
	case agent.Call_ATTACH_CONTAINER_INPUT:
		return about(call.GetAttachContainerInput().GetContainerId(), acl.AttachContainerInput, acl.AttachContainerInput)
	}
	return nil
}

// mayDeal decides about one container: by the executor at its root, or by the
// rules for standalone ones if there is none.
func (a *API) mayDeal(ctx context.Context, grants *acl.Grants, c *containerCall) error {
	nested, standalone := grants.To(c.nested), grants.To(c.standalone)
	if nested.Always() && standalone.Always() {
		return nil
	}
	v, err := a.cfg.Engine.View(ctx)
	if err != nil {
		return err
	}
	var allowed bool
	switch framework, executor := executorOf(v, c.id); {
	case executor == nil:
		allowed = standalone.Allow(acl.Standalone(c.id))
	case c.launches:
		allowed = nested.Allow(acl.NestedLaunch(c.id, c.command, executor.Info, framework.Info))
	default:
		allowed = nested.Allow(acl.Container(c.id, executor.Info, framework.Info))
	}
	if !allowed {
		return errForbidden
	}
	return nil
}

// executorOf finds the executor whose container is at the root of another.
func executorOf(v *state.View, id *mesos.ContainerID) (*state.Framework, *state.Executor) {
	for id.GetParent() != nil {
		id = id.GetParent()
	}
	for _, f := range v.Frameworks {
		for _, e := range f.Executors {
			if e.Container == id.GetValue() {
				return f, e
			}
		}
	}
	return nil, nil
}
