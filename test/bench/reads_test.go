package bench

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/testkit/stubagent"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// The cluster that the benchmarks of reads look at: 100,000 running tasks and as
// many completed ones, which is what 100 frameworks may have of them
// (--max_completed_tasks_per_framework).
var (
	readAgents     = flag.Int("read-agents", 10_000, "agents of the cluster that is read")
	readTasks      = flag.Int("read-tasks", 10, "running and completed tasks, each, of every agent")
	readFrameworks = flag.Int("read-frameworks", 100, "frameworks that share the tasks")
)

// cluster is a master with much to tell.
type cluster struct {
	b      *testing.B
	master *testbed.Master
	// changer is one agent more, whose tasks change when it is asked to.
	changer *changer
}

func newCluster(b *testing.B) *cluster {
	b.Helper()
	agents := *readAgents
	master := testbed.StartMaster(b, "--allocation_interval=20ms", "--max_completed_tasks_per_framework=1000")
	idle := memoryOf(b, master, "VmRSS")
	frameworks := make([]*mesos.FrameworkInfo, *readFrameworks)
	for i := range frameworks {
		frameworks[i] = framework(fmt.Sprintf("framework-%d", i))
		subscribe(b, master, frameworks[i])
	}
	fleet, err := stubagent.NewFleet(stubagent.FleetConfig{
		Master: master.Address, Agents: agents, AgentsPerHost: agentsPerHost(b, agents)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(fleet.Close)
	coming, err := fleet.PrepareReregister(func(n int, _ *mesos.AgentID) *messages.ReregisterSlaveMessage {
		return busyAgent(n, frameworks)
	})
	if err != nil {
		b.Fatal(err)
	}
	took := send(b, coming)
	expect(b, master, agents, agents**readTasks)
	b.Logf("%d agents and %d tasks came in %v; the master has grown by %d MiB", agents, 2*agents**readTasks,
		took, (memoryOf(b, master, "VmRSS")-idle)>>20)
	return &cluster{b: b, master: master, changer: newChanger(b, master, frameworks[0])}
}

func framework(name string) *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{
		User: new("nobody"), Name: &name, Roles: []string{"prod"}, FailoverTimeout: new(3600.0), Checkpoint: new(true),
		Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
	}
}

// busyAgent has nothing left to offer.
func busyAgent(n int, frameworks []*mesos.FrameworkInfo) *messages.ReregisterSlaveMessage {
	tasks := *readTasks
	id := &mesos.AgentID{Value: new(fmt.Sprintf("bench-S%d", n))}
	info := agentInfo(n, id)
	info.Resources = resources.MustParse(fmt.Sprintf("cpus:%g;mem:%d", 0.5*float64(tasks), 512*tasks)).Proto()
	m := &messages.ReregisterSlaveMessage{
		Slave: info, Version: new("1.11.0"), AgentCapabilities: capabilities(),
		ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}
	for j := range tasks {
		f := frameworks[(n+j)%len(frameworks)]
		if !slices.Contains(m.Frameworks, f) {
			m.Frameworks = append(m.Frameworks, f)
		}
		m.Tasks = append(m.Tasks, taskIn(mesos.TaskState_TASK_RUNNING, fmt.Sprintf("service-%d.instance-%d", n, j), id, f))
	}
	f := frameworks[n%len(frameworks)]
	archived := &messages.Archive_Framework{FrameworkInfo: f}
	for j := range tasks {
		archived.Tasks = append(archived.Tasks,
			taskIn(mesos.TaskState_TASK_FINISHED, fmt.Sprintf("batch-%d.instance-%d", n, j), id, f))
	}
	m.CompletedFrameworks = append(m.CompletedFrameworks, archived)
	return m
}

// taskIn is a task with the statuses that it had on its way to a state.
func taskIn(s mesos.TaskState, name string, agent *mesos.AgentID, f *mesos.FrameworkInfo) *mesos.Task {
	id := &mesos.TaskID{Value: &name}
	status := func(s mesos.TaskState) *mesos.TaskStatus {
		return &mesos.TaskStatus{
			TaskId: id, State: s.Enum(), AgentId: agent, Timestamp: new(1795359827.733464),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: make([]byte, 16),
			ContainerStatus: &mesos.ContainerStatus{
				ContainerId: &mesos.ContainerID{Value: new("5823165e-2a19-4db5-b637-5499d29d2b08")},
				NetworkInfos: []*mesos.NetworkInfo{{IpAddresses: []*mesos.NetworkInfo_IPAddress{{
					Protocol: mesos.NetworkInfo_IPv4.Enum(), IpAddress: new("10.0.0.1")}}}},
			},
		}
	}
	return &mesos.Task{
		Name: &name, TaskId: id, FrameworkId: f.Id, AgentId: agent, State: s.Enum(),
		Resources: resources.MustParse("cpus:0.5;mem:512").Allocate("prod").Proto(),
		Statuses:  []*mesos.TaskStatus{status(mesos.TaskState_TASK_STARTING), status(s)},
		Labels:    &mesos.Labels{Labels: []*mesos.Label{{Key: new("app"), Value: new("web")}}},
	}
}

// answerTo is one request, read to the last byte.
type answerTo struct {
	name string
	do   func(ctx context.Context) (bytes int64, err error)
}

func (c *cluster) get(path string, header http.Header) func(context.Context) (int64, error) {
	return c.request(http.MethodGet, path, header, nil)
}

func (c *cluster) ask(call mesosmaster.Call_Type, accept string) func(context.Context) (int64, error) {
	body, err := proto.Marshal(&mesosmaster.Call{Type: call.Enum()})
	if err != nil {
		c.b.Fatal(err)
	}
	return c.request(http.MethodPost, "/api/v1", http.Header{"Content-Type": {"application/x-protobuf"}, "Accept": {accept}}, body)
}

// uncompressed leaves answers as they come.
var uncompressed = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}}

