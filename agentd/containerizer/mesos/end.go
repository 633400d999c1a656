package mesos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/failpoint"
)

// supervise watches a container from its start to its end.
func (m *Containerizer) supervise(c *container) {
	for _, i := range c.isolators {
		go m.watch(c, i)
	}
	if c.stage != nil {
		status, err := c.stage.Wait(context.Background())
		if err != nil {
			m.log.Error(fmt.Errorf("%w: %w", errStage, err), "Container given up", "container_id", c.id)
		} else if status != nil && status.Signaled() && status.Signal() != syscall.SIGKILL {
			m.log.V(1).Info("Launch stage was killed", "container_id", c.id, "signal", status.Signal().String())
		}
		_ = c.stage.Close() // a child that was waited for is closed already
	}
	m.end(c)
}

// watch waits for a limit to be hit and then ends the container.
func (m *Containerizer) watch(c *container, i isolator.Isolator) {
	l, err := i.Watch(c.ctx, &c.iso)
	switch {
	case err != nil && c.ctx.Err() == nil && !errors.Is(err, context.Canceled):
		m.log.Error(err, "Watching a container's limit", "container_id", c.id, "isolator", i.Name())
	case err == nil && l != nil && c.ctx.Err() == nil:
		m.log.Info("Container hit a limit", "container_id", c.id, "isolator", i.Name(), "reason", l.Reason.String())
		c.limit(l)
		m.kill(c)
	}
}

// end cleans up after a container whose stage has ended, and tells everybody.
func (m *Containerizer) end(c *container) {
	m.endChildren(c)
	// Nothing must be left alive before isolators are asked for the reason:
	// their counters are final then.
	killErr := m.killAll(c)
	m.settleIO(c)
	c.cancel()
	c.mu.Lock()
	limitation := c.limitation
	c.mu.Unlock()
	for _, i := range c.isolators {
		if limitation == nil {
			limitation = i.Limited(&c.iso)
		}
	}
	failpoint.Reach(failpoint.ContainerEnded)
	c.termination = terminationOf(c.dir, limitation)
	if err := errors.Join(killErr, m.cleanUp(c)); err != nil {
		m.destroyErrors.Add(1)
		m.log.Error(err, "Container could not be cleaned up; the agent's next start tries again", "container_id", c.id)
		if c.termination.Message == "" {
			c.termination.Message = "Failed to clean up the container: " + err.Error()
		}
	}
	m.keepTermination(c)
	m.sandboxEnded(c, false)
	failpoint.Reach(failpoint.ContainerCleaned)
	m.log.Info("Container ended", "container_id", c.id, "status", describe(c.termination.Status))
	close(c.done)
	m.orphaned()
}

func terminationOf(dir string, l *isolator.Limitation) containerizer.Termination {
	t := containerizer.Termination{Status: exitStatus(dir)}
	if t.Status == nil {
		// The stage writes it as its last deed. It was killed before: so was the
		// container, by us or by whoever killed the stage.
		t.Status = new(syscall.WaitStatus(syscall.SIGKILL))
	}
	if l != nil {
		t.State = mesos.TaskState_TASK_FAILED.Enum()
		t.Reasons = []mesos.TaskStatus_Reason{l.Reason}
		t.Message = l.Message
		t.LimitedResources = l.Resources
	}
	return t
}

func describe(status *syscall.WaitStatus) string {
	switch {
	case status == nil:
		return "unknown"
	case status.Signaled():
		return "signal " + status.Signal().String()
	default:
		return fmt.Sprintf("exit %d", status.ExitStatus())
	}
}

// kill kills everything at once and doesn't wait.
func (m *Containerizer) kill(c *container) {
	go func() {
		if err := m.killAll(c); err != nil {
			m.log.Error(err, "Killing a container", "container_id", c.id)
		}
	}()
}

// killAll kills every process of the container, the stage among them.
func (m *Containerizer) killAll(c *container) error {
	defer m.pending("launcher::destroy", c)()
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.DestroyTimeout)
	defer cancel()
	if c.iso.Group != nil {
		return c.iso.Group.Kill(ctx)
	}
	return m.killTree(ctx, c)
}

