package taskrun

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/masterclient"
)

// failoverTimeout is for how long the master keeps the task of a framework that is away, and for how
// long a leading master is looked for: masters elect one in seconds, but may have to be restarted.
const failoverTimeout = 5 * time.Minute

// Pauses between attempts to reach a leading master.
const (
	minPause = 200 * time.Millisecond
	maxPause = 5 * time.Second
)

// connectTimeout bounds one search for the leading master.
const connectTimeout = 30 * time.Second

// lost says whether an error means that there is no master at the other end any more, rather than
// one that refuses.
func lost(err error) bool {
	if err == nil || errors.Is(err, masterclient.ErrRefused) {
		return false
	}
	if refusal, ok := errors.AsType[*masterclient.StatusError](err); ok {
		return refusal.Code >= http.StatusInternalServerError
	}
	return true
}

// subscribe begins a session with the leading master.
func (r *run) subscribe(ctx context.Context) error {
	search, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	client, err := r.connect(search)
	if err != nil {
		return err
	}
	session, err := client.Subscribe(context.WithoutCancel(ctx), r.info)
	if err != nil {
		return err
	}
	r.client, r.session, r.info.Id = client, session, session.FrameworkID()
	return nil
}

// resume subscribes again after the master was lost, and asks what has become of the task. It gives
// up after failoverTimeout; once the user has, after killGrace, or at once if there is no task yet.
func (r *run) resume(ctx context.Context, cause error) error {
	r.note("the master is gone: looking for the leading one")
	interrupted, end := ctx.Done(), time.Now().Add(failoverTimeout)
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		r.session.Close()
		err := r.subscribe(context.WithoutCancel(ctx))
		if err == nil {
			r.note("framework %s subscribed again", r.info.Id.GetValue())
			err = r.reconcile(context.WithoutCancel(ctx))
		}
		switch {
		case err == nil:
			return nil
		case !lost(err):
			return err
		case time.Now().After(end):
			return fmt.Errorf("no leading master was found: %w", errors.Join(cause, err))
		}
		select {
		case <-time.After(pause):
		case <-interrupted:
			if !r.launched {
				return context.Cause(ctx)
			}
			interrupted, end = nil, time.Now().Add(killGrace)
		}
	}
}

// reconcile has the master tell the task's state, and that it is to be killed if it is.
func (r *run) reconcile(ctx context.Context) error {
	if !r.launched {
		return nil
	}
	if r.killed {
		return r.kill(ctx)
	}
	return r.session.Call(ctx, &scheduler.Call{
		Type: scheduler.Call_RECONCILE.Enum(),
		Reconcile: &scheduler.Call_Reconcile{Tasks: []*scheduler.Call_Reconcile_Task{{
			TaskId: r.task.TaskId, AgentId: r.task.AgentId,
		}}},
	})
}
