// Package devices is the isolator "linux/devices": containers with a root file
// system of their own, whose /dev has but a few devices, find those of
// --allowed_devices in it too.
//
// A device's mode says what it is allowed for, to every user: who may is decided
// for containers, as by the isolator cgroups/devices, which has to let them as
// well. Containers without an image have the node's /dev.
package devices

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/device"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "linux/devices"

// Config are the agent's flags.
type Config struct {
	// Allowed are the devices (--allowed_devices).
	Allowed *mesos.DeviceWhitelist
	// Root is a prefix by which the agent reaches the node's files.
	Root string
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	devices []specs.LinuxDevice
}

// New returns the isolator. The error says what is wrong with an allowed device.
func New(cfg Config) (*Isolator, error) {
	allowed, err := device.Whitelist(cfg.Root, cfg.Allowed)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	i := &Isolator{}
	for _, a := range allowed {
		i.devices = append(i.devices, specs.LinuxDevice{
			Path: inside(a.Path), Type: a.Type, Major: a.Major, Minor: a.Minor,
			FileMode: new(mode(a.Access)), UID: new(uint32(0)), GID: new(uint32(0)),
		})
	}
	return i, nil
}

// inside is the device's name in the container. One that is elsewhere on the node is
// below /dev all the same, as in Mesos.
func inside(path string) string {
	return filepath.Join("/dev", strings.TrimPrefix(filepath.Clean(path), "/dev/"))
}

// mode lets root read and write, and everybody what the access says. Making device
// nodes is nothing that a mode could forbid.
func mode(access string) os.FileMode {
	m := os.FileMode(0o600)
	if strings.Contains(access, "r") {
		m |= 0o044
	}
	if strings.Contains(access, "w") {
		m |= 0o022
	}
	return m
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(_ *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	if spec.Root != nil {
		spec.Linux.Devices = append(spec.Linux.Devices, i.devices...)
	}
	return nil
}
