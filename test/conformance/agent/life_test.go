package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// withDriver makes a task one of an executor that the test itself plays.
func withDriver(f *testbed.Framework, task testbed.Object) testbed.Object {
	delete(task, "command")
	task["executor"] = testbed.Object{
		"executor_id": testbed.Object{"value": "driver"}, "framework_id": testbed.Object{"value": f.ID},
		"command": testbed.Object{"shell": true, "value": "sleep 1000"},
	}
	return task
}

// newDriver registers the executor of a task that was launched by withDriver.
func newDriver(t *testing.T, a *testbed.Agent, f *testbed.Framework) *driver {
	t.Helper()
	d := &driver{Peer: testbed.NewPeer(t, "executor(1)"), agent: "slave(1)@" + a.Address,
		id: &mesos.ExecutorID{Value: new("driver")}, framework: &mesos.FrameworkID{Value: &f.ID}}
	awaitExecutor(t, a, "driver")
	d.Send(d.agent, internal+"RegisterExecutorMessage", &messages.RegisterExecutorMessage{FrameworkId: d.framework, ExecutorId: d.id})
	d.Receive(internal+"ExecutorRegisteredMessage", &messages.ExecutorRegisteredMessage{})
	return d
}

// awaitExecutor waits until the agent lists an executor, and returns it.
func awaitExecutor(t *testing.T, a *testbed.Agent, id string) (executor testbed.Value) {
	t.Helper()
	testbed.Eventually(t, "the agent has the executor "+id, func() error {
		for _, framework := range a.Get("/state").At("frameworks").List() {
			if executor = framework.At("executors").Find(id, "id"); executor.Exists() {
				return nil
			}
		}
		return errorf("it has not")
	})
	return executor
}

func labels(pairs ...string) testbed.Object {
	var out testbed.List
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, testbed.Object{"key": pairs[i], "value": pairs[i+1]})
	}
	return testbed.Object{"labels": out}
}

// What frameworks and executors say of a task is in the agent's state, for service
// discovery.
func TestTaskIsDescribed(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := withDriver(f, testbed.Task(offer, "web", ""))
	task["labels"] = labels("tier", "front", "empty", "")
	task["executor"].(testbed.Object)["labels"] = labels("who", "me")
	task["discovery"] = testbed.Object{
		"visibility": "CLUSTER", "name": "web", "environment": "mob", "location": "mesos", "version": "1.1",
		"ports": testbed.Object{"ports": testbed.List{
			testbed.Object{"number": 8888, "name": "http", "protocol": "tcp", "visibility": "EXTERNAL", "labels": labels("scheme", "https")},
			testbed.Object{"number": 9999, "name": "monitor", "protocol": "tcp"},
		}},
		"labels": labels("vip", "10.1.1.1"),
	}
	f.Accept(offer, testbed.Launch(task))
	d := newDriver(t, a, f)
	var run messages.RunTaskMessage
	d.Receive(internal+"RunTaskMessage", &run)
	u := d.update(run.GetTask(), mesos.TaskState_TASK_RUNNING)
	u.Status.Labels = &mesos.Labels{Labels: []*mesos.Label{{Key: new("ready"), Value: new("yes")}}}
	u.Status.Healthy = new(true)
	d.Send(d.agent, internal+"StatusUpdateMessage", &messages.StatusUpdateMessage{Update: u})
	if got := f.Follow("web", "TASK_RUNNING"); got.At("labels", "labels", 0, "value").Text() != "yes" || !got.At("healthy").True() {
		t.Errorf("update %v", got)
	}

	executor := awaitExecutor(t, a, "driver")
	got := executor.At("tasks", 0)
	for path, want := range map[string]string{
		`discovery.ports.ports.0.labels.labels.0.value`: "https",
		`discovery.ports.ports.0.visibility`:            "EXTERNAL",
		`discovery.ports.ports.1.name`:                  "monitor",
		`discovery.labels.labels.0.key`:                 "vip",
		`discovery.location`:                            "mesos",
		`labels.0.key`:                                  "tier",
		`labels.1.value`:                                "",
		`statuses.0.labels.0.key`:                       "ready",
		`statuses.0.state`:                              "TASK_RUNNING",
		`statuses.0.container_status.network_infos.0.ip_addresses.0.protocol`: "IPv4",
	} {
		var steps []any
		for step := range strings.SplitSeq(path, ".") {
			if n, err := fmt.Sscanf(step, "%d", new(int)); err == nil && n == 1 {
				steps = append(steps, int(step[0]-'0'))
				continue
			}
			steps = append(steps, step)
		}
		if v := got.At(steps...); !v.Exists() || v.Text() != want {
			t.Errorf("%s is %v, want %q in %v", path, v, want, got)
		}
	}
	if got := executor.At("labels", 0, "value").Text(); got != "me" {
		t.Errorf("label of the executor: %v", executor)
	}
	status := got.At("statuses", 0, "container_status")
	if status.At("container_id", "value").Text() != executor.At("container").Text() {
		t.Errorf("container status %v of %v", status, executor)
	}
}

