// Package devices is the isolator "cgroups/devices": a container may use only the
// devices that every container needs, and those that the agent is told to allow.
//
// It works through the runtime's specification: on cgroup v1 with any runtime, on
// v2, where the kernel wants a program for it, with the OCI runtime.
package devices

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
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
	// OCI says that containers are started by the OCI runtime.
	OCI bool
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
	case tree.Version() == cgroups.V2 && !cfg.OCI:
		return nil, fmt.Errorf("isolator %s: on cgroup v2 it needs the OCI runtime", Name)
	}
	i := &Isolator{rules: []specs.LinuxDeviceCgroup{{Access: "rwm"}}} // none, but
	for _, d := range usual {
		i.rules = append(i.rules, specs.LinuxDeviceCgroup{Allow: true, Type: d.kind, Major: d.major, Minor: d.minor, Access: d.access})
	}
	for _, a := range cfg.Allowed.GetAllowedDevices() {
		rule, err := ruleOf(cfg.Root, a)
		if err != nil {
			return nil, fmt.Errorf("isolator %s: %w", Name, err)
		}
		i.rules = append(i.rules, rule)
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

func ruleOf(root string, a *mesos.DeviceAccess) (specs.LinuxDeviceCgroup, error) {
	path := a.GetDevice().GetPath()
	if path == "" {
		return specs.LinuxDeviceCgroup{}, fmt.Errorf("an allowed device without a path")
	}
	rule := specs.LinuxDeviceCgroup{Allow: true}
	for letter, allowed := range map[string]bool{
		"r": a.GetAccess().GetRead(), "w": a.GetAccess().GetWrite(), "m": a.GetAccess().GetMknod(),
	} {
		if allowed {
			rule.Access += letter
		}
	}
	if rule.Access == "" {
		return rule, fmt.Errorf("device %s is allowed for nothing: want read, write or mknod", path)
	}
	info, err := os.Stat(filepath.Join(root, path))
	if err != nil {
		return rule, fmt.Errorf("device %s: %w", path, err)
	}
	switch {
	case info.Mode()&os.ModeCharDevice != 0:
		rule.Type = "c"
	case info.Mode()&os.ModeDevice != 0:
		rule.Type = "b"
	default:
		return rule, fmt.Errorf("%s is not a device", path)
	}
	number := uint64(info.Sys().(*syscall.Stat_t).Rdev) //nolint:unconvert // 32 bits on some platforms
	rule.Major, rule.Minor = new(int64(unix.Major(number))), new(int64(unix.Minor(number)))
	return rule, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(_ *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	spec.Linux.Resources.Devices = i.rules
	return nil
}
