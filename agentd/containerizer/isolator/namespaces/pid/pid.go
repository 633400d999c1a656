// Package pid is the isolator "namespaces/pid": a container's processes see
// only each other, and all die with the first.
package pid

import (
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// Name is the isolator's name.
const Name = "namespaces/pid"

// Config are the agent's flags.
type Config struct {
	// ForbidSharing refuses outermost containers that ask for the node's namespace
	// (--disallow_sharing_agent_pid_namespace).
	ForbidSharing bool
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator.
func New(cfg Config) *Isolator { return &Isolator{cfg: cfg} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	if c.Config.Container.GetLinuxInfo().GetSharePidNamespace() {
		if i.cfg.ForbidSharing && c.ID.Parent() == "" {
			return errors.New("sharing the agent's PID namespace is not allowed")
		}
		return nil
	}
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
	// /proc shows the namespace of who mounts it.
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"},
	})
	return nil
}