// hung is a server that takes a connection and doesn't answer.
func hung(t *testing.T) (url string) {
	t.Helper()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(func() { close(release); s.Close() })
	return s.URL + "/file"
}

// An operator sees what a container that doesn't start waits for; to kill its task
// ends the wait.
func TestHungLaunch(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := testbed.Task(offer, "hangs", "true")
	task["command"].(testbed.Object)["uris"] = testbed.List{testbed.Object{"value": hung(t)}}
	f.Accept(offer, testbed.Launch(task))
	container := awaitExecutor(t, a, "hangs").At("container").Text()
	testbed.Eventually(t, "the fetch is pending", func() error {
		pending := a.Get("/containerizer/debug").At("pending")
		if got := pending.At(0); got.At("operation").Text() != "fetcher::fetch" || got.At("args", "containerId").Text() != container {
			return errorf("%v", pending)
		}
		return nil
	})
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "hangs"}})
	if got := f.Follow("hangs", "TASK_KILLED").At("reason").Text(); got != "REASON_TASK_KILLED_DURING_LAUNCH" {
		t.Errorf("reason %s", got)
	}
}

// A fetch counts for the time that an executor has to register.
func TestSlowFetch(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--executor_registration_timeout=1secs")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := testbed.Task(offer, "slow", "true")
	task["command"].(testbed.Object)["uris"] = testbed.List{testbed.Object{"value": hung(t)}}
	f.Accept(offer, testbed.Launch(task))
	status := f.Follow("slow", "TASK_FAILED")
	if got := status.At("reason").Text(); got != "REASON_EXECUTOR_REGISTRATION_TIMEOUT" {
		t.Errorf("reason %s", got)
	}
	if got := status.At("message").Text(); !strings.Contains(got, "Executor did not register within 1secs") {
		t.Errorf("message %q", got)
	}
	testbed.Eventually(t, "nothing of it is left", func() error {
		if got := a.Get("/containers").List(); len(got) > 0 {
			return errorf("%v", got)
		}
		return nil
	})
}

