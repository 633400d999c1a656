package state

import (
	"encoding/binary"
	"fmt"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// BenchmarkStatusUpdate is one status update through the machine: taken over,
// forwarded to the framework, published to operators.
func BenchmarkStatusUpdate(b *testing.B) {
	const agents, perAgent = 1000, 10
	r := newRig(b, testConfig())
	f := r.subscribe("s", "web")
	var keys []TaskKey
	var on []AgentID
	for n := range agents {
		a := r.addAgent(n, "cpus:16;mem:16384;ports:[31000-32000]")
		o := r.offer(f, a, "cpus:16;mem:16384;ports:[31000-32000]")
		var infos []*mesos.TaskInfo
		for i := range perAgent {
			id := fmt.Sprintf("task-%d-%d", n, i)
			infos = append(infos, taskInfo(id, a, "cpus:0.1;mem:32"))
			keys, on = append(keys, TaskKey{f.id, TaskID(id)}), append(on, a)
		}
		r.acceptOffer(o, launchOp(infos...))
	}
	states := []mesos.TaskState{mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING}
	i := 0
	next := func() PeerMessage {
		k := i % len(keys)
		uuid := binary.BigEndian.AppendUint64(make([]byte, 8, 16), uint64(i))
		msg := updateMessage(keys[k], on[k], agentPID(k/perAgent), states[i/len(keys)%2], uuid)
		i++
		return PeerMessage{From: agentPID(k / perAgent), Message: msg}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		batch := make([]PeerMessage, 1000)
		for j := range batch {
			batch[j] = next()
		}
		b.StartTimer()
		for _, in := range batch {
			r.m.Step(in, r.now)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "updates/s")
}

// BenchmarkAccept is an ACCEPT of one offer that launches one task, up to the
// message to the agent, with the proposal that the offer comes from.
func BenchmarkAccept(b *testing.B) {
	r := newRig(b, testConfig())
	f := r.subscribe("s", "web")
	a := r.addAgent(0, "cpus:64;mem:65536;disk:100000;ports:[31000-32000]")
	offered := resources.MustParse("cpus:2;mem:2048;disk:10000;ports:[31000-32000]").Allocate("web").Proto()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		b.StopTimer()
		id := fmt.Sprintf("task-%d", i)
		i++
		call := &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: f.protoID, Accept: &scheduler.Call_Accept{
			Operations: []*mesos.Offer_Operation{launchOp(taskInfo(id, a, "cpus:1;mem:1024;ports:[31010-31011]"))},
		}}
		b.StartTimer()
		r.m.Step(Allocated{Proposals: []Proposal{{Framework: f.id, Role: "web", Agent: a, Resources: offered}}}, r.now)
		call.Accept.OfferIds = []*mesos.OfferID{f.offers.tail.value.info.Id}
		effects := r.m.Step(SchedulerCall{Reply: 1, Stream: "s", Call: call}, r.now)
		b.StopTimer()
		if len(find[SendMessage](effects)) != 1 {
			b.Fatalf("not launched: %v", effects)
		}
		m := r.m
		m.removeTask(m.tasks[TaskKey{f.id, TaskID(id)}])
		b.StartTimer()
	}
}

// BenchmarkView is a View of 10,000 agents and 100,000 tasks of which 100 tasks
// changed.
func BenchmarkView(b *testing.B) {
	r := newRig(b, testConfig())
	f := r.subscribe("s", "web")
	var tasks []*task
	for n := range 10_000 {
		a := r.addAgent(n, "cpus:16;mem:16384")
		for i := range 10 {
			info := newTask(taskInfo(fmt.Sprintf("task-%d-%d", n, i), a, "cpus:1;mem:32"), f)
			tasks = append(tasks, r.m.addTask(info, resources.MustParse("cpus:1;mem:32").Allocate("web"), f, r.m.agents[a]))
		}
	}
	r.m.View()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		for range 100 {
			r.m.change(tasks[i%len(tasks)]).State = mesos.TaskState_TASK_RUNNING.Enum()
			i += 997
		}
		r.m.View()
	}
}
