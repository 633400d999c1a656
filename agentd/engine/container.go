package engine

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// describeTimeout bounds how long a status update waits for the status of its
// container; it goes without one then.
const describeTimeout = 10 * time.Second

// containerConfig is what a container is launched with, but for the environment.
func (e *Engine) containerConfig(l state.LaunchContainer) containerizer.Config {
	cfg := containerizer.Config{
		ID:          containerizer.ID(l.Container),
		FrameworkID: l.FrameworkID,
		Executor:    l.Executor,
		Task:        l.Task,
		Command:     l.Executor.GetCommand(),
		Container:   l.Executor.GetContainer(),
		Resources:   l.Executor.GetResources(),
		Limits:      l.Limits,
		User:        l.User,
		Sandbox:     l.Directory,
	}
	if l.Checkpoint {
		cfg.CheckpointDir = filepath.Join(paths.Run(paths.Meta(e.cfg.State.WorkDir),
			l.AgentID, l.FrameworkID, l.Executor.GetExecutorId().GetValue(), l.Container), "container")
	}
	return cfg
}

// recoverContainers tells the containerizer what should run, and the machine
// what does.
func (e *Engine) recoverContainers(ctx context.Context, known []state.LaunchContainer) {
	var recovered []containerizer.Recovered
	for _, l := range known {
		recovered = append(recovered, containerizer.Recovered{Config: e.containerConfig(l)})
	}
	orphans, err := e.cfg.Containerizer.Recover(ctx, recovered)
	if len(orphans) > 0 {
		e.log.Info("containers that nobody knows were destroyed", "containers", orphans)
	}
	e.attachStandalone(ctx)
	result := state.ContainersRecovered{Err: err, Statuses: map[string]*mesos.ContainerStatus{}}
	for _, l := range known {
		if status := e.status(ctx, containerizer.ID(l.Container)); status != nil {
			result.Statuses[l.Container] = status
		}
	}
	e.submitLater(result)
}

// launchContainer makes the sandbox, starts the container and waits for it.
func (e *Engine) launchContainer(ctx context.Context, l state.LaunchContainer) {
	cfg := e.containerConfig(l)
	err := e.makeSandbox(l)
	if err == nil {
		e.attachSandbox(state.SandboxAdded{
			AgentID: l.AgentID, FrameworkID: l.FrameworkID, ExecutorID: l.Executor.GetExecutorId().GetValue(), Container: l.Container,
		})
		cfg.Environment, err = e.cfg.Environment.of(ctx, l, e.agentEndpoint())
	}
	if err == nil {
		_, err = e.cfg.Containerizer.Launch(ctx, cfg)
	}
	result := state.ContainerLaunched{Container: l.Container, Err: err}
	if err != nil {
		e.submitLater(result)
		return
	}
	result.Status = e.status(ctx, cfg.ID)
	e.submitLater(result)
	e.later(func() { e.waitContainer(ctx, l.Container) })
}

// waitContainer reports the end of a container once.
func (e *Engine) waitContainer(ctx context.Context, id string) {
	t, err := e.cfg.Containerizer.Wait(ctx, containerizer.ID(id))
	if err != nil && ctx.Err() != nil {
		return // the agent ends, the container goes on
	}
	e.submitLater(state.ContainerTerminated{Container: id, Termination: termination(t), Err: terminationError(err)})
	if err := e.cfg.Containerizer.Remove(ctx, containerizer.ID(id)); err != nil {
		e.log.Error(err, "forgetting container", "container_id", id)
	}
}

func terminationError(err error) error {
	if errors.Is(err, containerizer.ErrUnknown) {
		return errors.New("unknown container")
	}
	return err
}

// termination converts; of several reasons the first is told.
func termination(t containerizer.Termination) state.Termination {
	out := state.Termination{State: t.State, Message: t.Message, Limited: t.LimitedResources}
	if t.Status != nil {
		out.Status = new(int32(*t.Status))
	}
	if len(t.Reasons) > 0 {
		out.Reason = &t.Reasons[0]
	}
	return out
}

func (e *Engine) updateContainer(ctx context.Context, u state.UpdateContainer) {
	err := e.cfg.Containerizer.Update(ctx, containerizer.ID(u.Container), u.Resources, u.Limits)
	if errors.Is(err, containerizer.ErrUnknown) {
		err = nil // it ended meanwhile, which is told by Wait
	}
	e.submitLater(state.ContainerUpdated{Token: u.Token, Err: err})
}

func (e *Engine) describeContainer(ctx context.Context, d state.DescribeContainer) {
	e.submitLater(state.ContainerDescribed{Token: d.Token, Status: e.status(ctx, containerizer.IDOf(d.Container))})
}

// status describes a container; nil if that is not possible.
func (e *Engine) status(ctx context.Context, id containerizer.ID) *mesos.ContainerStatus {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	status, err := e.cfg.Containerizer.Status(ctx, id)
	if err != nil {
		e.log.V(1).Info("container has no status", "container_id", id, "reason", err.Error())
		return nil
	}
	return status
}

func (e *Engine) destroyContainer(ctx context.Context, id string) {
	err := e.cfg.Containerizer.Destroy(ctx, containerizer.ID(id))
	if err != nil && !errors.Is(err, containerizer.ErrUnknown) && ctx.Err() == nil {
		e.log.Error(err, "destroying container", "container_id", id)
	}
}

// agentEndpoint is where executors find the agent.
func (e *Engine) agentEndpoint() endpoint {
	pid := e.process.PID()
	return endpoint{pid: pid.String(), address: pid.Address.String()}
}
