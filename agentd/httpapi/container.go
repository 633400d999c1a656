package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/acl"
)

// getContainers lists executors' containers and, if wanted, all others.
func (a *API) getContainers(ctx context.Context, call *agent.Call_GetContainers) (*agent.Response, error) {
	v, err := a.whole(ctx) // view_containers alone decides, as in Mesos
	if err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "%s", err)
	}
	executors := a.containersSeen(ctx, v, liveExecutors(v))
	ids := containerIDs(executors)
	out := &agent.Response_GetContainers{}
	for _, e := range executors {
		out.Containers = append(out.Containers, &agent.Response_GetContainers_Container{
			FrameworkId:  &mesos.FrameworkID{Value: &e.FrameworkID},
			ExecutorId:   &mesos.ExecutorID{Value: &e.ID},
			ExecutorName: new(e.Info.GetName()),
			ContainerId:  &mesos.ContainerID{Value: &e.Container},
		})
	}
	others, err := a.otherContainers(ctx, v, call, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range others {
		ids = append(ids, string(id))
		// As in Mesos the ID here has no parent; the one in the status has.
		out.Containers = append(out.Containers, &agent.Response_GetContainers_Container{
			ContainerId: &mesos.ContainerID{Value: new(id.Name())},
		})
	}
	statistics, statuses := a.cfg.Engine.Statistics(ctx, ids), a.cfg.Engine.Statuses(ctx, ids)
	for i, c := range out.Containers {
		c.ResourceStatistics, c.ContainerStatus = statistics[ids[i]], statuses[ids[i]]
	}
	// Nested and standalone ones are known until somebody asked how they ended.
	out.Containers = slices.DeleteFunc(out.Containers, func(c *agent.Response_GetContainers_Container) bool {
		return c.ExecutorId == nil && c.ContainerStatus == nil
	})
	return &agent.Response{GetContainers: out}, nil
}

// otherContainers lists the containers that are not executors' and that a call asks
// for: nested ones, also below standalone ones, and standalone ones.
func (a *API) otherContainers(ctx context.Context, v *state.View, call *agent.Call_GetContainers, seen []string) ([]containerizer.ID, error) {
	if !call.GetShowNested() && !call.GetShowStandalone() {
		return nil, nil
	}
	all, err := a.cfg.Engine.Containers(ctx)
	if err != nil {
		return nil, err
	}
	executors := containerIDs(liveExecutors(v)) // with the hidden ones: theirs are not standalone
	standalone := a.grants(ctx).To(acl.ViewStandaloneContainer)
	return slices.DeleteFunc(all, func(id containerizer.ID) bool {
		root := string(id.Root())
		switch {
		case slices.Contains(executors, root):
			return id.Parent() == "" || !call.GetShowNested() || !slices.Contains(seen, root)
		case !standalone.Allow(acl.Standalone(&mesos.ContainerID{Value: &root})):
			return true
		case id.Parent() != "":
			return !call.GetShowNested()
		}
		return !call.GetShowStandalone()
	}), nil
}

// serveStatistics is what exporters read: one entry for each executor that
// could be measured.
func (a *API) serveStatistics(w http.ResponseWriter, r *http.Request) {
	v, err := a.cfg.Engine.View(r.Context())
	if err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	out := &writer{b: []byte{'['}}
	executors := liveExecutors(v)
	statistics := a.cfg.Engine.Statistics(r.Context(), containerIDs(executors))
	for _, e := range executors {
		if s := statistics[e.Container]; s != nil {
			out.element(func() {
				out.identity(e)
				out.message("statistics", s)
			})
		}
	}
	jsonBody(w, append(out.b, ']'))
}

func (w *writer) identity(e *state.Executor) {
	w.string("executor_id", e.ID)
	w.string("executor_name", e.Info.GetName())
	w.string("framework_id", e.FrameworkID)
	w.string("source", e.Info.GetSource())
}

// serveContainers adds the container's status to the statistics.
func (a *API) serveContainers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	container, framework, executor := q.Get("container_id"), q.Get("framework_id"), q.Get("executor_id")
	if container != "" && (framework != "" || executor != "") || container == "" && executor != "" && framework == "" {
		text(w, http.StatusBadRequest, "Supported query parameters are container_id only,"+
			" framework_id only, or executor_id and framework_id only")
		return
	}
	v, err := a.cfg.Engine.View(r.Context())
	if err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	executors := slices.DeleteFunc(a.containersSeen(r.Context(), v, liveExecutors(v)), func(e *state.Executor) bool {
		return container != "" && e.Container != container || framework != "" && e.FrameworkID != framework ||
			executor != "" && e.ID != executor
	})
	ids := containerIDs(executors)
	statistics, statuses := a.cfg.Engine.Statistics(r.Context(), ids), a.cfg.Engine.Statuses(r.Context(), ids)
	out := &writer{b: []byte{'['}}
	for _, e := range executors {
		out.element(func() { out.container(e, statistics[e.Container], statuses[e.Container]) })
	}
	jsonBody(w, append(out.b, ']'))
}

func (w *writer) container(e *state.Executor, statistics *mesos.ResourceStatistics, status *mesos.ContainerStatus) {
	w.string("container_id", e.Container)
	w.identity(e)
	if statistics != nil {
		w.message("statistics", statistics)
	}
	if status != nil {
		w.message("status", status)
	}
}

// liveExecutors are those that have a container.
func liveExecutors(v *state.View) []*state.Executor {
	var out []*state.Executor
	for _, f := range v.Frameworks {
		for _, e := range f.Executors {
			if e.Phase != state.Terminated {
				out = append(out, e)
			}
		}
	}
	return out
}

func containerIDs(es []*state.Executor) []string {
	ids := make([]string, len(es))
	for i, e := range es {
		ids[i] = e.Container
	}
	return ids
}