// Both endpoints of containers are empty without one, and find one by its names.
func TestContainersEndpoints(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix)
	for _, path := range []string{"/monitor/statistics", "/monitor/statistics.json", "/containers", "/slave(1)/containers"} {
		if got := a.Get(path).String(); got != "[]" {
			t.Errorf("%s without executors: %s", path, got)
		}
	}
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	s := testbed.NewSleeper()
	f.Run("t", s.Command())
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	container := awaitExecutor(t, a, "t").At("container").Text()
	for query, count := range map[string]int{
		"":                           1,
		"?container_id=" + container: 1,
		"?container_id=other":        0,
		"?framework_id=" + f.ID:      1,
		"?framework_id=" + f.ID + "&executor_id=t":             1,
		"?framework_id=" + f.ID + "&executor_id=u":             0,
		"?framework_id=other":                                  0,
		"?framework_id=" + f.ID + "&container_id=" + container: -1,
		"?executor_id=t":                                       -1,
	} {
		answer := testbed.Do(t, http.MethodGet, a.URL("/containers"+query), nil, nil)
		switch {
		case count < 0:
			if answer.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %s, want 400", query, answer.Status, answer.Text())
			}
		case answer.Status != http.StatusOK || len(testbed.MustParse(t, answer.Body).List()) != count:
			t.Errorf("%s: %d %s, want %d of them", query, answer.Status, answer.Text(), count)
		}
	}
	got := a.Get("/containers").At(0)
	for _, path := range [][]any{{"statistics", "timestamp"}, {"statistics", "cpus_soft_limit"}, {"statistics", "mem_limit_bytes"}, {"status", "executor_pid"}} {
		if got.At(path...).Number() <= 0 {
			t.Errorf("%v of %v", path, got)
		}
	}
	if got.At("source").Text() != "t" || got.At("executor_name").Text() != "Command Executor (Task: t) (Command: sh -c '"+s.Command()+"')" {
		t.Errorf("names of %v", got)
	}
}

// A command's arguments are the task's, not its executor's; the executor has the
// environment that the agent is told to give, and not the agent's own.
func TestCommandAndEnvironment(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, `--executor_environment_variables={"PATH":"/usr/bin:/bin","COLOUR":"blue"}`)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	echo, env := testbed.Task(offer, "echo", ""), testbed.Task(offer, "env", "")
	echo["command"] = testbed.Object{"shell": false, "value": "/bin/echo", "arguments": testbed.List{"/bin/echo", "--author", "a b"}}
	env["command"] = testbed.Object{"shell": false, "value": "env", "arguments": testbed.List{"env"}}
	f.Accept(offer, testbed.Launch(echo, env))
	for _, task := range []string{"echo", "env"} {
		f.Follow(task, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	}
	if got := a.ReadFile(filepath.Join(a.Sandbox("echo"), "stdout")); !strings.HasSuffix(got, "--author a b\n") {
		t.Errorf("echo printed %q", got)
	}
	got := map[string]string{}
	for line := range strings.SplitSeq(a.ReadFile(filepath.Join(a.Sandbox("env"), "stdout")), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok {
			got[name] = value
		}
	}
	if got["COLOUR"] != "blue" || got["PATH"] != "/usr/bin:/bin" || got["MESOS_SANDBOX"] != a.Sandbox("env") {
		t.Errorf("environment %v", got)
	}
	for _, name := range []string{"HOME", "GOFLAGS", "MESOS_WORK_DIR"} {
		if v, ok := got[name]; ok {
			t.Errorf("the task got the agent's %s=%s", name, v)
		}
	}
}

// A user that the machine doesn't know fails the task, and says who that was.
func TestUnknownUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root becomes somebody else")
	}
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := testbed.Task(offer, "t", "true")
	task["command"].(testbed.Object)["user"] = "no-such-user"
	f.Accept(offer, testbed.Launch(task))
	status := f.Follow("t", "TASK_FAILED")
	if got := status.At("message").Text(); !strings.Contains(got, "no-such-user") {
		t.Errorf("message %q", got)
	}
	if got := status.At("reason").Text(); got != "REASON_CONTAINER_LAUNCH_FAILED" {
		t.Errorf("reason %s", got)
	}
}

// The agent remembers as many ended executors of a framework as it is told to.
func TestMaxCompletedExecutors(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--max_completed_executors_per_framework=1")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	s := testbed.NewSleeper()
	f.Run("stays", s.Command()) // so that the framework does too
	f.Follow("stays", "TASK_STARTING", "TASK_RUNNING")
	for _, task := range []string{"one", "two"} {
		f.Run(task, "true")
		f.Follow(task, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	}
	testbed.Eventually(t, "the last one is remembered", func() error {
		got := a.Get("/state").At("frameworks", 0, "completed_executors")
		if len(got.List()) != 1 || got.At(0, "id").Text() != "two" {
			return errorf("%v", got)
		}
		return nil
	})
}

// A task that obeys SIGTERM ends at once, however long its kill policy would wait.
func TestKillPolicyIsPatience(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := testbed.Task(offer, "t", testbed.NewSleeper().Command())
	task["kill_policy"] = testbed.Object{"grace_period": testbed.Object{"nanoseconds": 24 * time.Hour.Nanoseconds()}}
	f.Accept(offer, testbed.Launch(task))
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "t"}})
	f.Follow("t", "TASK_KILLED")
}

