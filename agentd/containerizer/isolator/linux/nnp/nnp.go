// Package nnp is the isolator "linux/nnp": what a container executes gives it no
// privilege that it doesn't have, so that set-user-ID programs are ordinary ones.
package nnp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// Name is the isolator's name.
const Name = "linux/nnp"

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator.
func New() *Isolator { return &Isolator{} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Prepare implements isolator.Isolator.
func (*Isolator) Prepare(_ *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	spec.Process.NoNewPrivileges = true
	return nil
}
