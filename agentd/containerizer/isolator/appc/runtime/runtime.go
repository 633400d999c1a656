// Package runtime is the isolator "appc/runtime": a container with an AppC image has the
// command, environment and working directory of that, where the framework names none.
package runtime

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/imagedefaults"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "appc/runtime"

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator.
func New() *Isolator { return &Isolator{} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (*Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	if c.Rootfs == nil || c.Rootfs.Defaults.Type != mesos.Image_APPC {
		return nil
	}
	return imagedefaults.Apply(c, spec)
}
