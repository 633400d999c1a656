// Package member is the isolators "cgroups/cpuset", "cgroups/hugetlb",
// "cgroups/net_prio" and "cgroups/pids": a container has a group of its own in
// that controller's hierarchy, with what the group above it has, and nothing
// more is set. Operators and monitoring use the groups.
package member

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
)

// The names of the isolators.
const (
	CPUSet  = "cgroups/cpuset"
	HugeTLB = "cgroups/hugetlb"
	NetPrio = "cgroups/net_prio"
	PIDs    = "cgroups/pids"
)

// Controllers are the kernel's names for what the isolators are about.
var Controllers = map[string]string{
	CPUSet: "cpuset", HugeTLB: "hugetlb", NetPrio: "net_prio", PIDs: "pids",
}

// Isolator implements isolator.Isolator.
type Isolator struct {
	isolator.Nop
	name string
}

// New returns the isolator of a name. The error says what the machine lacks.
func New(name string, tree *cgroups.Tree) (*Isolator, error) {
	controller, ok := Controllers[name]
	if !ok {
		return nil, fmt.Errorf("isolator %s: unknown", name)
	}
	if !tree.Has(controller) {
		return nil, fmt.Errorf("isolator %s: %w: %q", name, cgroups.ErrNoController, controller)
	}
	return &Isolator{name: name}, nil
}

// Name implements isolator.Isolator.
func (i *Isolator) Name() string { return i.name }
