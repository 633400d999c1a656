package app

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/mesos-operator/mesos-operator/internal/masterclient"
	"github.com/mesos-operator/mesos-operator/mesosctl/console"
)

func newTaskExec(o *options) *cobra.Command {
	c := newConsole(o, console.Exec)
	c.Use = "exec [flags] TASK -- COMMAND [ARG...]"
	c.Short = "Run a command beside a task"
	c.Long = `Run a command in the container of a running task: with its files, its network and its environment.
TASK is the task's ID, or its name. The exit status is the command's. Interrupting mesosctl ends the command.`
	c.Example = "  mesosctl task exec web-1 -- ps aux\n  mesosctl task exec -it web-1 -- bash"
	c.Args = cobra.MinimumNArgs(2)
	c.Flags().StringVar(&c.console.User, "run-as", "", "the user to run as; default: the task's")
	c.Flags().BoolVarP(&c.console.TTY, "tty", "t", false, "give the command a terminal")
	return &c.Command
}

func newTaskAttach(o *options) *cobra.Command {
	c := newConsole(o, console.Attach)
	c.Use = "attach [flags] TASK"
	c.Short = "Attach to the output and input of a task"
	c.Long = `Attach to the streams of a running task that was started for it: one with a terminal (container.tty_info).
TASK is the task's ID, or its name. At a terminal ctrl-p ctrl-q detaches. The exit status is 0 if the task finished or was left.`
	c.Example = "  mesosctl task attach -i console-1"
	c.Args = cobra.ExactArgs(1)
	return &c.Command
}

// consoleCommand is a command that connects streams with a container.
type consoleCommand struct {
	cobra.Command
	console console.Options
}

func newConsole(o *options, connect func(context.Context, *masterclient.Client, console.Options) error) *consoleCommand {
	c := &consoleCommand{console: console.Options{In: o.streams.In, Out: o.streams.Out, Err: o.streams.Err}}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := o.client(cmd.Context())
		if err != nil {
			return err
		}
		c.console.Task, c.console.Command = args[0], args[1:]
		return connect(cmd.Context(), client, c.console)
	}
	c.Flags().StringVar(&c.console.Framework, "framework", "", "the framework's ID, if several have a task of that name")
	c.Flags().BoolVarP(&c.console.Interactive, "stdin", "i", false, "send standard input")
	return c
}
