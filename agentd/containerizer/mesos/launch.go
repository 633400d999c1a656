package mesos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	"github.com/mesos-operator/mesos-operator/internal/failpoint"
)

// Launch implements containerizer.Containerizer.
func (m *Containerizer) Launch(ctx context.Context, cfg containerizer.Config) (containerizer.Started, error) {
	if err := checkID(cfg.ID); err != nil {
		return containerizer.Started{}, err
	}
	if err := m.check(cfg); err != nil {
		return containerizer.Started{}, err
	}
	plan, err := m.translate(&cfg)
	if err != nil {
		return containerizer.Started{}, err
	}
	c, err := m.register(cfg, plan)
	if err != nil {
		return containerizer.Started{}, err
	}
	launched := make(chan error, 1)
	go func() { launched <- m.launch(c) }()
	select {
	case err := <-launched:
		return containerizer.Started{PID: c.iso.PID}, err
	case <-ctx.Done():
		return containerizer.Started{}, ctx.Err()
	}
}

// register makes the container known. plan is nil unless it is a Docker container.
func (m *Containerizer) register(cfg containerizer.Config, plan *docker.Plan) (*container, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.containers[cfg.ID] != nil {
		return nil, containerizer.ErrExists
	}
	parent, err := m.parentOf(cfg.ID)
	if err != nil {
		return nil, err
	}
	c := m.newContainer(inherit(cfg, parent), parent)
	m.asDocker(c, plan)
	m.containers[cfg.ID] = c
	return c, nil
}

// launch goes through the steps of a launch, or undoes them.
func (m *Containerizer) launch(c *container) error {
	log := m.log.WithValues("container_id", c.id)
	err := m.start(c)
	if err == nil {
		log.Info("Container started", "pid", c.iso.PID)
		close(c.launched)
		go m.supervise(c)
		return nil
	}
	c.mu.Lock()
	if c.destroyed {
		err = containerizer.ErrDestroyed
	}
	c.mu.Unlock()
	c.ioFailed = true
	if undo := m.cleanUp(c); undo != nil {
		log.Error(undo, "Cleaning up after a launch that failed")
	}
	m.forgetLaunch(c, err)
	close(c.launched)
	close(c.done)
	return err
}

// start brings the container from nothing to a running process.
func (m *Containerizer) start(c *container) error {
	who, err := m.resolve(c.cfg.User)
	if err != nil {
		return err
	}
	if err := m.enter(c); err != nil {
		return err
	}
	failpoint.Reach(failpoint.ContainerListed)
	m.sandboxGone(c) // that of an earlier container of this name, which may be there still
	if err := c.makeSandbox(who); err != nil {
		return err
	}
	if err := m.keep(c, record{}); err != nil {
		return err
	}
	if err := m.provision(c); err != nil {
		return err
	}
	failpoint.Reach(failpoint.ContainerProvisioned)
	streams, err := openStreams(c.cfg.Sandbox, who)
	if err != nil {
		return err
	}
	defer streams.close()
	if err := m.fetch(c, who, streams); err != nil {
		return err
	}
	if attachable(c.cfg) {
		ends, err := m.connect(c, who, streams)
		if err != nil {
			return err
		}
		defer ends.close()
		streams = ends
		go m.watchIO(c)
	}
	spec, executable := m.specify(c, who)
	if err := m.joinParent(c, spec); err != nil {
		return err
	}
	withTerminal(c, spec)
	args := spec.Process.Args
	if err := m.isolate(c, spec); err != nil {
		return err
	}
	m.bringSocket(c, spec)
	m.bringExecutor(c, spec)
	if len(spec.Process.Args) == 0 || spec.Process.Args[0] == "" {
		return errors.New("the container has no command")
	}
	if !slices.Equal(args, spec.Process.Args) { // the image names another one
		executable = ""
	}
	m.describeProcess(c, spec)
	failpoint.Reach(failpoint.ContainerIsolated)
	if !attachable(c.cfg) { // else the switchboard writes them
		if streams.logs, err = m.cfg.Logger.logs(c.cfg, who); err != nil {
			return err
		}
	}
	return m.run(c, spec, executable, streams)
}

