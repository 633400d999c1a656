// Package cpu is the isolator "posix/cpu": it limits nothing and measures the
// CPU time of a container's processes by walking their tree, which needs no
// privilege.
package cpu

import (
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "posix/cpu"

// ticksPerSecond is USER_HZ, in which /proc counts on all architectures that Go
// supports.
const ticksPerSecond = 100

// Isolator implements isolator.Isolator.
type Isolator struct{ isolator.Nop }

// New returns the isolator.
func New() *Isolator { return &Isolator{} }

// Name implements isolator.Isolator.
func (*Isolator) Name() string { return Name }

// Usage implements isolator.Isolator.
func (*Isolator) Usage(c *isolator.Container, s *mesos.ResourceStatistics) error {
	tree, err := process.Tree(c.Stage)
	if err != nil {
		return err
	}
	var user, system uint64
	for _, p := range tree {
		user += p.User
		system += p.System
	}
	s.CpusUserTimeSecs = new(float64(user) / ticksPerSecond)
	s.CpusSystemTimeSecs = new(float64(system) / ticksPerSecond)
	return nil
}
