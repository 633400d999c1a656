package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/oversubscription"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

func revocableCPUs(cpus float64) *mesos.Resource {
	return &mesos.Resource{
		Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &cpus},
		Revocable: &mesos.Resource_RevocableInfo{},
	}
}

// estimator answers with what a test sends, or an error, and tells what it saw.
type estimator struct {
	estimates chan resources.Resources
	seen      chan oversubscription.Usage
}

func (e estimator) Oversubscribable(ctx context.Context, u oversubscription.Usage) (resources.Resources, error) {
	select {
	case r, ok := <-e.estimates:
		if !ok {
			return r, errors.New("no estimate")
		}
		e.seen <- u
		return r, nil
	case <-ctx.Done():
		return resources.Resources{}, ctx.Err()
	}
}

// controller answers likewise.
type controller chan []oversubscription.Kill

func (c controller) Corrections(ctx context.Context, _ oversubscription.Usage) ([]oversubscription.Kill, error) {
	select {
	case kills := <-c:
		return kills, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestOversubscription: estimator and controller see what runs, the master is told
// what they say, and an executor that has to go is killed.
func TestOversubscription(t *testing.T) {
	master, containers := enginetest.NewMaster(t), enginetest.NewContainers()
	estimates := estimator{make(chan resources.Resources), make(chan oversubscription.Usage, 10)}
	corrections := make(controller)
	a := startAgent(t, t.TempDir(), master, containers, func(c *Config) {
		c.Oversubscription = Oversubscription{Estimator: estimates, Controller: corrections, EstimationInterval: time.Millisecond}
	})
	if u := enginetest.Expect[*messages.UpdateSlaveMessage](master); u.GetUpdateOversubscribedResources() {
		t.Errorf("told %v before there is an estimate", u)
	}
	checkTold := func(cpus float64) {
		t.Helper()
		u := enginetest.Expect[*messages.UpdateSlaveMessage](master)
		if got := resources.Of(u.GetOversubscribedResources()...); !u.GetUpdateOversubscribedResources() || !got.Equal(resources.Of(revocableCPUs(cpus))) {
			t.Errorf("told of %v, want %g revocable cpus", got, cpus)
		}
	}
	estimates.estimates <- resources.Of(revocableCPUs(2))
	checkTold(2)
	<-estimates.seen

	run := runTask("t1")
	run.Task.Resources = []*mesos.Resource{revocableCPUs(1.5)}
	master.Send(run)
	stream := a.subscribe("t1", &executor.Call_Subscribe{})
	event(t, stream, executor.Event_LAUNCH)
	a.report("t1", mesos.TaskState_TASK_RUNNING, 1)
	master.Acknowledge(master.Update(mesos.TaskState_TASK_RUNNING))
	estimates.estimates <- resources.Of(revocableCPUs(1))
	checkTold(2.5) // what is used counts
	usage := <-estimates.seen
	if len(usage.Executors) != 1 || usage.Executors[0].ID != "t1" || usage.Executors[0].Framework != "m-0000" ||
		usage.Executors[0].Allocated.Revocable().Scalar("cpus") != 1500 {
		t.Fatalf("seen %+v", usage)
	}
	close(estimates.estimates) // errors change nothing

	corrections <- []oversubscription.Kill{
		{Framework: "m-0000", Executor: "t1", Container: "another"},
		{Framework: "m-0000", Executor: "t1", Container: usage.Executors[0].Container},
	}
	gone := master.Update(mesos.TaskState_TASK_GONE)
	if gone.GetStatus().GetReason() != mesos.TaskStatus_REASON_CONTAINER_PREEMPTED {
		t.Errorf("preempted with %v", gone)
	}
	master.Acknowledge(gone)
	eventually(t, "the counters say so", func() error {
		v, err := a.View(t.Context())
		if err != nil || v.Counters.ExecutorsPreempted != 1 || !v.Lent.Equal(resources.Of(revocableCPUs(2.5))) {
			return fmt.Errorf("%+v, lent %v, %w", v.Counters, v.Lent, err)
		}
		return nil
	})
}
