package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/testkit/stubagent"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// What runs on each agent of BenchmarkFailover.
const (
	failoverFrameworks = 5
	tasksPerFramework  = 2
	labelsPerTask      = 10
	tasksPerAgent      = failoverFrameworks * tasksPerFramework
)

var failoverPatience = flag.Duration("failover-patience", 5*time.Minute, "how long agents have to come back")

// BenchmarkFailover is how long a new leader takes to take all agents back
// that the registry knows, with what runs on them: from the first message until
// the last agent has its answer. The agents come all at once, without the
// back-off that real ones have, and five frameworks resubscribe before them.
func BenchmarkFailover(b *testing.B) {
	for _, agents := range []int{2_000, 10_000, 20_000} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			for b.Loop() {
				measureFailover(b, agents)
			}
		})
	}
}

func measureFailover(b *testing.B, agents int) {
	master := testbed.StartMaster(b)
	perHost := agentsPerHost(b, agents)
	fleet, err := stubagent.NewFleet(stubagent.FleetConfig{Master: master.Address, Agents: agents, AgentsPerHost: perHost})
	if err != nil {
		b.Fatal(err)
	}
	defer fleet.Close()
	frameworks := make([]*mesos.FrameworkInfo, failoverFrameworks)
	for i := range frameworks {
		frameworks[i] = &mesos.FrameworkInfo{
			User: new("nobody"), Name: new(fmt.Sprintf("framework-%d", i)), Roles: []string{"*"},
			FailoverTimeout: new(3600.0), Checkpoint: new(true),
			Capabilities: []*mesos.FrameworkInfo_Capability{
				{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}, {Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
			},
		}
		subscribe(b, master, frameworks[i])
	}
	idle := memoryOf(b, master, "VmRSS")

	newcomers, err := fleet.PrepareRegister(registration)
	if err != nil {
		b.Fatal(err)
	}
	registered := send(b, newcomers)
	expect(b, master, agents, 0)
	perAgent := float64(memoryOf(b, master, "VmHWM")-idle) / float64(agents)

	master.Kill()
	fleet.Disconnect()
	returning, err := fleet.PrepareReregister(func(n int, id *mesos.AgentID) *messages.ReregisterSlaveMessage {
		return reregistration(n, id, frameworks)
	})
	if err != nil {
		b.Fatal(err)
	}
	master.Start()
	for _, f := range frameworks {
		subscribe(b, master, f)
	}
	before := memoryOf(b, master, "VmRSS")
	cpu, own := cpuOf(b, master.PID()), cpuOf(b, os.Getpid())
	came := send(b, returning)
	cpu, own = cpuOf(b, master.PID())-cpu, cpuOf(b, os.Getpid())-own
	expect(b, master, agents, agents*tasksPerAgent)
	peak := memoryOf(b, master, "VmHWM")
	perTask := (float64(peak-before) - perAgent*float64(agents)) / float64(agents*tasksPerAgent)

	b.ReportMetric(0, "ns/op") // the whole of it says nothing
	b.ReportMetric(came.Seconds(), "reregister-s")
	b.ReportMetric(cpu.Seconds(), "master-cpu-s")
	b.ReportMetric(own.Seconds(), "generator-cpu-s")
	b.ReportMetric(registered.Seconds(), "register-s")
	b.ReportMetric(float64(returning.Bytes)/float64(agents), "B/message")
	b.ReportMetric(float64(perHost), "agents/connection")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	b.ReportMetric(perAgent, "B/agent")
	b.ReportMetric(perTask, "B/task")
}

// agentsPerHost is one, if there are file descriptors enough for a connection
// each way of every agent, and no more than must be otherwise.
func agentsPerHost(b *testing.B, agents int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	const others = 500
	hosts := (int(min(limit.Cur, 1<<20)) - others) / 2
	return (agents + hosts - 1) / hosts
}

func send(b *testing.B, p *stubagent.Prepared) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), *failoverPatience)
	defer cancel()
	took, err := p.Send(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// subscribe subscribes a framework and reads its events without a look at them,
// so that it costs little. A new one gets its ID.
func subscribe(b *testing.B, master *testbed.Master, info *mesos.FrameworkInfo) {
	call, err := proto.Marshal(&scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: info},
	})
	if err != nil {
		b.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, master.URL("/api/v1/scheduler"), bytes.NewReader(call))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Accept", "application/x-protobuf")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		b.Fatalf("SUBSCRIBE: %s", response.Status)
	}
	events := recordio.NewReader(response.Body, 1<<20)
	first, err := events.Next()
	event := &scheduler.Event{}
	if err == nil {
		err = proto.Unmarshal(first, event)
	}
	if err != nil || event.GetType() != scheduler.Event_SUBSCRIBED {
		b.Fatalf("SUBSCRIBE: %v %v", event, err)
	}
	info.Id = event.GetSubscribed().GetFrameworkId()
	go func() { _, _ = io.Copy(io.Discard, response.Body) }() // until the master is killed, or Cleanup
}

