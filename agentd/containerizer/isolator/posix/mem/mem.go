// Package mem is the isolator "posix/mem": it limits nothing and measures the
// memory of a container's processes by walking their tree, which needs no
// privilege. Pages that processes share count for each of them.
package mem

import (
	"os"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Name is the isolator's name.
const Name = "posix/mem"

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
	var pages int64
	for _, p := range tree {
		pages += p.ResidentPages
	}
	s.MemRssBytes = new(uint64(pages) * uint64(os.Getpagesize()))
	return nil
}
