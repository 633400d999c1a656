// Package taskrun is the framework behind `mesosctl task run`: it subscribes, takes one fitting offer,
// launches one command task, follows it to its end and copies what it prints.
//
// It is an ordinary v1 framework and knows nothing of Kubernetes; it may serve as an example.
package taskrun

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
)

// Options describe the task.
type Options struct {
	// Name is the task's name and the start of its ID.
	Name string
	// Command is run by /bin/sh if Shell, else as a program with arguments.
	Command []string
	Shell   bool
	// Env is added to the task's environment.
	Env map[string]string
	// User runs the task on the agent; empty leaves it to the agent.
	User string
	// Role is the role whose offers are taken.
	Role string
	// Resources are the scalars the task needs, by name, in Mesos's units (cores, megabytes).
	Resources map[string]float64
	// Stdout gets what the task prints; Progress what happens to it, a line each.
	Stdout, Progress io.Writer
	// WaitNote is how long to wait for an offer before saying so, again and again.
	WaitNote time.Duration
}

// Validate checks the options.
func (o Options) Validate() error {
	switch {
	case len(o.Command) == 0:
		return errors.New("no command given")
	case o.Name == "":
		return errors.New("the task needs a name")
	case o.Role == "":
		return errors.New("the task needs a role")
	}
	for name, v := range o.Resources {
		if !(v >= 0) {
			return fmt.Errorf("%s: %v is not an amount", name, v)
		}
	}
	return nil
}

// FailedError tells that the task ended otherwise than by finishing.
type FailedError struct {
	State   mesos.TaskState
	Reason  mesos.TaskStatus_Reason
	Message string
}

// Error implements error.
func (e *FailedError) Error() string {
	text := "the task ended as " + e.State.String()
	if e.Reason != 0 {
		text += " (" + e.Reason.String() + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Connect returns a client of the leading master, wherever that is at the moment.
type Connect func(context.Context) (*masterclient.Client, error)

// run is one task on its way.
type run struct {
	Options
	connect  Connect
	info     *mesos.FrameworkInfo // with the framework's ID once it has one
	client   *masterclient.Client
	session  *masterclient.Scheduler
	task     *mesos.TaskInfo
	output   *follower
	launched bool
	killed   bool
}

// Run launches the task and returns when it has ended: nil if it finished, a [*FailedError] if it
// ended otherwise. When ctx is done the task is killed; its end is then awaited for a grace period. If
// the master goes away the task is followed at the next one.
func Run(ctx context.Context, connect Connect, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	r := &run{Options: o, connect: connect, info: frameworkInfo(o)}
	if err := r.subscribe(ctx); err != nil {
		return err
	}
	defer func() { r.session.Close() }()
	r.task = r.taskInfo()
	r.note("framework %s subscribed", r.info.Id.GetValue())
	err := r.loop(ctx)
	// The framework is done: its executors need not wait for a failover that will not come.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if teardown := r.session.Call(end, &scheduler.Call{Type: scheduler.Call_TEARDOWN.Enum()}); teardown != nil && err == nil {
		r.note("the master doesn't know that the framework is done, and forgets it in %v: %v", failoverTimeout, teardown)
	}
	return err
}

func (r *run) note(format string, args ...any) {
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

// killGrace is how long the end of a task is awaited after it was asked to end: the executor's own
// grace period is 3 s by default, and the agent's 5 s.
const killGrace = 15 * time.Second

type received struct {
	event *scheduler.Event
	err   error
}

func (r *run) loop(ctx context.Context) error {
	stop := make(chan struct{})
	defer close(stop)
	events := r.read(stop)
	waiting := time.NewTicker(r.WaitNote)
	defer waiting.Stop()
	interrupted := ctx.Done()
	var giveUp <-chan time.Time
	for {
		select {
		case in := <-events:
			done, err := false, in.err
			if err == nil {
				done, err = r.handle(context.WithoutCancel(ctx), in.event)
			}
			if !done && lost(err) {
				if err = r.resume(ctx, err); err == nil {
					events = r.read(stop)
				}
			}
			if done || err != nil {
				return err
			}
		case <-waiting.C:
			if !r.launched {
				r.note("still waiting for an offer with %s for role %q", describe(r.Resources), r.Role)
			}
		case <-interrupted:
			if !r.launched {
				return context.Cause(ctx)
			}
			interrupted, r.killed = nil, true
			giveUp = time.After(killGrace)
			r.note("killing task %s", r.task.TaskId.GetValue())
			if err := r.kill(context.WithoutCancel(ctx)); err != nil && !lost(err) { // or it is repeated at the next master
				return err
			}
		case <-giveUp:
			return fmt.Errorf("the task did not end within %v of being killed", killGrace)
		}
	}
}

// read returns what comes on the session's stream, the last with its error.
func (r *run) read(stop <-chan struct{}) <-chan received {
	events, session := make(chan received), r.session
	go func() {
		for {
			event, err := session.Next()
			select {
			case events <- received{event, err}:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return events
}

func (r *run) handle(ctx context.Context, event *scheduler.Event) (done bool, err error) {
	switch event.GetType() {
	case scheduler.Event_OFFERS:
		return false, r.offers(ctx, event.GetOffers().GetOffers())
	case scheduler.Event_UPDATE:
		return r.update(ctx, event.GetUpdate().GetStatus())
	case scheduler.Event_FAILURE:
		if id := event.GetFailure().GetAgentId(); id != nil {
			r.note("agent %s failed", id.GetValue())
		}
	case scheduler.Event_ERROR:
		return true, fmt.Errorf("%w: %s", masterclient.ErrRefused, event.GetError().GetMessage())
	}
	return false, nil
}

func (r *run) update(ctx context.Context, status *mesos.TaskStatus) (done bool, err error) {
	text := status.GetState().String()
	if m := status.GetMessage(); m != "" {
		text += ": " + m
	}
	r.note("%s", text)
	if status.GetState() == mesos.TaskState_TASK_RUNNING && r.output != nil {
		r.output.start(ctx)
	}
	if !terminal(status.GetState()) {
		return false, r.acknowledge(ctx, status)
	}
	// The last output is read before the end is acknowledged: afterwards the agent may collect the sandbox.
	if r.output != nil {
		if err := r.output.finish(ctx); err != nil {
			r.note("the task's output could not be read: %v", err)
		}
	}
	if err := r.acknowledge(ctx, status); err != nil && !lost(err) { // the framework is torn down anyway
		return true, err
	}
	if status.GetState() != mesos.TaskState_TASK_FINISHED {
		return true, &FailedError{State: status.GetState(), Reason: status.GetReason(), Message: status.GetMessage()}
	}
	return true, nil
}

func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING,
		mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_UNREACHABLE:
		return false
	}
	return true
}

// acknowledge confirms an update; those the master made itself carry no UUID and need no confirmation.
func (r *run) acknowledge(ctx context.Context, status *mesos.TaskStatus) error {
	if len(status.GetUuid()) == 0 {
		return nil
	}
	return r.session.Call(ctx, &scheduler.Call{
		Type: scheduler.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &scheduler.Call_Acknowledge{
			AgentId: status.GetAgentId(), TaskId: status.GetTaskId(), Uuid: status.GetUuid(),
		},
	})
}

func (r *run) kill(ctx context.Context) error {
	return r.session.Call(ctx, &scheduler.Call{
		Type: scheduler.Call_KILL.Enum(),
		Kill: &scheduler.Call_Kill{TaskId: r.task.TaskId, AgentId: r.task.AgentId},
	})
}
