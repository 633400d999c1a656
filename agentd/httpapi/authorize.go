package httpapi

import (
	"context"
	"net/http"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
)

// grants are those of who made the request.
func (a *API) grants(ctx context.Context) *acl.Grants {
	return a.cfg.Authorizer.For(auth.FromContext(ctx))
}

var errForbidden = refuse(http.StatusForbidden, "%s", httpserver.Refusal(http.StatusForbidden))

// onlyGet refuses methods that no ACL speaks of. As in Mesos it is only with ACLs
// that the endpoints care.
func (a *API) onlyGet(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.cfg.Authorizer != nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", http.MethodGet)
			text(w, http.StatusMethodNotAllowed, "Expecting one of { 'GET' }, but received '"+r.Method+"'")
			return
		}
		h(w, r)
	})
}

// authorized keeps a handler from those who may not get its path, as
// get_endpoints names it.
func (a *API) authorized(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.grants(r.Context()).May(acl.GetEndpoint, acl.Path(path)) {
			httpserver.Refuse(w, http.StatusForbidden)
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

// containerCall is what a call does to one container.
type containerCall struct {
	id     *mesos.ContainerID
	action acl.Action
	use    containerUse
	// command is that of a launch.
	command *mesos.CommandInfo
}

type containerUse uint8

const (
	deals    containerUse = iota // waits for, kills or removes it
	launches                     // makes it
	attaches                     // to its input or output; only executors' containers have such
)

// either is the action for calls that exist for both kinds of containers: which
// one is meant is told by the ID, not by what the container turns out to be.
func either(id *mesos.ContainerID, nested, standalone acl.Action) acl.Action {
	if id.GetParent() != nil {
		return nested
	}
	return standalone
}

// containerOf returns nil for calls that are not about one container.
func containerOf(call *agent.Call) *containerCall {
	launch := func(id *mesos.ContainerID, c *mesos.CommandInfo, action acl.Action) *containerCall {
		return &containerCall{id: id, action: action, use: launches, command: c}
	}
	deal := func(id *mesos.ContainerID, action acl.Action) *containerCall {
		return &containerCall{id: id, action: action}
	}
	switch call.GetType() {
	case agent.Call_LAUNCH_CONTAINER:
		c := call.GetLaunchContainer()
		return launch(c.GetContainerId(), c.GetCommand(), either(c.GetContainerId(), acl.LaunchNestedContainer, acl.LaunchStandaloneContainer))
	case agent.Call_LAUNCH_NESTED_CONTAINER:
		c := call.GetLaunchNestedContainer()
		return launch(c.GetContainerId(), c.GetCommand(), acl.LaunchNestedContainer)
	case agent.Call_LAUNCH_NESTED_CONTAINER_SESSION:
		c := call.GetLaunchNestedContainerSession()
		return launch(c.GetContainerId(), c.GetCommand(), acl.LaunchNestedContainerSession)
	case agent.Call_WAIT_CONTAINER:
		id := call.GetWaitContainer().GetContainerId()
		return deal(id, either(id, acl.WaitNestedContainer, acl.WaitStandaloneContainer))
	case agent.Call_WAIT_NESTED_CONTAINER:
		return deal(call.GetWaitNestedContainer().GetContainerId(), acl.WaitNestedContainer)
	case agent.Call_KILL_CONTAINER:
		id := call.GetKillContainer().GetContainerId()
		return deal(id, either(id, acl.KillNestedContainer, acl.KillStandaloneContainer))
	case agent.Call_KILL_NESTED_CONTAINER:
		return deal(call.GetKillNestedContainer().GetContainerId(), acl.KillNestedContainer)
	case agent.Call_REMOVE_CONTAINER:
		id := call.GetRemoveContainer().GetContainerId()
		return deal(id, either(id, acl.RemoveNestedContainer, acl.RemoveStandaloneContainer))
	case agent.Call_REMOVE_NESTED_CONTAINER:
		return deal(call.GetRemoveNestedContainer().GetContainerId(), acl.RemoveNestedContainer)
	case agent.Call_ATTACH_CONTAINER_OUTPUT:
		return attachesOutput(call.GetAttachContainerOutput().GetContainerId())
	case agent.Call_ATTACH_CONTAINER_INPUT:
		if call.GetAttachContainerInput().GetType() != agent.Call_AttachContainerInput_CONTAINER_ID {
			return nil // refused for its form
		}
		return &containerCall{id: call.GetAttachContainerInput().GetContainerId(), action: acl.AttachContainerInput, use: attaches}
	}
	return nil
}

func attachesOutput(id *mesos.ContainerID) *containerCall {
	return &containerCall{id: id, action: acl.AttachContainerOutput, use: attaches}
}

// mayDeal decides about one container: by the users of the command and of the
// executor at its root, if there is one.
func (a *API) mayDeal(ctx context.Context, grants *acl.Grants, c *containerCall) error {
	may := grants.To(c.action)
	if may.Always() && c.use != attaches {
		return nil
	}
	v, err := a.cfg.Engine.View(ctx)
	if err != nil {
		return err
	}
	framework, executor := executorOf(v, c.id)
	if executor == nil && c.use == attaches {
		return refuse(http.StatusNotFound, "Container %s cannot be found", containerizer.IDOf(c.id))
	}
	if !may.Allow(c.object(framework, executor)) {
		return errForbidden
	}
	return nil
}

// object is what is dealt with, in the form that the rules of the action know.
func (c *containerCall) object(f *state.Framework, e *state.Executor) acl.Object {
	switch {
	case e == nil && c.use == launches:
		return acl.Standalone(c.id)
	case e == nil:
		return acl.Container(c.id, nil, nil)
	case c.use == launches:
		return acl.NestedLaunch(c.id, c.command, e.Info, f.Info)
	}
	return acl.Container(c.id, e.Info, f.Info)
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
