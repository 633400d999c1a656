// Package devices is the isolator "cgroups/devices": a container may use only the
// devices that every container needs, and those that the agent is told to allow.
//
// The rules hold for the container's group and all below it: processes that are
// forked into it, such as those of debug containers, included. On cgroup v1 they
// are lines of a file, on v2 a program that the kernel runs.
package devices

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/devicefilter"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/device"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "cgroups/devices"

// Config are the agent's flags.
type Config struct {
	// Allowed are devices beyond the usual (--allowed_devices).
	Allowed *mesos.DeviceWhitelist
	// Root is a prefix by which the agent reaches the node's files.
	Root string
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	rules []specs.LinuxDeviceCgroup
}

// New returns the isolator. The error says what the machine lacks or what is wrong
// with the allowed devices.
func New(cfg Config, tree *cgroups.Tree) (*Isolator, error) {
	switch {
	case tree.Version() == cgroups.V1 && !tree.Has("devices"):
		return nil, fmt.Errorf("isolator %s: %w: %q", Name, cgroups.ErrNoController, "devices")
	case tree.Version() == cgroups.V2:
		if err := devicefilter.Supported(); err != nil {
			return nil, fmt.Errorf("isolator %s: %w", Name, err)
		}
	}
	i := &Isolator{rules: []specs.LinuxDeviceCgroup{{Access: "rwm"}}} // none, but
	for _, d := range usual {
		i.rules = append(i.rules, specs.LinuxDeviceCgroup{Allow: true, Type: d.kind, Major: d.major, Minor: d.minor, Access: d.access})
	}
	allowed, err := device.Whitelist(cfg.Root, cfg.Allowed)
	if err != nil {
		return nil, fmt.Errorf("isolator %s: %w", Name, err)
	}
	for _, a := range allowed {
		i.rules = append(i.rules, a.Rule(a.Access))
	}
	return i, nil
}

// usual are the devices of every container, by Linux's numbers
// (Documentation/admin-guide/devices.txt). A nil number is any.
var usual = []struct {
	kind         string
	major, minor *int64
	access       string
}{
	{"c", nil, nil, "m"},
	{"b", nil, nil, "m"},
	{"c", new(int64(5)), new(int64(1)), "rwm"},    // console
	{"c", new(int64(4)), new(int64(0)), "rwm"},    // tty0
	{"c", new(int64(4)), new(int64(1)), "rwm"},    // tty1
	{"c", new(int64(136)), nil, "rwm"},            // pts/*
	{"c", new(int64(5)), new(int64(2)), "rwm"},    // ptmx
	{"c", new(int64(10)), new(int64(200)), "rwm"}, // net/tun
	{"c", new(int64(1)), new(int64(3)), "rwm"},    // null
	{"c", new(int64(1)), new(int64(5)), "rwm"},    // zero
	{"c", new(int64(1)), new(int64(7)), "rwm"},    // full
	{"c", new(int64(5)), new(int64(0)), "rwm"},    // tty
	{"c", new(int64(1)), new(int64(9)), "rwm"},    // urandom
	{"c", new(int64(1)), new(int64(8)), "rwm"},    // random
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Rules are those of every container.
func (i *Isolator) Rules() []specs.LinuxDeviceCgroup { return slices.Clone(i.rules) }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(_ *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	spec.Linux.Resources.Devices = i.Rules() // others add to them
	return nil
}