// An executor that doesn't end when it is told to is killed after its own grace
// period, not the agent's.
func TestExecutorGracePeriod(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--executor_shutdown_grace_period=1hrs")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	offer := f.Offer()
	task := withDriver(f, testbed.Task(offer, "t", ""))
	task["executor"].(testbed.Object)["shutdown_grace_period"] = testbed.Object{"nanoseconds": time.Second.Nanoseconds()}
	f.Accept(offer, testbed.Launch(task))
	d := newDriver(t, a, f)
	d.Receive(internal+"RunTaskMessage", &messages.RunTaskMessage{})
	asked := time.Now()
	f.Call("SHUTDOWN", testbed.Object{"executor_id": testbed.Object{"value": "driver"}, "agent_id": offer.At("agent_id").Raw()})
	d.Receive(internal+"ShutdownExecutorMessage", &messages.ShutdownExecutorMessage{})
	status := f.Follow("t", "TASK_FAILED")
	if waited := time.Since(asked); waited < time.Second {
		t.Errorf("it was killed after %s", waited)
	}
	if got := status.At("reason").Text(); got != "REASON_EXECUTOR_TERMINATED" {
		t.Errorf("reason %s", got)
	}
	failure := f.Await("FAILURE", testbed.Type("FAILURE")).At("failure")
	if failure.At("executor_id", "value").Text() != "driver" {
		t.Errorf("failure %v", failure)
	}
}

// An agent that waits for its executors says so instead of telling half of what runs,
// and takes none that nobody asked for.
func TestWhileRecovering(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix,
		"--executor_reregistration_timeout=15secs", "--executor_reregistration_retry_interval=200ms")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	offer := f.Offer()
	f.Accept(offer, testbed.Launch(withDriver(f, testbed.Task(offer, "t", ""))))
	d := newDriver(t, a, f)
	var run messages.RunTaskMessage
	d.Receive(internal+"RunTaskMessage", &run)
	d.report(t, run.GetTask(), mesos.TaskState_TASK_RUNNING)
	f.Follow("t", "TASK_RUNNING")
	testbed.Eventually(t, "the agent has the acknowledgement", func() error {
		if !strings.Contains(a.Log(), "status update acknowledged") {
			return errorf("it has not")
		}
		return nil
	})
	a.Kill()
	a.Launch()
	for range 3 { // it asks again and again
		d.Receive(internal+"ReconnectExecutorMessage", &messages.ReconnectExecutorMessage{})
	}
	if answer := testbed.Do(t, http.MethodGet, a.URL("/state"), nil, nil); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("/state: %d %s", answer.Status, answer.Text())
	}
	if answer := a.Operator(testbed.Object{"type": "GET_HEALTH"}); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("/api/v1: %d %s", answer.Status, answer.Text())
	}
	for _, path := range []string{"/health", "/flags", "/version", "/containers", "/monitor/statistics"} {
		if answer := testbed.Do(t, http.MethodGet, a.URL(path), nil, nil); answer.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, answer.Status, answer.Text())
		}
	}
	back := &messages.ReregisterExecutorMessage{ExecutorId: d.id, FrameworkId: d.framework}
	d.Send(d.agent, internal+"ReregisterExecutorMessage", back)
	d.Receive(internal+"ExecutorReregisteredMessage", &messages.ExecutorReregisteredMessage{})
	d.Send(d.agent, internal+"ReregisterExecutorMessage", back) // its answer crossed the next question
	d.report(t, run.GetTask(), mesos.TaskState_TASK_FINISHED)
	f.FollowTo("t", "TASK_FINISHED")
}