func (m *Containerizer) fetch(c *container, who specs.User, s *streams) error {
	if len(c.cfg.Command.GetUris()) == 0 {
		return nil
	}
	r := FetchRequest{ID: c.id, URIs: c.cfg.Command.GetUris(), Sandbox: c.cfg.Sandbox, Output: s.err}
	if c.cfg.User != "" && int(who.UID) != syscall.Geteuid() {
		r.Credential = &syscall.Credential{Uid: who.UID, Gid: who.GID, Groups: who.AdditionalGids}
	}
	defer m.pending("fetcher::fetch", c)()
	if err := m.fetcher.Fetch(c.ctx, r); err != nil {
		return fmt.Errorf("%w for container '%s': %w", containerizer.ErrFetch, c.id, err)
	}
	return nil
}

// pending lists a step of a container until it is done.
func (m *Containerizer) pending(step string, c *container) (done func()) {
	return m.cfg.Pending.Begin(step, map[string]string{"containerId": string(c.id)})
}

// isolate lets the isolators specify, and makes the cgroup that they want.
func (m *Containerizer) isolate(c *container, spec *specs.Spec) error {
	for _, i := range c.isolators {
		if err := i.Prepare(&c.iso, c.demand, spec); err != nil {
			return fmt.Errorf("isolator %s: %w", i.Name(), err)
		}
	}
	if err := c.runtime.Check(spec); err != nil {
		return err
	}
	if c.iso.Group != nil {
		if err := c.iso.Group.Create(); err != nil {
			return err
		}
		if err := c.iso.Group.Set(spec.Linux.Resources); err != nil {
			return err
		}
	}
	return m.attach(c, false)
}

func (m *Containerizer) attach(c *container, again bool) error {
	for _, i := range c.isolators {
		if err := i.Attach(&c.iso, again); err != nil {
			return fmt.Errorf("isolator %s: %w", i.Name(), err)
		}
	}
	return nil
}

// run has the runtime start the process, when it is its turn.
func (m *Containerizer) run(c *container, spec *specs.Spec, executable string, s *streams) error {
	select {
	case m.starts <- struct{}{}:
		defer func() { <-m.starts }()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	var id process.Identity
	defer m.pending("launcher::fork", c)()
	child, pid, err := c.runtime.Start(c.ctx, &runtime.Container{
		ID: c.id, Dir: c.dir, Spec: spec, Executable: executable, Group: c.iso.Group,
		Stdin: s.in, Stdout: s.out, Stderr: s.err, ConsoleSocket: c.console, Life: s.life,
		Logs: s.logs, Mounts: c.mounts(),
		Keep: func(stage process.Identity) error {
			id = stage
			err := m.keep(c, record{Stage: stage})
			failpoint.Reach(failpoint.ContainerStaged)
			return err
		},
	})
	if err != nil {
		return err
	}
	failpoint.Reach(failpoint.ContainerStarted)
	c.mu.Lock()
	c.stage = child
	c.iso.PID, c.iso.Stage = pid, id.PID
	c.mu.Unlock()
	if err := m.keep(c, record{Stage: id, PID: pid}); err != nil {
		// The earlier record is still good for all but the process ID.
		m.log.Error(err, "Keeping a container's process ID", "container_id", c.id)
	}
	return nil
}

// streams are the container's standard streams.
type streams struct {
	in, out, err *os.File
	// logs are those of them that are bounded.
	logs []runtime.Log
	// life is for the stage to hold; nil for none.
	life *os.File
	// shared says that all but life belong to other streams.
	shared bool
}

// openStreams opens stdout and stderr in the sandbox, for the user. The sandbox
// is the user's, so what is found there is not followed.
func openStreams(sandbox string, who specs.User) (*streams, error) {
	var s streams
	var err error
	if s.in, err = os.Open(os.DevNull); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("opening the sandbox: %w", err)
	}
	defer root.Close()
	for name, f := range map[string]**os.File{"stdout": &s.out, "stderr": &s.err} {
		*f, err = root.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
		if err == nil && int(who.UID) != syscall.Geteuid() {
			err = (*f).Chown(int(who.UID), int(who.GID))
		}
		if err != nil {
			s.close()
			return nil, fmt.Errorf("opening %s: %w", filepath.Join(sandbox, name), err)
		}
	}
	return &s, nil
}

func (s *streams) close() {
	if s.life != nil {
		s.life.Close()
	}
	if s.shared {
		return
	}
	for _, f := range []*os.File{s.in, s.out, s.err} {
		if f != nil {
			f.Close()
		}
	}
}

// errStage says that a stage could not be waited for.
var errStage = errors.New("waiting for the launch stage")
