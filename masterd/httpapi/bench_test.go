package httpapi

import (
	"fmt"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// The cluster of the benchmarks: a tenth of what issue-sized ones have, so that
// a run takes seconds; what is measured is linear in it.
const (
	benchAgents     = 1000
	benchTasks      = 10 // on each
	benchFrameworks = 10
)

// benchView is a cluster that came back after a change of leader: the quickest
// way to fill a machine.
func benchView(b *testing.B) *state.View {
	b.Helper()
	return viewOf(b, benchAgents)
}

func viewOf(b testing.TB, agents int) *state.View {
	b.Helper()
	info := &mesos.MasterInfo{Id: new("m"), Ip: new(uint32(1)), Port: new(uint32(5050)), Pid: new("master@10.0.0.1:5050"), Hostname: new("m")}
	m := state.New(state.DefaultConfig(info))
	now := time.Now()
	step := func(in state.Input) { answerWrites(m, m.Step(in, now), now) }
	step(state.Recovered{Registry: &registrypb.Registry{}})
	total, err := resources.ParseProto("cpus:64;mem:262144;disk:1000000;ports:[31000-32000]", "*")
	if err != nil {
		b.Fatal(err)
	}
	for i := range agents {
		id := &mesos.AgentID{Value: new(fmt.Sprintf("old-S%d", i))}
		message := &messages.ReregisterSlaveMessage{
			Slave:   &mesos.AgentInfo{Id: id, Hostname: new(fmt.Sprintf("agent-%d.example", i)), Port: new(int32(5051)), Resources: total},
			Version: new("1.11.0"),
		}
		for c := mesos.AgentInfo_Capability_MULTI_ROLE; c <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; c++ {
			message.AgentCapabilities = append(message.AgentCapabilities, &mesos.AgentInfo_Capability{Type: c.Enum()})
		}
		for j := range benchTasks {
			message.Tasks = append(message.Tasks, benchTask(id, i, j))
		}
		message.ExecutorInfos = []*mesos.ExecutorInfo{{
			ExecutorId: &mesos.ExecutorID{Value: new("custom")}, FrameworkId: &mesos.FrameworkID{Value: new("old-0000")},
			Resources: resources.MustParse("cpus:0.1").Allocate("prod").Proto(),
		}}
		for f := range benchFrameworks {
			message.Frameworks = append(message.Frameworks, &mesos.FrameworkInfo{
				User: new("root"), Name: new(fmt.Sprintf("framework-%d", f)), Roles: []string{"prod"},
				Id:           &mesos.FrameworkID{Value: new(fmt.Sprintf("old-%04d", f))},
				Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
			})
		}
		step(state.PeerMessage{From: state.PID(fmt.Sprintf("slave(1)@10.1.%d.%d:5051", i/250, i%250)), To: "master", Message: message})
	}
	v := m.View()
	if v.Agents.Len() != agents || v.Tasks.Len() != agents*benchTasks {
		b.Fatalf("%d agents and %d tasks", v.Agents.Len(), v.Tasks.Len())
	}
	return v
}

// answerWrites is a registry that agrees to everything.
func answerWrites(m *state.Machine, effects []state.Effect, now time.Time) {
	var writes []state.Persist
	for _, e := range effects {
		if p, ok := e.(state.Persist); ok {
			writes = append(writes, p)
		}
	}
	for _, p := range writes {
		results := make([]op.Result, len(p.Operations))
		for i := range results {
			results[i].Mutated = true
		}
		answerWrites(m, m.Step(state.Persisted{Token: p.Token, Results: results}, now), now)
	}
}

func benchTask(agent *mesos.AgentID, i, j int) *mesos.Task {
	id := &mesos.TaskID{Value: new(fmt.Sprintf("service-%d.instance-%d", i, j))}
	status := func(s mesos.TaskState) *mesos.TaskStatus {
		return &mesos.TaskStatus{
			TaskId: id, State: s.Enum(), AgentId: agent, Timestamp: new(1795359827.733464),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: []byte("0123456789abcdef"),
			ContainerStatus: &mesos.ContainerStatus{
				ContainerId: &mesos.ContainerID{Value: new("5823165e-2a19-4db5-b637-5499d29d2b08")},
				NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
					Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: new("10.0.0.1")}}}},
			},
		}
	}
	return &mesos.Task{
		Name: id.Value, TaskId: id, AgentId: agent, State: mesos.TaskState_TASK_RUNNING.Enum(),
		FrameworkId: &mesos.FrameworkID{Value: new(fmt.Sprintf("old-%04d", j%benchFrameworks))},
		Resources:   resources.MustParse("cpus:0.1;mem:32").Allocate("prod").Proto(),
		Statuses:    []*mesos.TaskStatus{status(mesos.TaskState_TASK_STARTING), status(mesos.TaskState_TASK_RUNNING)},
		Labels:      &mesos.Labels{Labels: []*mesos.Label{{Key: new("app"), Value: new("web")}}},
	}
}

// benchCompose measures an answer of which nothing is kept yet, and one of which
// everything is.
func benchCompose(b *testing.B, f func(v *state.View) *body) {
	v := benchView(b)
	size := int64(f(v).size)
	for name, view := range map[string]func() *state.View{
		"cold": func() *state.View { return forgetful(v) },
		"warm": func() *state.View { return v },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			var spent time.Duration
			for b.Loop() {
				v := view()
				begin := time.Now()
				_, _ = io.Copy(io.Discard, f(v).reader())
				spent += time.Since(begin)
			}
			b.ReportMetric(float64(spent.Nanoseconds())/1e3/float64(b.N)/float64(v.Tasks.Len()), "µs/task")
		})
	}
}

func benchEndpoint(b *testing.B, f composer, query asked) {
	benchCompose(b, func(v *state.View) *body {
		out := &body{}
		f(out, v, query)
		out.seal()
		return out
	})
}

func BenchmarkState(b *testing.B) { benchEndpoint(b, (&API{}).composeState, asked{}) }

func BenchmarkStateSummary(b *testing.B) { benchEndpoint(b, (&API{}).composeSummary, asked{}) }

func BenchmarkTasks(b *testing.B) {
	benchEndpoint(b, composeTasks, asked{Values: url.Values{"limit": {"-1"}}})
}

func BenchmarkGetStateJSON(b *testing.B) {
	benchCompose(b, func(v *state.View) *body { return compose(&body{}, codec.JSON, getState(v, visible{})) })
}

func BenchmarkGetStateProtobuf(b *testing.B) {
	benchCompose(b, func(v *state.View) *body { return compose(&body{}, codec.Protobuf, getState(v, visible{})) })
}

func BenchmarkRoles(b *testing.B) {
	v := benchView(b)
	for b.Loop() {
		appendRoles(nil, v, asked{})
	}
}
