// Package rlimits is the isolator "posix/rlimits": a container's processes have
// the resource limits that its ContainerInfo names.
package rlimits

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "posix/rlimits"

// infinity is RLIM_INFINITY.
const infinity = 1<<64 - 1

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator.
func New() *Isolator { return &Isolator{} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (*Isolator) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	for _, l := range c.Config.Container.GetRlimitInfo().GetRlimits() {
		limit, err := convert(l)
		if err != nil {
			return err
		}
		spec.Process.Rlimits = append(spec.Process.Rlimits, limit)
	}
	return nil
}

// convert reads one limit. Without values there is none; one value alone says
// nothing.
func convert(l *mesos.RLimitInfo_RLimit) (specs.POSIXRlimit, error) {
	name, ok := strings.CutPrefix(l.GetType().String(), "RLMT_")
	if !ok {
		return specs.POSIXRlimit{}, fmt.Errorf("unknown resource limit %s", l.GetType())
	}
	out := specs.POSIXRlimit{Type: "RLIMIT_" + name, Soft: infinity, Hard: infinity}
	switch {
	case (l.Soft == nil) != (l.Hard == nil):
		return out, fmt.Errorf("resource limit %s: both the soft and the hard limit have to be set, or neither", name)
	case l.GetSoft() > l.GetHard():
		return out, fmt.Errorf("resource limit %s: the soft limit %d is over the hard one, %d", name, l.GetSoft(), l.GetHard())
	case l.Soft != nil:
		out.Soft, out.Hard = l.GetSoft(), l.GetHard()
	}
	return out, nil
}
