package bench

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// crowds are how many tasks the agent gets at once.
var crowds = []int{200, 1000}

// isolations are what the containers of each runtime are isolated by: all that it can.
var isolations = map[testbed.Runtime]string{
	testbed.Posix: "cgroups/cpu,cgroups/mem",
	testbed.OCI:   "cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc,filesystem/linux",
}

// house is an agent with a crowd of tasks that sleep.
type house struct {
	*rig
	agent *testbed.Agent
	tasks []string
}

func newHouse(b *testing.B, runtime testbed.Runtime, flags ...string) *house {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("cgroups need root")
	}
	if !slices.Contains(testbed.Runtimes(), runtime) {
		b.Skipf("the runtime %s doesn't work here", runtime)
	}
	master := testbed.StartMaster(b, "--allocation_interval=10ms")
	workDir, runtimeDir := nodeDisks(b)
	agent := testbed.NewAgent(b, master.Address, runtime, append([]string{"--resources=cpus:1000;mem:1000000;disk:1000000",
		"--isolation=" + isolations[runtime], "--work_dir=" + workDir, "--runtime_dir=" + runtimeDir}, flags...)...)
	agent.WorkDir = workDir
	agent.Start()
	f := testbed.Subscribe(b, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	return &house{rig: &rig{Framework: f, b: b}, agent: agent}
}

// fill launches n sleepers by one ACCEPT and waits until the last one runs.
func (h *house) fill(n int) time.Duration {
	h.b.Helper()
	h.nextOffer()
	h.tasks = nil
	tasks := make([]testbed.Object, n)
	for i := range tasks {
		id := fmt.Sprintf("sleeper-%d-%d", h.read, i)
		h.tasks = append(h.tasks, id)
		tasks[i] = testbed.Task(h.offer, id, "sleep 100000")
	}
	begin := h.launch(tasks...)
	h.await("TASK_RUNNING", n)
	return time.Since(begin)
}

// empty kills all tasks and waits until the last one is killed and nothing is left of
// their containers.
func (h *house) empty() time.Duration {
	h.b.Helper()
	begin := time.Now()
	for _, id := range h.tasks {
		h.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": id}})
	}
	h.await("TASK_KILLED", len(h.tasks))
	for h.containers() > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(begin)
}

// await acknowledges updates until n tasks are in a state, which they reach by way
// of STARTING and RUNNING.
func (h *house) await(state string, n int) {
	h.b.Helper()
	in := map[string]bool{}
	for len(in) < n {
		for _, update := range h.step() {
			switch got := update.Event.At("state").Text(); got {
			case state:
				in[update.Event.At("task_id", "value").Text()] = true
			case "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING":
			default:
				h.b.Fatalf("want %s, got %v\n%s", state, update.Event, h.agent.Log())
			}
		}
	}
}

// containers counts the cgroups of containers.
func (h *house) containers() int {
	for _, hierarchy := range []string{"/sys/fs/cgroup/memory/", "/sys/fs/cgroup/"} {
		if entries, err := os.ReadDir(hierarchy + h.agent.CgroupsRoot); err == nil {
			return len(slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() }))
		}
	}
	return 0
}