func (c *cluster) request(method, path string, header http.Header, body []byte) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		request, err := http.NewRequestWithContext(ctx, method, c.master.URL(path), bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		if header != nil {
			request.Header = header
		}
		response, err := uncompressed.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s %s: %s", method, path, response.Status)
		}
		return io.Copy(io.Discard, response.Body)
	}
}

var acceptGzip = http.Header{"Accept-Encoding": {"gzip"}}

// BenchmarkReadAtOnce is how long the first /state takes when it is asked for at
// the moment in which the last of all agents came, before the master has had
// time to encode anything.
func BenchmarkReadAtOnce(b *testing.B) {
	c := newCluster(b)
	b.Run("state", func(b *testing.B) {
		var took time.Duration
		for b.Loop() {
			begin := time.Now()
			if _, err := c.get("/state", nil)(b.Context()); err != nil {
				b.Fatal(err)
			}
			took = time.Since(begin)
		}
		b.ReportMetric(0, "ns/op")
		report(b, "first-ms", took)
	})
}

// settle waits until the master is done with what it does after a change of
// leader: until it is idle for some seconds, since it waits for agents to be back
// before it encodes anything.
func (c *cluster) settle() {
	c.b.Helper()
	const (
		idle = 50 * time.Millisecond // of processor time in a second
		long = 4                     // seconds
	)
	begin, before := time.Now(), time.Duration(0)
	for calm := 0; calm < long; time.Sleep(time.Second) {
		now := cpuOf(c.b, c.master.PID())
		if calm++; now-before >= idle {
			calm = 0
		}
		before = now
	}
	c.b.Logf("the master is idle after %v, with %d MiB", time.Since(begin), memoryOf(c.b, c.master, "VmRSS")>>20)
}

// BenchmarkReads is how long one reader waits for the last byte of an answer,
// for the first time since the master leads, and then while tasks change: before
// each request 100 of them do, so that no answer is like the one before.
func BenchmarkReads(b *testing.B) {
	c := newCluster(b)
	c.settle()
	for _, a := range []answerTo{
		{"state", c.get("/state", nil)},
		{"state-gzip", c.get("/state", acceptGzip)},
		{"GET_STATE-json", c.ask(mesosmaster.Call_GET_STATE, "application/json")},
		{"GET_STATE-protobuf", c.ask(mesosmaster.Call_GET_STATE, "application/x-protobuf")},
		{"state-summary", c.get("/state-summary", nil)},
		{"slaves", c.get("/slaves", nil)},
		{"tasks", c.get("/tasks", nil)},
		{"metrics", c.get("/metrics/snapshot", nil)},
		{"prometheus", c.get("/metrics", nil)},
	} {
		b.Run(a.name, func(b *testing.B) { c.measure(b, a) })
	}
	b.Logf("the master has %d MiB, and had up to %d", memoryOf(b, c.master, "VmRSS")>>20, memoryOf(b, c.master, "VmHWM")>>20)
}