// agentInfo is an agent that has room beside what runs on it.
func agentInfo(n int, id *mesos.AgentID) *mesos.AgentInfo {
	return &mesos.AgentInfo{
		Id: id, Hostname: new(fmt.Sprintf("agent-%d.example", n)), Port: new(int32(5051)),
		Resources: resources.MustParse("cpus:16;mem:65536;disk:1048576;ports:[31000-32000]").Proto(),
		Attributes: []*mesos.Attribute{{
			Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new(fmt.Sprintf("r%d", n%100))},
		}},
	}
}

func capabilities() (all []*mesos.AgentInfo_Capability) {
	for c := mesos.AgentInfo_Capability_MULTI_ROLE; c <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; c++ {
		all = append(all, &mesos.AgentInfo_Capability{Type: c.Enum()})
	}
	return all
}

func registration(n int) *messages.RegisterSlaveMessage {
	return &messages.RegisterSlaveMessage{
		Slave: agentInfo(n, nil), Version: new("1.11.0"), AgentCapabilities: capabilities(),
		ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}
}

func reregistration(n int, id *mesos.AgentID, frameworks []*mesos.FrameworkInfo) *messages.ReregisterSlaveMessage {
	m := &messages.ReregisterSlaveMessage{
		Slave: agentInfo(n, id), Version: new("1.11.0"), AgentCapabilities: capabilities(), Frameworks: frameworks,
		ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}
	for i, f := range frameworks {
		for j := range tasksPerFramework {
			m.Tasks = append(m.Tasks, runningTask(fmt.Sprintf("task-%d-%d-%d", n, i, j), id, f))
		}
	}
	return m
}

// runningTask is a task as agents report it, with the status that says that it
// runs.
func runningTask(name string, agent *mesos.AgentID, f *mesos.FrameworkInfo) *mesos.Task {
	id := &mesos.TaskID{Value: &name}
	t := &mesos.Task{
		Name: &name, TaskId: id, FrameworkId: f.Id, AgentId: agent, State: mesos.TaskState_TASK_RUNNING.Enum(),
		Resources: resources.MustParse("cpus:0.5;mem:512").Allocate("*").Proto(),
		Labels:    &mesos.Labels{},
		Statuses: []*mesos.TaskStatus{{
			TaskId: id, State: mesos.TaskState_TASK_RUNNING.Enum(), AgentId: agent, Timestamp: new(1.6e9),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: make([]byte, 16),
			ContainerStatus: &mesos.ContainerStatus{NetworkInfos: []*mesos.NetworkInfo{{
				IpAddresses: []*mesos.NetworkInfo_IPAddress{{IpAddress: new("10.1.2.3")}},
			}}},
		}},
		StatusUpdateState: mesos.TaskState_TASK_RUNNING.Enum(), StatusUpdateUuid: make([]byte, 16),
	}
	for i := range labelsPerTask {
		t.Labels.Labels = append(t.Labels.Labels, &mesos.Label{
			Key: new(fmt.Sprintf("label-%d", i)), Value: new(fmt.Sprintf("value-%d-of-%s", i, name)),
		})
	}
	return t
}

// expect checks what the master counts.
func expect(b *testing.B, master *testbed.Master, agents, tasks int) {
	testbed.Eventually(b, "the master has all agents and tasks", func() error {
		response, err := http.Get(master.URL("/metrics/snapshot"))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		values := map[string]float64{}
		if err := json.NewDecoder(response.Body).Decode(&values); err != nil {
			return err
		}
		if got := values["master/slaves_active"]; got != float64(agents) {
			return fmt.Errorf("%v active agents of %d", got, agents)
		}
		if got := values["master/tasks_running"]; got != float64(tasks) {
			return fmt.Errorf("%v running tasks of %d", got, tasks)
		}
		return nil
	})
}

// memoryOf is a figure of the master's memory in bytes: VmRSS is what it has
// now, VmHWM the most that it had.
func memoryOf(b *testing.B, master *testbed.Master, figure string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", master.PID()))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), figure+":")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatalf("%s: %v", figure, err)
	}
	return kB << 10
}

// cpuOf is the processor time that a process used.
func cpuOf(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
