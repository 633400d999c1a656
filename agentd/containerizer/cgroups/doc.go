// Package cgroups makes, reads, empties and removes control groups, on v1
// (each controller a hierarchy of its own), on v2 and on v1 with a unified
// hierarchy beside it.
//
// A [Group] is one path in all hierarchies of the machine. A container's
// processes are in its group in every one of them, also in those without a
// limit: runc and crun, and so Kubernetes, kill what they find in one
// hierarchy of a pod's group, so a process must have left the pod's groups
// everywhere to outlive the agent's pod.
//
// On v2 a group that passes controllers on to children must not have processes
// itself. Processes therefore are in a child named [Leaf]; limits are set on
// the group.
//
// The agent may see the file systems of the node through /proc/<pid>/root while
// the processes that it starts live in the node's mount namespace: a
// [Hierarchy] has both names. Isolators, runtimes and the containerizer use
// this package. It keeps nothing in memory: the file system is the state.
package cgroups

import "errors"

// Leaf is the child of a v2 group that has the processes.
const Leaf = "leaf"

// Errors that callers tell apart with errors.Is.
var (
	// ErrNoHierarchy says that no cgroup file system is mounted where it was
	// looked for.
	ErrNoHierarchy = errors.New("no cgroup hierarchy")
	// ErrNoController says that the machine has no such controller.
	ErrNoController = errors.New("no such cgroup controller")
)

// Version is the interface of the controllers.
type Version int

const (
	// V1 is one hierarchy a controller, perhaps with a unified hierarchy
	// without controllers beside them.
	V1 Version = 1
	// V2 is the unified hierarchy alone.
	V2 Version = 2
)
