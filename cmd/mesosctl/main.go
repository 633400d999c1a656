// Command mesosctl runs tasks on Mesos clusters and looks at them. Under the name kubectl-mesos it is
// a kubectl plugin.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mesos-operator/mesos-operator/mesosctl/app"
	"github.com/mesos-operator/mesos-operator/mesosctl/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	if err := app.New(app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}).ExecuteContext(ctx); err != nil {
		if exit, ok := errors.AsType[*console.ExitError](err); ok {
			os.Exit(exit.Code) // the command has said why itself
		}
		fmt.Fprintln(os.Stderr, "mesosctl:", err)
		os.Exit(1)
	}
}
