// Package image is the isolator "volume/image": the contents of an image appear in a
// container, as a root file system of its own that the container may change unless the
// volume is read-only. The containerizer has it provisioned, as it takes its time.
package image

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/volume"
)

// Name is the isolator's name.
const Name = "volume/image"

// Config says where files are.
type Config struct {
	// Root is a prefix by which the agent reaches the containers' files.
	Root string
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
	for n, v := range c.Config.Container.GetVolumes() {
		if volume.KindOf(v) != volume.Image {
			continue
		}
		if c.Config.Class == containerizer.ClassDebug {
			return errors.New("a debug container has the volumes of its parent")
		}
		rootfs := c.Volumes[n]
		if rootfs == nil {
			return fmt.Errorf("the image of volume %s is not provisioned", v.GetContainerPath())
		}
		destination, err := volume.MountPoint(c, i.cfg.Root, v.GetContainerPath(), true)
		if err != nil {
			return err
		}
		spec.Mounts = append(spec.Mounts, volume.Bind(v, rootfs.Path, destination))
	}
	return nil
}
