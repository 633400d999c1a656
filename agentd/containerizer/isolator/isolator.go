// Package isolator is the contract of isolators: small packages that each
// contribute one thing to a container's OCI runtime specification, and may
// measure it, watch its limit, change it and clean up after it.
//
// # Order of calls for one container
//
//	Prepare ──> (the cgroup exists and has the limits) ──> Attach ──> (the process runs)
//	   ──> Watch, Usage, Status, Update in any order and at once ──> (all processes are gone)
//	   ──> Limited ──> Cleanup
//
// After a restart of the agent Attach comes first. Cleanup comes in any case,
// also after a Prepare or Attach that failed.
//
// The containerizer is the only caller. It makes these calls for one container
// one after the other, save as said above, and for several containers at once.
package isolator

import (
	"context"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/docker"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/provisioner"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Container is what isolators need to know of a container. They must not change it.
type Container struct {
	// ID names it.
	ID containerizer.ID
	// Config is what it was launched with; after recovery without environment.
	Config containerizer.Config
	// Parent is the container that this one is nested in; nil for none.
	Parent *Container
	// Rootfs is the root file system of its image; nil if it has that of the node.
	Rootfs *provisioner.Rootfs
	// Docker is what a container of type DOCKER asks for beyond its Config, which then has it in
	// the terms of one of type MESOS; nil for all others.
	Docker *docker.Plan
	// Volumes are the root file systems of those of its volumes that are images, by their
	// place in the list.
	Volumes map[int]*provisioner.Rootfs
	// Inside is where the container sees its sandbox: elsewhere than the node if it has
	// an image.
	Inside string
	// Group is its cgroup; nil if the containerizer makes none.
	Group *cgroups.Group
	// PID is the container's first process, zero before it runs.
	PID int
	// Stage is the parent of that process.
	Stage int
}

// Limitation says that a container hit a limit and must end.
type Limitation struct {
	// Reason is what tasks are told.
	Reason mesos.TaskStatus_Reason
	// Message is for the task's user.
	Message string
	// Resources are those whose limit was hit, with the amount that was used.
	Resources []*mesos.Resource
}

// Isolator contributes one kind of isolation.
type Isolator interface {
	// Name is what the agent's --isolation flag calls it.
	Name() string
	// Prepare adds to the specification of a new container.
	Prepare(c *Container, d Demand, spec *specs.Spec) error
	// Attach begins to observe a container. again is set after a restart of
	// the agent.
	Attach(c *Container, again bool) error
	// Watch returns when a limit was hit, or with the error of ctx when that
	// ends. An isolator without a limit to watch returns nil at once.
	Watch(ctx context.Context, c *Container) (*Limitation, error)
	// Update adds to r what is to be changed for a new demand.
	Update(c *Container, d Demand, r *specs.LinuxResources) error
	// Usage adds to s what was measured.
	Usage(c *Container, s *mesos.ResourceStatistics) error
	// Status adds to s what clients are told of a running container.
	Status(c *Container, s *mesos.ContainerStatus) error
	// Limited says whether a limit ended the container, for when its end was
	// quicker than Watch. nil if not.
	Limited(c *Container) *Limitation
	// Cleanup lets go of the container. Its processes are gone.
	Cleanup(c *Container) error
}

// Stager is an isolator with mounts that no specification can express, such as those of
// another container's mount namespace.
type Stager interface {
	// StageMounts are made before the runtime sees the specification, in a mount namespace of
	// the launch stage. It comes after Prepare.
	StageMounts(c *Container) []launch.Mount
}

// Runner is an isolator that has something to do beside what it is called for. The
// containerizer calls Run once, in a goroutine of its own, until ctx ends.
type Runner interface{ Run(ctx context.Context) }

// Gauged is an isolator with figures of its own among the agent's metrics.
type Gauged interface {
	// Gauges calls emit for each, at any moment.
	Gauges(emit func(name string, value float64))
}

// Nop does nothing, for isolators to embed.
type Nop struct{}

// Prepare implements Isolator.
func (Nop) Prepare(*Container, Demand, *specs.Spec) error { return nil }

// Attach implements Isolator.
func (Nop) Attach(*Container, bool) error { return nil }

// Watch implements Isolator.
func (Nop) Watch(context.Context, *Container) (*Limitation, error) { return nil, nil }

// Update implements Isolator.
func (Nop) Update(*Container, Demand, *specs.LinuxResources) error { return nil }

// Usage implements Isolator.
func (Nop) Usage(*Container, *mesos.ResourceStatistics) error { return nil }

// Status implements Isolator.
func (Nop) Status(*Container, *mesos.ContainerStatus) error { return nil }

// Limited implements Isolator.
func (Nop) Limited(*Container) *Limitation { return nil }

// Cleanup implements Isolator.
func (Nop) Cleanup(*Container) error { return nil }
