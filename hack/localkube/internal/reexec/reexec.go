// Package reexec is the part of a program that it plays when localkube runs it
// again: as the first moment of a daemon, as the maker of a node's namespaces, as a
// node's pid 1, and as the controller of volumes. Every main whose process may call
// cluster.Up must ask it first.
package reexec

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cgroup"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cluster"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/node"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/volumes"
)

// Run plays the part that args ask for; ours is false if they ask for none.
func Run(args []string) (ours bool, err error) {
	parts := map[string]func(args []string) error{
		"enter":      enter,
		"node-clone": func(args []string) error { return node.Clone(args[0]) },
		"node-init":  func(args []string) error { return node.Init(args[0]) },
		"volumes":    provision,
	}
	if len(args) < 2 || parts[args[0]] == nil {
		return false, nil
	}
	return true, parts[args[0]](args[1:])
}

// enter CGROUP -- COMMAND... moves this very process into the cgroup and becomes the
// command, so that the command and all its children start there.
func enter(args []string) error {
	if len(args) < 3 || args[1] != "--" {
		return errors.New("enter: want CGROUP -- COMMAND")
	}
	if err := cgroup.Join(args[0], os.Getpid()); err != nil {
		return err
	}
	return fmt.Errorf("becoming %s: %w", args[2], syscall.Exec(args[2], args[2:], os.Environ()))
}

// provision runs the controller of volumes until it is told to end.
func provision(args []string) error {
	f := flag.NewFlagSet("volumes", flag.ContinueOnError)
	read := config.Flags(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	c, err := read()
	if err != nil {
		return err
	}
	client, err := cluster.Cluster{Config: c}.Client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return volumes.Run(ctx, c, client)
}
