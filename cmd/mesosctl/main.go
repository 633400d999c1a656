// Command mesosctl runs tasks on Mesos clusters and looks at them. Under the name kubectl-mesos it is
// a kubectl plugin.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/mesos-operator/mesos-operator/mesosctl/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the program at once
	}()
	if err := app.New(app.Streams{Out: os.Stdout, Err: os.Stderr}).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mesosctl:", err)
		os.Exit(1)
	}
}
