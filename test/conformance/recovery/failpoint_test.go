package recovery

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/failpoint"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// tenants is how many tasks live on the agent all the time.
const tenants = 50

// patience is what executors get to come back to the agent. All fifty of them do at
// once, which takes a busy machine longer than Mesos's default of two seconds.
const patience = "5secs"

// room is resources for them and for those that come and go.
const room = "cpus:64;mem:8192;disk:4096;ports:[31000-32000]"

// tenant is a task that must not notice anything.
type tenant struct {
	id  string
	run testbed.Sleeper
	pid int
}

// house is an agent with its tenants.
type house struct {
	*testing.T
	master    *testbed.Master
	agent     *testbed.Agent
	framework *testbed.Framework
	tenants   []tenant
	// id is the agent's.
	id string
	// heard is how many events were looked at.
	heard int
}

func newHouse(t *testing.T, runtime testbed.Runtime) *house {
	h := &house{T: t, master: testbed.StartMaster(t)}
	h.agent = testbed.NewAgent(t, h.master.Address, runtime, "--resources="+room, "--executor_reregistration_timeout="+patience)
	h.agent.Use("agentd-failpoint")
	h.agent.Start()
	h.framework = testbed.Subscribe(t, h.master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	offer := h.framework.Offer()
	var tasks []testbed.Object
	for n := range tenants {
		x := tenant{id: fmt.Sprintf("tenant-%d", n), run: testbed.NewSleeper()}
		h.tenants = append(h.tenants, x)
		tasks = append(tasks, small(offer, x.id, x.run.Command()))
	}
	h.framework.Accept(offer, testbed.Launch(tasks...))
	for n := range h.tenants {
		h.framework.Follow(h.tenants[n].id, "TASK_STARTING", "TASK_RUNNING")
		h.tenants[n].pid = h.tenants[n].run.PID(t)
	}
	h.id = h.agent.Get("/state").At("id").Text()
	return h
}

func small(offer testbed.Value, id, command string) testbed.Object {
	task := testbed.Task(offer, id, command)
	task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32)}
	return task
}

// start begins another life of the agent, which may end at any time. It says whether
// the agent lived to be taken back by the master.
func (h *house) start(env ...string) (alive bool) {
	h.Helper()
	h.agent.Env = env
	launched := float64(time.Now().UnixNano()) / 1e9
	h.agent.Launch()
	for end := time.Now().Add(testbed.Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !h.agent.Running() {
			return false
		}
		if slave := h.master.Get("/slaves").At("slaves").Find(h.id, "id"); slave.At("active").True() &&
			slave.At("reregistered_time").Number() > launched { // and it isn't its last life that the master means
			return true
		}
	}
	h.Fatalf("the master doesn't have the agent back\n%s", h.agent.Log())
	return false
}

// provoke makes the agent pass every point: a task begins, one ends by itself, one is
// killed. It returns the tasks. The agent may die at any time.
func (h *house) provoke(round int) []string {
	h.Helper()
	offer := h.framework.Offer()
	var ids []string
	var tasks []testbed.Object
	for name, command := range map[string]string{"ends": "true", "killed": "sleep 1000"} {
		id := fmt.Sprintf("%s-%d", name, round)
		ids = append(ids, id)
		tasks = append(tasks, small(offer, id, command))
	}
	h.framework.Accept(offer, testbed.Launch(tasks...))
	return ids
}

// settle acknowledges what comes of tasks until each has ended, and returns how.
func (h *house) settle(ids []string) map[string]string {
	h.Helper()
	ended := map[string]string{}
	limit := time.Now().Add(testbed.Patience)
	for len(ended) < len(ids) {
		if time.Now().After(limit) {
			h.Fatalf("of %q only %v have ended", ids, ended)
		}
		event, _ := h.framework.AwaitWithin(testbed.Patience, "an update", func(v testbed.Value) bool {
			return v.At("type").Text() == "UPDATE" && slices.Contains(ids, v.At("update", "status", "task_id", "value").Text())
		})
		status := event.At("update", "status")
		id, state := status.At("task_id", "value").Text(), status.At("state").Text()
		if status.At("uuid").Exists() {
			h.framework.Acknowledge(status)
		}
		switch {
		case state == "TASK_STAGING" || state == "TASK_STARTING":
		case state == "TASK_RUNNING" || state == "TASK_KILLING":
			if strings.HasPrefix(id, "killed") {
				h.framework.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": id}})
			}
		case ended[id] != "" && ended[id] != state:
			h.Errorf("%s ended as %s and as %s", id, ended[id], state)
		default:
			ended[id] = state
		}
	}
	return ended
}

// census fails the test if a tenant is gone, doubled or another, or was told of.
func (h *house) census(when string) {
	h.Helper()
	for _, x := range h.tenants {
		if pids := x.run.PIDs(); !slices.Equal(pids, []int{x.pid}) {
			h.Errorf("%s: %s has the processes %v, want %d", when, x.id, pids, x.pid)
		}
	}
	events := h.framework.Events()
	for _, e := range events[h.heard:] {
		status := e.At("update", "status")
		if id := status.At("task_id", "value").Text(); strings.HasPrefix(id, "tenant-") && status.At("state").Text() != "TASK_STARTING" && status.At("state").Text() != "TASK_RUNNING" {
			h.Errorf("%s: %s is %s: %s", when, id, status.At("state").Text(), status.At("message").Text())
		}
	}
	h.heard = len(events)
}

// long is the variable that asks for all rounds on all runtimes.
const long = "RECOVERY_LONG"

// counts are how often each point is passed before the agent dies there: at once, which
// for some points is while it recovers, and later, when it works.
func counts(p failpoint.Point) []int {
	late := 15
	if strings.HasPrefix(string(p), "container/") {
		late = 1
	}
	if os.Getenv(long) == "" {
		return []int{late}
	}
	return []int{0, late}
}

// TestFailpoints kills the agent at every point with fifty tasks on it, which live
// through it all, while others begin, end and are killed.
func TestFailpoints(t *testing.T) {
	runtimes := testbed.Runtimes()
	if os.Getenv(long) == "" {
		runtimes = runtimes[:1]
	}
	for _, runtime := range runtimes {
		t.Run(string(runtime), func(t *testing.T) {
			h := newHouse(t, runtime)
			for n, point := range failpoint.All {
				for m, count := range counts(point) {
					h.agent.Kill()
					h.round(10*n+m, point, count)
				}
			}
		})
	}
}

// round kills the agent at a point once.
func (h *house) round(number int, point failpoint.Point, count int) {
	h.Helper()
	var ids []string
	alive := h.start(fmt.Sprintf("%s=%s@%d", failpoint.Variable, point, count))
	recovering := !alive
	for try := 0; alive; try++ {
		if try == 10 {
			h.Fatalf("the agent lives on beyond %s", point)
		}
		ids = append(ids, h.provoke(number*10+try)...)
		alive = !h.dies(5 * time.Second)
	}
	if state := h.agent.AwaitEnd(); state.ExitCode() >= 0 {
		h.Fatalf("the agent ended by itself at %s: %v\n%s", point, state, h.agent.Log())
	}
	if !h.start() {
		h.Fatalf("the agent doesn't start after %s\n%s", point, h.agent.Log())
	}
	ids = append(ids, h.provoke(number*10+9)...)
	h.Logf("%s, passed %d times (while it recovered: %v): %v", point, count, recovering, h.settle(ids))
	h.census(fmt.Sprintf("%s, passed %d times", point, count))
}

// dies waits for the end of the agent's life.
func (h *house) dies(limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !h.agent.Running() {
			return true
		}
	}
	return false
}
