package app

import (
	"fmt"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/mesosctl/taskrun"
)

func newTask(o *options) *cobra.Command {
	c := &cobra.Command{Use: "task", Short: "Run tasks, list them and get into them"}
	c.AddCommand(newTaskRun(o), newTaskList(o), newTaskExec(o), newTaskAttach(o))
	return c
}

func newTaskRun(o *options) *cobra.Command {
	run := taskrun.Options{Stdout: o.streams.Out, Progress: o.streams.Err, WaitNote: 5 * time.Second}
	var cpus, mem, disk float64
	var env []string
	c := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a command as a task and follow it",
		Long: `Run a command as a task: register as a framework, wait for an offer, launch, print the
status updates to standard error and the task's output to standard output, until the task ends.
Interrupting mesosctl kills the task; if mesosctl is killed itself, the task is after five minutes.
If the leading master goes away, the task is followed at the next one. The exit status is 0 only if the task finished.`,
		Example: "  mesosctl task run --name hello -- echo hello\n  mesosctl task run --shell -- 'date; sleep 5; date'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			run.Command = args
			run.Resources = map[string]float64{"cpus": cpus, "mem": mem}
			if disk > 0 {
				run.Resources["disk"] = disk
			}
			var err error
			if run.Env, err = pairs(env); err != nil {
				return err
			}
			return taskrun.Run(c.Context(), o.client, run)
		},
	}
	f := c.Flags()
	f.StringVar(&run.Name, "name", "task", "the task's name, and the start of its ID")
	f.Float64Var(&cpus, "cpus", 0.1, "cores")
	f.Float64Var(&mem, "mem", 32, "memory, in megabytes")
	f.Float64Var(&disk, "disk", 0, "disk, in megabytes")
	f.StringVar(&run.Role, "role", "*", "the role to get offers as")
	f.StringVar(&run.User, "run-as", currentUser(), "the user to run as on the agent")
	f.BoolVar(&run.Shell, "shell", false, "hand the command to /bin/sh -c")
	f.StringArrayVar(&env, "env", nil, "NAME=VALUE for the task's environment; may be repeated")
	return c
}

func currentUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

func pairs(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range list {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env %q: write NAME=VALUE", item)
		}
		out[name] = value
	}
	return out, nil
}

func newTaskList(o *options) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List tasks", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := o.client(c.Context())
			if err != nil {
				return err
			}
			r, err := client.Master(c.Context(), &master.Call{Type: master.Call_GET_TASKS.Enum()})
			if err != nil {
				return err
			}
			tasks := append(r.GetGetTasks().GetPendingTasks(), r.GetGetTasks().GetTasks()...)
			if all {
				tasks = append(append(tasks, r.GetGetTasks().GetUnreachableTasks()...), r.GetGetTasks().GetCompletedTasks()...)
			}
			return printTasks(o.streams.Out, tasks)
		},
	}
	c.Flags().BoolVarP(&all, "all", "a", false, "unreachable and completed tasks as well")
	return c
}

func taskRow(t *mesos.Task) []string {
	return []string{t.GetTaskId().GetValue(), t.GetName(), strings.TrimPrefix(t.GetState().String(), "TASK_"), t.GetFrameworkId().GetValue(), t.GetAgentId().GetValue(), amounts(t.GetResources())}
}