// killTree does without cgroups. The stage adopts the container's orphans, so
// the container is its tree: the stage is left to finish when nothing of that is
// left. If somebody killed the stage, the command's session is what can still be found.
func (m *Containerizer) killTree(ctx context.Context, c *container) error {
	c.mu.Lock()
	s, command := c.stage, c.iso.PID
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	for s.Identity().Alive() {
		if err := killDescendants(s.Identity().PID); err != nil {
			return err
		}
		_ = s.Signal(syscall.SIGCONT) // should somebody have stopped it
		if err := waitAWhile(ctx, s.Identity()); err != nil {
			return fmt.Errorf("killing the container's processes: %w", err)
		}
	}
	if exitStatus(c.dir) != nil {
		return nil // it finished, and left nobody
	}
	for {
		n, err := process.KillSession(command)
		if err != nil || n == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("killing the container's processes: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
}

func killDescendants(stage int) error {
	tree, err := process.Tree(stage)
	if err != nil {
		return err
	}
	for _, p := range tree {
		if p.PID != stage {
			_ = syscall.Kill(p.PID, syscall.SIGKILL) // one that is gone needs none
		}
	}
	return nil
}

// patience is how long a stage may take to see the end of what was killed, and
// to kill what was forked meanwhile, before the processes are looked at again.
const patience = 50 * time.Millisecond

// waitAWhile returns when a process has ended, or after a while.
func waitAWhile(ctx context.Context, id process.Identity) error {
	for end := time.Now().Add(patience); id.Alive() && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return ctx.Err()
}

// cleanUp lets go of all that a container without processes still has. It may
// have been launched in part only.
func (m *Containerizer) cleanUp(c *container) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.DestroyTimeout)
	defer cancel()
	m.endIO(c)
	if m.groups != nil && c.cfg.Sandbox != "" {
		m.groups.Release(c.cfg.Sandbox)
	}
	var errs []error
	for _, i := range slices.Backward(c.isolators) {
		if err := i.Cleanup(&c.iso); err != nil {
			errs = append(errs, fmt.Errorf("isolator %s: %w", i.Name(), err))
		}
	}
	if err := c.runtime.Delete(ctx, c.handle()); err != nil {
		errs = append(errs, fmt.Errorf("runtime %s: %w", c.runtime.Name(), err))
	}
	if c.iso.Group != nil {
		errs = append(errs, c.iso.Group.Destroy(ctx))
	}
	if m.provisioner != nil && errors.Join(errs...) == nil {
		errs = append(errs, m.provisioner.Destroy(c.id))
	}
	if len(errs) == 0 || errors.Join(errs...) == nil {
		return m.leave(c)
	}
	return errors.Join(errs...) // and stay in the list
}

// Destroy implements containerizer.Containerizer.
func (m *Containerizer) Destroy(ctx context.Context, id containerizer.ID) error {
	c, err := m.find(id)
	if err != nil {
		return err
	}
	m.startDestroy(c)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startDestroy destroys without waiting.
func (m *Containerizer) startDestroy(c *container) {
	m.mu.Lock()
	c.ending = true
	m.mu.Unlock()
	c.mu.Lock()
	c.destroyed = true
	c.mu.Unlock()
	c.cancel() // a launch that is under way gives up
	go m.destroy(c)
}

// launchPatience is how long a launch may take to give up, before its cgroup is
// killed: the OCI runtime can hang, and has no business of its own in there.
const launchPatience = 2 * time.Second

// destroy kills the container once it is launched. supervise sees its end.
func (m *Containerizer) destroy(c *container) {
	select {
	case <-c.launched:
	case <-time.After(launchPatience):
		if c.iso.Group != nil {
			m.kill(c)
		}
		<-c.launched
	}
	select {
	case <-c.done:
	default:
		m.kill(c)
	}
}

// orphaned asks for a look at adopted children.
func (m *Containerizer) orphaned() {
	select {
	case m.orphan <- struct{}{}:
	default:
	}
}

// orphanInterval bounds how often the children are looked at: containers end in
// crowds.
const orphanInterval = time.Second

// reapOrphans waits for children that containers left to the agent.
func (m *Containerizer) reapOrphans(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.orphan:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(orphanInterval):
		}
		if n := process.ReapOrphans(spawn.Owns); n > 0 {
			m.log.V(1).Info("Reaped orphans of containers", "processes", n)
		}
	}
}