// readsEach is how often an answer is asked for.
const readsEach = 11

func (c *cluster) measure(b *testing.B, a answerTo) {
	var took []time.Duration
	var size int64
	for b.Loop() {
		for range readsEach {
			c.changer.change(100)
			begin := time.Now()
			n, err := a.do(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			size = n
			took = append(took, time.Since(begin))
		}
	}
	b.ReportMetric(0, "ns/op")
	report(b, "first-ms", took[0])
	rest := took[1:]
	slices.Sort(rest)
	report(b, "median-ms", rest[len(rest)/2])
	report(b, "max-ms", rest[len(rest)-1])
	b.ReportMetric(float64(size)/1e6, "MB")
	b.ReportMetric(float64(memoryOf(b, c.master, "VmRSS")>>20), "MiB-master")
}

// BenchmarkPolling is what 20 clients that poll /state cost others: /health, and
// a framework that declines an offer and waits for the next one. Those who poll,
// and those who probe /health, are processes of their own: a probe must not wait
// for its own process to get around to it, which here also has all the agents.
//
// The control is a server that does nothing but answer /health and send as many
// zeros as /state has bytes. What /health takes there, while the clients poll the
// control instead, is what this machine and Go make of three processes that want
// two cores. Times without polling, with polling of the master, and with polling of
// the control alternate, so that what else the machine does is in all of them.
func BenchmarkPolling(b *testing.B) {
	c := newCluster(b)
	c.settle()
	loop := newOfferLoop(b, c.master)
	control := startControl(b)
	urls := []string{c.master.URL("/health"), control + "/health"}
	halves := []struct {
		name, url string
		yield     bool
	}{
		{"calm", "", false}, {"polled", c.master.URL("/state"), false}, {"control-polled", control + "/state", false},
		{"polled-from-afar", c.master.URL("/state"), true}, {"control-polled-from-afar", control + "/state", true},
	}
	took := make([][][]time.Duration, len(halves))
	got := make([]int, len(halves))
	for b.Loop() {
		for range probeRounds {
			for i, h := range halves {
				stop := func() int { return 0 }
				if h.url != "" {
					stop = poll(b, h.url, h.yield)
				}
				took[i] = join(took[i], c.probe(b, urls, loop.turn))
				got[i] += stop()
			}
		}
	}
	for i, name := range []string{"health", "control", "offer"} {
		for j, h := range halves {
			d := took[j][i]
			b.Logf("%-8s %-25s p50 %6.2f ms, p90 %6.2f ms, p99 %6.2f ms of %d", name, h.name, milliseconds(percentile(d, 50)),
				milliseconds(percentile(d, 90)), milliseconds(percentile(d, 99)), len(d))
			report(b, name+"-"+h.name+"-p50-ms", percentile(d, 50))
			report(b, name+"-"+h.name+"-p99-ms", percentile(d, 99))
		}
	}
	b.ReportMetric(0, "ns/op")
	for j, h := range halves {
		b.ReportMetric(float64(got[j])/1e6/(probeRounds*probeTime).Seconds(), h.name+"-MB/s")
	}
	b.ReportMetric(float64(memoryOf(b, c.master, "VmHWM")>>20), "MiB-master")
}

// probeTime is how long probes go on at a time, probeRounds how often they do
// of each kind of polling, probePause the time between two of a kind.
const (
	probeTime   = 6 * time.Second
	probeRounds = 5
	probePause  = 5 * time.Millisecond
)

// probe makes requests of every kind one after the other, side by side: of each
// URL and, last, offers.
func (c *cluster) probe(b *testing.B, urls []string, offer func(context.Context) (int64, error)) [][]time.Duration {
	var offers []time.Duration
	took := probeURLs(b, urls, func() {
		for end := time.Now().Add(probeTime); time.Now().Before(end); time.Sleep(probePause) {
			begin := time.Now()
			if _, err := offer(b.Context()); err != nil {
				b.Fatalf("offers: %v", err)
			}
			offers = append(offers, time.Since(begin))
		}
	})
	return append(took, offers)
}

// join appends what each kind of probe took.
func join(all, more [][]time.Duration) [][]time.Duration {
	if all == nil {
		return more
	}
	for i := range all {
		all[i] = append(all[i], more[i]...)
	}
	return all
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[(len(sorted)-1)*p/100]
}
