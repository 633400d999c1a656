package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/paths"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ContainerLaunch is a container that a client of the agent API asks for: a nested
// one if its ID has a parent, else a standalone one.
type ContainerLaunch struct {
	ID        *mesos.ContainerID
	Class     containerizer.Class
	Command   *mesos.CommandInfo
	Container *mesos.ContainerInfo
	Resources []*mesos.Resource
	Limits    map[string]*mesos.Value_Scalar
}

// LaunchContainer launches it. The machine knows nothing of such containers: what
// becomes of them is its client's affair. Errors are those of the containerizer.
func (e *Engine) LaunchContainer(ctx context.Context, l ContainerLaunch) error {
	cfg := containerizer.Config{
		ID: containerizer.IDOf(l.ID), Class: l.Class, Command: l.Command, Container: l.Container,
		Resources: l.Resources, Limits: l.Limits,
		Standalone: l.ID.GetParent() == nil, Environment: map[string]string{},
	}
	if e.cfg.State.SwitchUser {
		cfg.User = l.Command.GetUser()
	}
	if err := e.cfg.Environment.addVariables(ctx, cfg.Environment, l.Command.GetEnvironment()); err != nil {
		return err
	}
	if cfg.Standalone {
		known, err := e.cfg.Containerizer.Containers(ctx)
		if err != nil {
			return fmt.Errorf("listing containers: %w", err)
		}
		if slices.Contains(known, cfg.ID) {
			return containerizer.ErrExists
		}
		if err := e.standaloneSandbox(&cfg); err != nil {
			return err
		}
	}
	_, err := e.cfg.Containerizer.Launch(ctx, cfg)
	return err
}

// standaloneSandbox makes the sandbox of a standalone container.
func (e *Engine) standaloneSandbox(cfg *containerizer.Config) error {
	if err := paths.CheckID(string(cfg.ID)); err != nil {
		return err
	}
	cfg.Sandbox = e.standaloneDir(cfg.ID)
	e.gc.keep(cfg.Sandbox)
	if err := os.MkdirAll(filepath.Dir(cfg.Sandbox), 0o755); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if err := os.Mkdir(cfg.Sandbox, sandboxMode); err != nil && !os.IsExist(err) {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if err := giveTo(cfg.Sandbox, cfg.User); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	e.attachPath(cfg.Sandbox)
	return nil
}

func (e *Engine) attachPath(sandbox string) {
	if err := e.cfg.Files.Attach(sandbox, sandbox, e.mayReadSandbox("", "")); err != nil {
		e.log.Error(err, "sandbox is not browsable", "path", sandbox)
	}
}

// attachStandalone exposes the sandboxes of standalone containers that were there
// before the agent.
func (e *Engine) attachStandalone(ctx context.Context) {
	ids, err := e.Containers(ctx)
	if err != nil {
		e.log.Error(err, "sandboxes of standalone containers are not browsable")
	}
	for _, id := range ids {
		dir := e.standaloneDir(id)
		if _, err := os.Stat(dir); id.Parent() == "" && err == nil {
			e.attachPath(dir)
		}
	}
}

func (e *Engine) standaloneDir(id containerizer.ID) string {
	return filepath.Join(paths.Containers(e.cfg.State.WorkDir), string(id))
}

// WaitContainer returns how a container ended.
func (e *Engine) WaitContainer(ctx context.Context, id containerizer.ID) (containerizer.Termination, error) {
	return e.cfg.Containerizer.Wait(ctx, id)
}

// KillContainer signals the first process of a container.
func (e *Engine) KillContainer(ctx context.Context, id containerizer.ID, signal syscall.Signal) error {
	return e.cfg.Containerizer.Kill(ctx, id, signal)
}

// DestroyContainer ends a container and returns when it has.
func (e *Engine) DestroyContainer(ctx context.Context, id containerizer.ID) error {
	return e.cfg.Containerizer.Destroy(ctx, id)
}

// RemoveContainer forgets a nested or standalone container that has ended, with its
// sandbox; that of a standalone one is garbage from now on.
func (e *Engine) RemoveContainer(ctx context.Context, id containerizer.ID) error {
	if err := e.cfg.Containerizer.Remove(ctx, id); err != nil {
		return err
	}
	if id.Parent() == "" && paths.CheckID(string(id)) == nil {
		dir := e.standaloneDir(id)
		e.gc.collect(dir, false, func() { e.cfg.Files.Detach(dir) })
	}
	return nil
}

// CollectSandbox lets the sandbox of a nested or standalone container go that has ended
// (--gc_non_executor_container_sandboxes). outermost is that of the outermost container around
// it, or the same. The time since the end counts, of one that was found ended that since it
// was last changed.
func (e *Engine) CollectSandbox(outermost, sandbox string, recovered bool) {
	if outermost == sandbox {
		e.gc.collect(sandbox, recovered, func() { e.cfg.Files.Detach(sandbox) })
		return
	}
	e.gc.collectWithin(outermost, sandbox, recovered)
}

// KeepSandbox takes that back. On return the sandbox is not being removed.
func (e *Engine) KeepSandbox(sandbox string) { e.gc.keep(sandbox) }

// AttachOutput attaches to the output of a container.
func (e *Engine) AttachOutput(ctx context.Context, id containerizer.ID) (containerizer.Output, error) {
	return e.cfg.Containerizer.AttachOutput(ctx, id)
}

// AttachInput attaches to the input of a container.
func (e *Engine) AttachInput(ctx context.Context, id containerizer.ID) (containerizer.Input, error) {
	return e.cfg.Containerizer.AttachInput(ctx, id)
}

// PruneImages removes images that no container uses, but for those named and those that
// the agent's flags exclude.
func (e *Engine) PruneImages(ctx context.Context, keep []*mesos.Image) error {
	keep = append(keep[:len(keep):len(keep)], e.cfg.KeptImages...)
	if err := e.cfg.Containerizer.PruneImages(ctx, keep); err != nil {
		return fmt.Errorf("pruning images: %w", err)
	}
	return nil
}

// Containers lists all containers that run or whose end is still to be asked for.
func (e *Engine) Containers(ctx context.Context) ([]containerizer.ID, error) {
	all, err := e.cfg.Containerizer.Containers(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	slices.Sort(all)
	return all, nil
}
