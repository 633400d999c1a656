package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
)

// Options say what to connect.
type Options struct {
	// Task is a task's ID or name; Framework chooses among those of several frameworks.
	Task, Framework string
	// Command is run by Exec, with a terminal of its own if TTY is set, as User if
	// that isn't empty.
	Command []string
	TTY     bool
	User    string
	// Interactive sends In.
	Interactive bool
	In          io.Reader
	Out, Err    io.Writer
}

// ExitError is a command that did not exit with 0.
type ExitError struct {
	// Code is its exit status, or 128 and the signal that ended it, as shells have it.
	Code int
}

// Error implements error.
func (e *ExitError) Error() string {
	return fmt.Sprintf("command terminated with exit code %d", e.Code)
}

// settleTimeout is how long the end of a task or container may take to be known
// after its output has ended.
const settleTimeout = 15 * time.Second

// Exec runs a command in the surroundings of a task, until it ends. Its exit
// status is returned as *ExitError. When ctx ends, so does the command.
func Exec(ctx context.Context, client *masterclient.Client, o Options) error {
	t, err := find(ctx, client, o.Framework, o.Task)
	if err != nil {
		return err
	}
	user := terminalOf(o.In)
	id := &mesos.ContainerID{Value: new("exec-" + rand.Text()), Parent: t.container}
	launch := &agent.Call_LaunchNestedContainerSession{ContainerId: id, Command: &mesos.CommandInfo{
		Shell: new(false), Value: &o.Command[0], Arguments: o.Command,
	}}
	if o.User != "" {
		launch.Command.User = &o.User
	}
	if o.TTY {
		launch.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), TtyInfo: user.size()}
		if launch.Container.TtyInfo == nil {
			launch.Container.TtyInfo = &mesos.TTYInfo{}
		}
	}
	c := &connection{client: client, options: o, target: t, container: id}
	if o.TTY {
		c.terminal = user
	}
	err = c.run(ctx, &agent.Call{Type: agent.Call_LAUNCH_NESTED_CONTAINER_SESSION.Enum(), LaunchNestedContainerSession: launch}, false)
	if err != nil {
		return err
	}
	defer c.remove()
	return c.exit(ctx)
}

// Attach connects with the streams of a task that was started for it, until it ends
// or the user detaches. A task that fails is an *ExitError.
func Attach(ctx context.Context, client *masterclient.Client, o Options) error {
	t, err := find(ctx, client, o.Framework, o.Task)
	if err != nil {
		return err
	}
	c := &connection{client: client, options: o, target: t, container: t.container}
	if t.task.GetContainer().GetTtyInfo() != nil {
		c.terminal = terminalOf(o.In)
	}
	err = c.run(ctx, &agent.Call{
		Type: agent.Call_ATTACH_CONTAINER_OUTPUT.Enum(), AttachContainerOutput: &agent.Call_AttachContainerOutput{ContainerId: t.container},
	}, true)
	switch {
	case errors.Is(err, errDetached):
		fmt.Fprintf(o.Err, "detached from task %s, which goes on\r\n", o.Task)
		return nil
	case err != nil:
		return err
	case t.container.GetParent() != nil:
		return c.exit(ctx) // the container is the task's own
	}
	return c.ended(ctx)
}

// errDetached ends a connection that the user left.
var errDetached = errors.New("detached")

// connection is one container's streams and the user's.
type connection struct {
	client    *masterclient.Client
	options   Options
	target    target
	container *mesos.ContainerID
	terminal  *terminal // nil without one
}

// run copies both ways until the container has closed its output.
func (c *connection) run(ctx context.Context, call *agent.Call, detachable bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	output, err := c.client.Attach(ctx, c.target.agent, call)
	if err != nil {
		return err
	}
	defer output.Close()
	ended := make(chan error, 2)
	go func() { ended <- c.copyOutput(output) }()
	var detached chan struct{}
	if !c.options.Interactive && !detachable {
		// A command that reads nevertheless finds the end.
		c.options.Interactive, c.options.In, c.terminal = true, strings.NewReader(""), nil
	}
	if c.options.Interactive {
		restore, err := c.terminal.raw()
		if err != nil {
			return err
		}
		defer restore()
		in := newInput(c.options.In, c.terminal, detachable && c.terminal != nil)
		defer in.stop()
		detached = in.detached
		go func() {
			// A container that has ended takes no input, which its output tells.
			if err := c.client.AttachInput(ctx, c.target.agent, c.container, in.next); err != nil && ctx.Err() == nil {
				if refused, ok := errors.AsType[*masterclient.StatusError](err); ok && refused.Code/100 == 4 {
					ended <- err
				}
			}
		}()
	}
	select {
	case err = <-ended:
	case <-detached:
		err = errDetached
	case <-ctx.Done():
		err = ctx.Err()
	}
	return err
}

func (c *connection) copyOutput(output *masterclient.Output) error {
	for {
		m, err := output.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the container's output: %w", err)
		}
		to := c.options.Out
		if m.GetData().GetType() == agent.ProcessIO_Data_STDERR {
			to = c.options.Err
		}
		if _, err := to.Write(m.GetData().GetData()); err != nil {
			return err
		}
	}
}

// exit is how the nested container ended.
func (c *connection) exit(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	r, err := c.client.Agent(ctx, c.target.agent, &agent.Call{
		Type: agent.Call_WAIT_NESTED_CONTAINER.Enum(), WaitNestedContainer: &agent.Call_WaitNestedContainer{ContainerId: c.container},
	})
	if err != nil {
		return fmt.Errorf("asking how the command ended: %w", err)
	}
	if r.GetWaitNestedContainer().ExitStatus == nil {
		return errors.New("nobody knows how the command ended")
	}
	status := syscall.WaitStatus(r.GetWaitNestedContainer().GetExitStatus())
	switch {
	case status.Signaled():
		return &ExitError{Code: 128 + int(status.Signal())}
	case status.ExitStatus() != 0:
		return &ExitError{Code: status.ExitStatus()}
	}
	return nil
}

// remove lets the agent forget the container of a command that ended. Where that
// fails its executor's end does it.
func (c *connection) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	_, _ = c.client.Agent(ctx, c.target.agent, &agent.Call{
		Type: agent.Call_REMOVE_NESTED_CONTAINER.Enum(), RemoveNestedContainer: &agent.Call_RemoveNestedContainer{ContainerId: c.container},
	})
}

// ended waits for the end of a task whose container is its executor's, too: only its
// state tells.
func (c *connection) ended(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		r, err := c.client.Master(ctx, &master.Call{Type: master.Call_GET_TASKS.Enum()})
		if err != nil {
			return fmt.Errorf("asking how the task ended: %w", err)
		}
		for _, t := range append(r.GetGetTasks().GetCompletedTasks(), r.GetGetTasks().GetTasks()...) {
			if t.GetTaskId().GetValue() != c.target.task.GetTaskId().GetValue() ||
				t.GetFrameworkId().GetValue() != c.target.task.GetFrameworkId().GetValue() {
				continue
			}
			switch t.GetState() {
			case mesos.TaskState_TASK_FINISHED:
				return nil
			case mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING, mesos.TaskState_TASK_KILLING:
			default:
				return &ExitError{Code: 1}
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the task's output ended, and the task goes on")
		case <-time.After(200 * time.Millisecond):
		}
	}
}
