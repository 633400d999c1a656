// Package pid is the isolator "namespaces/pid": a container's processes see
// only each other, and all die with the first.
package pid

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// Name is the isolator's name.
const Name = "namespaces/pid"

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator.
func New() *Isolator { return &Isolator{} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (*Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	if c.Config.Container.GetLinuxInfo().GetSharePidNamespace() {
		return nil
	}
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace})
	// /proc shows the namespace of who mounts it.
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"},
	})
	return nil
}
