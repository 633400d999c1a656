package engine

import (
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
)

// BenchmarkTasks is what the agent itself costs a task's life, checkpoints on a real
// disk included, containers not: several tasks at a time.
func BenchmarkTasks(b *testing.B) {
	for _, parallel := range []int{1, 50} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			master, containers := enginetest.NewMaster(b), enginetest.NewContainers()
			a := startAgent(b, b.TempDir(), master, containers)
			enginetest.Expect[*messages.UpdateSlaveMessage](master)
			go func() { // the framework acknowledges whatever comes
				for msg := range master.Got {
					if u, ok := msg.(*messages.StatusUpdateMessage); ok {
						master.Acknowledge(u.GetUpdate())
					}
				}
			}()
			var ids sync.WaitGroup
			slots, n := make(chan struct{}, parallel), 0
			for b.Loop() {
				slots <- struct{}{}
				id := fmt.Sprintf("t%d", n)
				n++
				ids.Go(func() {
					live(a, master, containers, id)
					<-slots
				})
			}
			ids.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}

// live is one task from its launch to its end.
func live(a *agent, master *enginetest.Master, containers *enginetest.Containers, id string) {
	master.Send(runTask(id))
	stream := a.subscribe(id, &executor.Call_Subscribe{})
	container := containerizer.IDOf(event(a.t, stream, executor.Event_SUBSCRIBED).GetSubscribed().GetContainerId())
	event(a.t, stream, executor.Event_LAUNCH)
	a.report(id, mesos.TaskState_TASK_RUNNING, 1)
	event(a.t, stream, executor.Event_ACKNOWLEDGED)
	a.report(id, mesos.TaskState_TASK_FINISHED, 2)
	event(a.t, stream, executor.Event_ACKNOWLEDGED)
	_ = containers.End(container, containerizer.Termination{Status: new(syscall.WaitStatus(0))})
}
