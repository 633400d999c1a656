// Package posix is the runtime that forks and executes: containers have their
// cgroups, user and limits, and else share all with the node, or with the
// container whose namespaces they join.
package posix

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// Name is the runtime's name.
const Name = "posix"

// Runtime implements runtime.Runtime.
type Runtime struct{ spawner *spawn.Spawner }

// New returns the runtime.
func New(spawner *spawn.Spawner) *Runtime { return &Runtime{spawner: spawner} }

// Name implements runtime.Runtime.
func (*Runtime) Name() string { return Name }

// Check implements runtime.Runtime.
func (*Runtime) Check(spec *specs.Spec) error {
	switch {
	case spec.Root != nil:
		return unsupported("an image")
	case len(spec.Mounts) > 0:
		return unsupported("volumes and mounts")
	case spec.Linux != nil && slices.ContainsFunc(spec.Linux.Namespaces, isNew):
		return unsupported("namespaces")
	}
	return nil
}

// isNew says that a namespace is to be made, rather than joined.
func isNew(n specs.LinuxNamespace) bool { return n.Path == "" }

func unsupported(what string) error {
	return fmt.Errorf("%w: %s with the posix runtime", containerizer.ErrUnsupported, what)
}

// Start implements runtime.Runtime.
func (r *Runtime) Start(ctx context.Context, c *runtime.Container) (*spawn.Child, int, error) {
	command, err := commandOf(c.Spec.Process)
	if err != nil {
		return nil, 0, err
	}
	command.Path = c.Executable
	for _, n := range c.Spec.Linux.Namespaces {
		command.Namespaces = append(command.Namespaces, n.Path)
	}
	return r.spawner.Launch(ctx, spawn.Launch{
		Name: c.ID.String(),
		Request: launch.Request{
			Cgroups:    c.ProcsFiles(),
			StatusFile: c.Status(),
			Logs:       c.Logs,
			Command:    command,
		},
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, Life: c.Life,
		Keep: func(stage *spawn.Child) error { return c.Keep(stage.Identity()) },
	})
}

func commandOf(p *specs.Process) (*launch.Command, error) {
	c := &launch.Command{
		Args: p.Args, Env: p.Env, Dir: p.Cwd,
		OOMScoreAdj: p.OOMScoreAdj,
		Terminal:    p.Terminal,
		SwitchUser:  int(p.User.UID) != syscall.Geteuid(),
		UID:         p.User.UID, GID: p.User.GID, Groups: p.User.AdditionalGids,
	}
	for _, l := range p.Rlimits {
		number, ok := rlimits[strings.TrimPrefix(l.Type, "RLIMIT_")]
		if !ok {
			return nil, fmt.Errorf("%w: resource limit %q", containerizer.ErrUnsupported, l.Type)
		}
		c.Rlimits = append(c.Rlimits, launch.Rlimit{Resource: number, Soft: l.Soft, Hard: l.Hard})
	}
	return c, nil
}

// rlimits are the kernel's numbers on all architectures of Go but MIPS.
var rlimits = map[string]int{
	"CPU": 0, "FSIZE": 1, "DATA": 2, "STACK": 3, "CORE": 4, "RSS": 5, "NPROC": 6, "NOFILE": 7,
	"MEMLOCK": 8, "AS": 9, "LOCKS": 10, "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13, "RTPRIO": 14, "RTTIME": 15,
}

// Signal implements runtime.Runtime.
func (*Runtime) Signal(_ context.Context, r runtime.Running, signal syscall.Signal) error {
	if err := syscall.Kill(r.PID, signal); err != nil {
		return fmt.Errorf("signalling process %d: %w", r.PID, err)
	}
	return nil
}

// Delete implements runtime.Runtime: there is nothing to let go of.
func (*Runtime) Delete(context.Context, runtime.Running) error { return nil }
