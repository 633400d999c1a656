package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
)

// sandboxMode lets the task's user in, and its group read.
const sandboxMode = 0o750

// makeSandbox makes an executor's directory and points the link to the latest at it.
func (e *Engine) makeSandbox(l state.LaunchContainer) error {
	runs := filepath.Dir(l.Directory)
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if err := os.Mkdir(l.Directory, sandboxMode); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if err := giveTo(l.Directory, l.User); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	latest := filepath.Join(runs, paths.Latest)
	if err := os.Remove(latest); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	if err := os.Symlink(l.Container, latest); err != nil {
		return fmt.Errorf("making the sandbox: %w", err)
	}
	return nil
}

// giveTo makes a user the owner. That takes root, unless it is the agent's own.
func giveTo(dir, name string) error {
	if name == "" {
		return nil
	}
	u, err := lookup(name)
	if err != nil {
		return err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if uid == os.Geteuid() {
		return nil
	}
	return os.Chown(dir, uid, gid)
}

// lookup finds a user by name, or by number.
func lookup(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		if _, numeric := strconv.Atoi(name); numeric == nil {
			return user.LookupId(name)
		}
	}
	return u, err
}

// sandboxNames are what /files shows a run's sandbox as: the real path, the
// real path of the latest run, and one that doesn't tell the work directory.
func (e *Engine) sandboxNames(agent, framework, executor, container string) (run, latest, virtual string) {
	run = paths.Run(e.cfg.State.WorkDir, agent, framework, executor, container)
	return run, filepath.Join(filepath.Dir(run), paths.Latest), paths.Virtual(framework, executor)
}

func (e *Engine) attachSandbox(s state.SandboxAdded) {
	run, latest, virtual := e.sandboxNames(s.AgentID, s.FrameworkID, s.ExecutorID, s.Container)
	for _, name := range []string{run, latest, virtual} {
		e.cfg.Files.Detach(name) // the volumes of an earlier run
		if err := e.cfg.Files.Attach(run, name, e.mayReadSandbox(s.FrameworkID, s.ExecutorID)); err != nil {
			e.log.Error(err, "sandbox is not browsable", "path", run, "as", name)
		}
	}
}

func (e *Engine) attachVolumes(s state.VolumesShown) {
	run, latest, virtual := e.sandboxNames(s.AgentID, s.FrameworkID, s.ExecutorID, s.Container)
	for _, v := range s.Volumes {
		path, err := paths.PersistentVolume(e.cfg.State.WorkDir, v.Volume)
		for _, name := range []string{run, latest, virtual} {
			if err == nil {
				err = e.cfg.Files.Attach(path, filepath.Join(name, v.Name), e.mayReadSandbox(s.FrameworkID, s.ExecutorID))
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be destroyed by now
			e.log.Error(err, "volume is not browsable", "sandbox", run, "as", v.Name)
		}
	}
}

// reuse keeps directories that are about to be used again.
func (e *Engine) reuse(effect state.Effect) {
	switch r := effect.(type) {
	case state.DirectoriesReused:
		for _, root := range e.roots() {
			e.gc.keep(paths.Framework(root, r.AgentID, r.FrameworkID))
			e.gc.keep(paths.Executor(root, r.AgentID, r.FrameworkID, r.ExecutorID))
		}
	case state.TaskReused:
		e.gc.keep(e.taskMeta(state.TaskRemoved(r)))
	}
}

// taskMeta is where the checkpoints of a task are.
func (e *Engine) taskMeta(r state.TaskRemoved) string {
	return paths.Task(paths.Meta(e.cfg.State.WorkDir), r.AgentID, r.FrameworkID, r.ExecutorID, r.Container, r.TaskID)
}

// roots are the two trees of directories.
func (e *Engine) roots() [2]string {
	return [2]string{e.cfg.State.WorkDir, paths.Meta(e.cfg.State.WorkDir)}
}

// collectExecutor lets a complete run's directories go, and what /files shows of them.
func (e *Engine) collectExecutor(r state.ExecutorRemoved) {
	run, latest, virtual := e.sandboxNames(r.AgentID, r.FrameworkID, r.ExecutorID, r.Container)
	e.gc.collect(run, r.Recovered, func() { e.cfg.Files.Detach(run) })
	e.gc.collect(paths.Executor(e.cfg.State.WorkDir, r.AgentID, r.FrameworkID, r.ExecutorID), r.Recovered, func() {
		e.cfg.Files.Detach(latest)
		e.cfg.Files.Detach(virtual)
	})
	if r.Checkpoint {
		meta := paths.Meta(e.cfg.State.WorkDir)
		e.gc.collect(paths.Run(meta, r.AgentID, r.FrameworkID, r.ExecutorID, r.Container), r.Recovered, nil)
		e.gc.collect(paths.Executor(meta, r.AgentID, r.FrameworkID, r.ExecutorID), r.Recovered, nil)
	}
}

func (e *Engine) collectTask(r state.TaskRemoved) {
	e.gc.collect(e.taskMeta(r), false, nil)
}

func (e *Engine) collectFramework(r state.FrameworkRemoved) {
	e.gc.collect(paths.Framework(e.cfg.State.WorkDir, r.AgentID, r.FrameworkID), r.Recovered, nil)
	if r.Checkpoint {
		e.gc.collect(paths.Framework(paths.Meta(e.cfg.State.WorkDir), r.AgentID, r.FrameworkID), r.Recovered, nil)
	}
}

// recoveryFinished notes the boot that the checkpoints belong to from now on.
func (e *Engine) recoveryFinished(ctx context.Context, agent string) error {
	e.recovery.done(time.Since(e.started))
	e.oversubscribe(ctx)
	e.collectOldAgents(agent)
	e.collectUnknown(agent)
	if e.cfg.BootID == "" {
		return nil
	}
	return e.cfg.Store.SaveBootID(e.cfg.BootID)
}
