// Command masterd is a Mesos master. It takes the flags of mesos-master.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mesos-operator/mesos-operator/internal/flags"
	"github.com/mesos-operator/mesos-operator/internal/logging"
	"github.com/mesos-operator/mesos-operator/internal/version"
	"github.com/mesos-operator/mesos-operator/masterd/app"
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) > 1 && os.Args[1] == "registry" {
		return registry()
	}
	f := app.NewFlags()
	err := f.Set.Parse(os.Args[1:], os.Environ())
	switch {
	case errors.Is(err, flags.ErrHelp):
		if err := f.Set.Usage(os.Stdout); err != nil {
			return 1
		}
		return 0
	case f.ShowVersion:
		fmt.Printf("mesos %s (masterd %s)\n", version.Mesos, version.Build())
		return 0
	case err == nil:
		err = f.Validate()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n\nSee `masterd --help` for a list of supported flags.\n", err)
		return 1
	}
	logs, err := logging.New(f.Logging())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer logs.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := app.Run(ctx, f, logs); err != nil {
		logs.Logger.Error(err, "the master ended")
		return 1
	}
	logs.Logger.Info("the master stopped")
	return 0
}

// registry exports or imports a registry.
func registry() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := app.RegistryCommand(ctx, os.Args[2:], os.Environ(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
