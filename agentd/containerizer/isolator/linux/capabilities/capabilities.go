// Package capabilities is the isolator "linux/capabilities": what of root's power
// a container has, and the most that it can ever get.
package capabilities

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "linux/capabilities"

// Config are the agent's flags.
type Config struct {
	// Effective is what containers have that ask for nothing
	// (--effective_capabilities); nil for what their user has.
	Effective *mesos.CapabilityInfo
	// Bounding is the most that a container may ask for
	// (--bounding_capabilities); nil for no bound.
	Bounding *mesos.CapabilityInfo
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	cfg Config
}

// New returns the isolator. The flags must not contradict each other.
func New(cfg Config) (*Isolator, error) {
	if cfg.Effective != nil && cfg.Bounding != nil && !within(cfg.Effective, cfg.Bounding) {
		return nil, fmt.Errorf("isolator %s: effective capabilities %s are not all among the bounding ones %s",
			Name, text(cfg.Effective), text(cfg.Bounding))
	}
	return &Isolator{cfg: cfg}, nil
}

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (i *Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	effective, bounding, err := i.sets(c.Config.Container.GetLinuxInfo())
	if err != nil || bounding == nil {
		return err
	}
	set := &specs.LinuxCapabilities{Bounding: kernelNames(bounding)}
	switch {
	case effective != nil:
		// The ambient set is what a user other than root keeps when it executes.
		names := kernelNames(effective)
		set.Effective, set.Permitted, set.Inheritable, set.Ambient = names, names, names, names
	case spec.Process.User.UID == 0:
		set.Effective, set.Permitted = set.Bounding, set.Bounding
	}
	spec.Process.Capabilities = set
	return nil
}

// sets are the capabilities of a container: what it asks for, or else the agent's.
// Both are nil if neither says anything.
func (i *Isolator) sets(asked *mesos.LinuxInfo) (effective, bounding *mesos.CapabilityInfo, err error) {
	if asked.GetCapabilityInfo() != nil && asked.GetEffectiveCapabilities() != nil {
		return nil, nil, errors.New("only one of capability_info and effective_capabilities can be set")
	}
	effective, bounding = i.cfg.Effective, i.cfg.Bounding
	if asked.GetCapabilityInfo() != nil {
		effective = asked.GetCapabilityInfo()
	}
	if asked.GetEffectiveCapabilities() != nil {
		effective = asked.GetEffectiveCapabilities()
	}
	if b := asked.GetBoundingCapabilities(); b != nil {
		if i.cfg.Bounding != nil && !within(b, i.cfg.Bounding) {
			return nil, nil, fmt.Errorf("bounding capabilities %s are not all among those that the agent allows, %s", text(b), text(i.cfg.Bounding))
		}
		bounding = b
	}
	if bounding == nil {
		bounding = effective
	}
	if effective != nil && !within(effective, bounding) {
		return nil, nil, fmt.Errorf("capabilities %s are not all among those allowed, %s", text(effective), text(bounding))
	}
	return effective, bounding, nil
}

func within(a, b *mesos.CapabilityInfo) bool {
	return !slices.ContainsFunc(a.GetCapabilities(), func(c mesos.CapabilityInfo_Capability) bool {
		return !slices.Contains(b.GetCapabilities(), c)
	})
}

// kernelNames converts: Mesos's names lack the prefix. Each appears once.
func kernelNames(info *mesos.CapabilityInfo) []string {
	names := make([]string, 0, len(info.GetCapabilities()))
	for _, c := range info.GetCapabilities() {
		if c != mesos.CapabilityInfo_UNKNOWN {
			names = append(names, "CAP_"+c.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func text(info *mesos.CapabilityInfo) string {
	return "[" + strings.Join(kernelNames(info), " ") + "]"
}