// BenchmarkAgentCrowd launches crowds of tasks, each with an executor, a sandbox and
// cgroups of its own, and kills them.
func BenchmarkAgentCrowd(b *testing.B) {
	for _, runtime := range []testbed.Runtime{testbed.Posix, testbed.OCI} {
		for _, n := range crowds {
			b.Run(fmt.Sprintf("%s/%d", runtime, n), func(b *testing.B) {
				for b.Loop() {
					h := newHouse(b, runtime)
					empty := private(h.agent.PID())
					before := h.used()
					launching := h.fill(n)
					launched := h.used()
					m := h.measure()
					destroying := h.empty()
					destroyed := h.used()
					b.ReportMetric(float64(n)/launching.Seconds(), "launches/s")
					b.ReportMetric(float64(n)/destroying.Seconds(), "destroys/s")
					for who := range before {
						b.ReportMetric((launched[who]-before[who])/float64(n)*1000, who+"-cpu-ms/launch")
						b.ReportMetric((destroyed[who]-launched[who])/float64(n)*1000, who+"-cpu-ms/destroy")
					}
					b.ReportMetric(mib(empty), "agent-MiB-before")
					b.ReportMetric(mib(m.agent), "agent-MiB")
					b.ReportMetric(mib(m.executor), "executor-MiB")
					b.ReportMetric(mib(m.stage), "stage-MiB")
					b.ReportMetric(mib(m.task), "MiB/task")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkAgentReads measures what exporters ask for, one request after the other
// and four at a time.
func BenchmarkAgentReads(b *testing.B) {
	for _, n := range []int{150, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHouse(b, testbed.Posix)
			for b.Loop() {
				h.fill(n)
				for _, path := range []string{"/containers", "/monitor/statistics"} {
					h.reads(strings.TrimPrefix(path, "/"), func() testbed.Answer {
						return testbed.Do(b, http.MethodGet, h.agent.URL(path), nil, nil)
					})
				}
				h.reads("GET_CONTAINERS", func() testbed.Answer {
					return h.agent.Operator(testbed.Object{"type": "GET_CONTAINERS"})
				})
				h.empty()
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (h *house) reads(name string, ask func() testbed.Answer) {
	h.b.Helper()
	const times, at = 20, 4
	once := func() time.Duration {
		begin := time.Now()
		if a := ask(); a.Status != http.StatusOK || !strings.Contains(a.Text(), "sleeper-") {
			h.b.Errorf("%s: %d %.300s", name, a.Status, a.Text())
		}
		return time.Since(begin)
	}
	var alone []time.Duration
	for range times {
		alone = append(alone, once())
	}
	slices.Sort(alone)
	report(h.b, name+"-p50-ms", alone[times/2])
	before := cpuSeconds(h.agent.PID())
	begin := time.Now()
	done := make(chan struct{})
	for range at {
		go func() {
			defer func() { done <- struct{}{} }()
			for range times {
				once()
			}
		}()
	}
	for range at {
		<-done
	}
	h.b.ReportMetric(at*times/time.Since(begin).Seconds(), name+"-four-at-a-time/s")
	h.b.ReportMetric((cpuSeconds(h.agent.PID())-before)/(at*times)*1000, name+"-cpu-ms")
}

// BenchmarkAgentRestart kills the agent with live executors on it. The time is from
// the start of the next life until the executors are back and the agent is registered.
func BenchmarkAgentRestart(b *testing.B) {
	for _, runtime := range []testbed.Runtime{testbed.Posix, testbed.OCI} {
		b.Run(string(runtime), func(b *testing.B) {
			const n = 200
			h := newHouse(b, runtime)
			h.fill(n)
			processes := h.sleepers()
			for b.Loop() {
				h.agent.Kill()
				begin := time.Now()
				h.agent.Launch()
				h.back(n, begin)
				recovering := time.Since(begin)
				report(b, "restart-ms", recovering)
				b.ReportMetric(h.agent.Get("/metrics/snapshot").At("slave/recovery_time_secs").Number()*1000, "recovery-ms")
				b.ReportMetric(cpuSeconds(h.agent.PID()), "agent-cpu-s")
				if now := h.sleepers(); !maps.Equal(now, processes) {
					b.Fatalf("of %d processes there are %d", len(processes), len(now))
				}
			}
			h.empty()
			b.ReportMetric(0, "ns/op")
		})
	}
}

// back waits until the master has the agent again, since begin, with n executors.
func (h *house) back(n int, begin time.Time) {
	h.b.Helper()
	for end := begin.Add(testbed.Patience); ; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) || !h.agent.Running() {
			h.b.Fatalf("the agent isn't back\n%s", h.agent.Log())
		}
		if !h.registered(begin) {
			continue
		}
		m := h.agent.Get("/metrics/snapshot")
		if m.At("slave/registered").Number() == 1 && m.At("slave/executors_running").Number() == float64(n) {
			return
		}
	}
}

// registered says whether the master has taken the agent back since a time.
func (h *house) registered(since time.Time) bool {
	for _, s := range h.Master().Get("/slaves").At("slaves").List() {
		if s.At("active").True() && s.At("reregistered_time").Number() > float64(since.UnixNano())/1e9 {
			return true
		}
	}
	return false
}

// sleepers are the tasks' processes of this agent.
func (h *house) sleepers() map[int]bool {
	out := map[int]bool{}
	for _, pid := range below(h.agent.WorkDir) {
		if command(pid) == "sleep" {
			out[pid] = true
		}
	}
	return out
}

// below are the processes that work in a directory.
func below(dir string) []int {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // the pattern is well formed
	var out []int
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir) {
			var pid int
			if _, err := fmt.Sscanf(link, "/proc/%d/cwd", &pid); err == nil {
				out = append(out, pid)
			}
		}
	}
	return out
}
