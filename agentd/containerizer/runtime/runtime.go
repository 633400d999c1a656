// Package runtime is the contract of what starts containers that isolators
// have specified: package posix forks and executes, package oci has an OCI
// runtime such as runc do it.
//
// Whatever the runtime, the parent of the container's process is a launch
// stage (package launch), which waits for it and writes its exit status to a
// file: how a container is found again and how it ended doesn't depend on the
// runtime. The containerizer is the only caller.
package runtime

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/spawn"
)

// StatusFile is the name, in a container's directory, of the file with the wait
// status of its first process.
const StatusFile = "status"

// Log is a standard stream whose files are bounded in size.
type Log = launch.Log

// Container is a container to start.
type Container struct {
	// ID names it.
	ID containerizer.ID
	// Dir is a directory for the runtime's and the stage's files.
	Dir string
	// Spec is what isolators made of it. Root is nil for the node's own file
	// system.
	Spec *specs.Spec
	// Mounts are made by the stage, in a mount namespace that goes away with it, before
	// anything else: they are what Root and mounts of Spec are taken from.
	Mounts []launch.Mount
	// Executable is what to execute, if that is not the first argument.
	Executable string
	// Group is its cgroup, which exists and has its limits; nil for none.
	Group *cgroups.Group
	// Stdin, Stdout and Stderr are its standard streams.
	Stdin, Stdout, Stderr *os.File
	// Logs bound those that are files.
	Logs []Log
	// ConsoleSocket is where an OCI runtime is to bring the terminal that the
	// specification asks for. Other runtimes find it in Stdin.
	ConsoleSocket string
	// Life is a file that the launch stage is to hold as long as it lives; nil for none.
	Life *os.File
	// Keep is called before the container's process starts, and makes the
	// stage findable.
	Keep func(stage process.Identity) error
}

// Running is a container that was started, perhaps in an earlier life of the agent.
type Running struct {
	ID  containerizer.ID
	Dir string
	// PID is the container's first process.
	PID int
}

// Runtime starts containers. Its methods may be called at once for several
// containers.
type Runtime interface {
	// Name is what is kept on disk to find the runtime of a container again.
	Name() string
	// Check refuses specifications that the runtime can't honour
	// (containerizer.ErrUnsupported).
	Check(spec *specs.Spec) error
	// Start starts a container, and returns its stage, which the caller waits
	// for, and its first process. After an error nothing is left.
	Start(ctx context.Context, c *Container) (*spawn.Child, int, error)
	// Signal signals the first process.
	Signal(ctx context.Context, r Running, signal syscall.Signal) error
	// Delete lets go of what the runtime keeps of a container whose processes
	// are gone. One that was never started is no error.
	Delete(ctx context.Context, r Running) error
}

// Status is where the wait status of a container's process appears.
func (c *Container) Status() string { return filepath.Join(c.Dir, StatusFile) }

// ProcsFiles are the files of the cgroups for the stage to join.
func (c *Container) ProcsFiles() []string {
	if c.Group == nil {
		return nil
	}
	return c.Group.ProcsFiles()
}
