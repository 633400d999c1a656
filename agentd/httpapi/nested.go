package httpapi

import (
	"context"
	"errors"
	"net/http"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/engine"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
)

// operateContainer performs the calls about one nested or standalone container.
// Those with NESTED in their names are the older form of the others.
func (a *API) operateContainer(ctx context.Context, call *agent.Call) (*agent.Response, error) {
	switch call.GetType() {
	case agent.Call_LAUNCH_CONTAINER:
		l := call.GetLaunchContainer()
		return nil, a.launchContainer(ctx, engine.ContainerLaunch{
			ID: l.GetContainerId(), Command: l.GetCommand(), Container: l.GetContainer(),
			Resources: l.GetResources(), Limits: l.GetLimits(),
		})
	case agent.Call_LAUNCH_NESTED_CONTAINER:
		l := call.GetLaunchNestedContainer()
		return nil, a.launchContainer(ctx, engine.ContainerLaunch{
			ID: l.GetContainerId(), Command: l.GetCommand(), Container: l.GetContainer(),
		})
	case agent.Call_WAIT_CONTAINER:
		w, err := a.waitContainer(ctx, call.GetWaitContainer().GetContainerId())
		return &agent.Response{WaitContainer: w}, err
	case agent.Call_WAIT_NESTED_CONTAINER:
		w, err := a.waitContainer(ctx, call.GetWaitNestedContainer().GetContainerId())
		if err != nil {
			return nil, err
		}
		return &agent.Response{WaitNestedContainer: &agent.Response_WaitNestedContainer{
			ExitStatus: w.ExitStatus, State: w.State, Reason: w.Reason, Limitation: w.Limitation, Message: w.Message,
		}}, nil
	case agent.Call_KILL_CONTAINER:
		k := call.GetKillContainer()
		return nil, a.killContainer(ctx, k.GetContainerId(), k.Signal)
	case agent.Call_KILL_NESTED_CONTAINER:
		k := call.GetKillNestedContainer()
		return nil, a.killContainer(ctx, k.GetContainerId(), k.Signal)
	case agent.Call_REMOVE_CONTAINER:
		return nil, a.removeContainer(ctx, call.GetRemoveContainer().GetContainerId())
	case agent.Call_REMOVE_NESTED_CONTAINER:
		return nil, a.removeContainer(ctx, call.GetRemoveNestedContainer().GetContainerId())
	}
	return nil, refuse(http.StatusNotImplemented, "%s is not supported by this agent", call.GetType())
}

// launchContainer launches a container. One that was launched before is 202.
// Whatever else keeps it from starting is most likely the caller's doing, and 400.
func (a *API) launchContainer(ctx context.Context, l engine.ContainerLaunch) error {
	if l.Container != nil && l.Container.GetType() != mesos.ContainerInfo_MESOS {
		return refuse(http.StatusBadRequest, "The provided ContainerInfo is not supported")
	}
	// A launch that was begun is finished, whether or not the caller waits for it.
	err := a.cfg.Engine.LaunchContainer(context.WithoutCancel(ctx), l)
	switch {
	case errors.Is(err, containerizer.ErrExists):
		return refuse(http.StatusAccepted, "")
	case err != nil:
		return refuse(http.StatusBadRequest, "%s", err)
	}
	return nil
}

func (a *API) waitContainer(ctx context.Context, id *mesos.ContainerID) (*agent.Response_WaitContainer, error) {
	t, err := a.cfg.Engine.WaitContainer(ctx, containerizer.IDOf(id))
	switch {
	case errors.Is(err, containerizer.ErrUnknown):
		return nil, refuse(http.StatusNotFound, "Container %s cannot be found", containerizer.IDOf(id))
	case err != nil:
		return nil, err
	}
	out := &agent.Response_WaitContainer{State: t.State}
	if t.Status != nil {
		out.ExitStatus = new(int32(*t.Status))
	}
	if len(t.Reasons) > 0 {
		out.Reason = &t.Reasons[0]
	}
	if len(t.LimitedResources) > 0 {
		out.Limitation = &mesos.TaskResourceLimitation{Resources: t.LimitedResources}
	}
	if t.Message != "" {
		out.Message = &t.Message
	}
	return out, nil
}

func (a *API) killContainer(ctx context.Context, id *mesos.ContainerID, signal *int32) error {
	s := syscall.SIGKILL
	if signal != nil {
		s = syscall.Signal(*signal)
	}
	err := a.cfg.Engine.KillContainer(ctx, containerizer.IDOf(id), s)
	if errors.Is(err, containerizer.ErrUnknown) {
		return refuse(http.StatusNotFound, "Container '%s' cannot be found (or is already killed)", containerizer.IDOf(id))
	}
	return err
}

func (a *API) removeContainer(ctx context.Context, id *mesos.ContainerID) error {
	err := a.cfg.Engine.RemoveContainer(ctx, containerizer.IDOf(id))
	switch {
	case errors.Is(err, containerizer.ErrRunning):
		return refuse(http.StatusInternalServerError, "Nested container has not terminated yet")
	case errors.Is(err, containerizer.ErrUnknown):
		return refuse(http.StatusInternalServerError, "Unknown root container")
	}
	return err
}
