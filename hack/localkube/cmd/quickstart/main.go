// Command quickstart is behind "make up" and "make down": it brings the whole
// project up on a Kubernetes cluster, or on a localkube that it starts, and takes it
// down again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/cluster"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/progress"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/quickstart"
	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/reexec"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if ours, err := reexec.Run(args); ours {
		return err
	}
	q := quickstart.Quickstart{Out: os.Stdout}
	commands := map[string]func(context.Context) error{
		"up":   func(ctx context.Context) error { return q.Up(ctx) },
		"down": func(ctx context.Context) error { return q.Down(ctx) },
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("usage: quickstart up|down [flags]")
	}
	f := flag.NewFlagSet("quickstart "+args[0], flag.ContinueOnError)
	read := config.Flags(f)
	f.StringVar(&q.Registry, "registry", "", "registry and `path` to push images to, for a cluster other than localkube")
	// Not the commit: every commit, of documentation too, would be rolled out.
	f.StringVar(&q.Version, "version", "dev", "version to stamp into the binaries")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	c, err := read()
	if err != nil {
		return err
	}
	q.Cluster = cluster.Cluster{Config: c, Log: progress.New(os.Stderr)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return commands[args[0]](ctx)
}
