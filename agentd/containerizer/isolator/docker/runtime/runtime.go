// Package runtime is the isolator "docker/runtime": a container with a Docker image has the
// entry point, command, environment and working directory of that, where the framework names
// none. The user of the image is not taken, as in Mesos: a container runs as the framework's.
package runtime

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/imagedefaults"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "docker/runtime"

// Config are the agent's flags.
type Config struct {
	// Ignore has containers not have any of it (--docker_ignore_runtime).
	Ignore bool
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
	if i.cfg.Ignore || c.Rootfs == nil || c.Rootfs.Defaults.Type != mesos.Image_DOCKER {
		return nil
	}
	return imagedefaults.Apply(c, spec)
}
