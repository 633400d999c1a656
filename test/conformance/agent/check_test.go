package agent

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// served is what tasks would serve: a test's servers, in the network that they share.
type served struct {
	http, https, tcp float64 // ports
	status           atomic.Int64
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{}
	s.status.Store(http.StatusOK)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health":
			w.WriteHeader(int(s.status.Load()))
		case "/moved":
			http.Redirect(w, r, "/health", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	port := func(address net.Addr) float64 {
		_, text, err := net.SplitHostPort(address.String())
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.http, s.https, s.tcp = port(plain.Listener.Addr()), port(secure.Listener.Addr()), port(listener.Addr())
	return s
}

// often are the times of a check that is made all the time.
func often(check testbed.Object) testbed.Object {
	out := testbed.Object{"delay_seconds": 0.0, "interval_seconds": 1.0, "timeout_seconds": 10.0}
	for name, value := range check {
		out[name] = value
	}
	return out
}

func shell(command string, variables ...string) testbed.Object {
	out := testbed.Object{"shell": true, "value": command}
	if len(variables) > 0 {
		list := testbed.List{}
		for i := 0; i < len(variables); i += 2 {
			list = append(list, testbed.Object{"name": variables[i], "value": variables[i+1]})
		}
		out["environment"] = testbed.Object{"variables": list}
	}
	return out
}

// checkedTask is a task with checks, and what becomes of it. It is run by both executors.
type checkedTask struct {
	check, healthCheck testbed.Object
	// env are variables of the task's command.
	env []string
	// found says whether an update tells what the check should find out.
	found func(status testbed.Value) bool
}

func exitCode(code string) func(testbed.Value) bool {
	return func(s testbed.Value) bool {
		return s.At("check_status", "type").Text() == "COMMAND" && s.At("check_status", "command", "exit_code").Text() == code
	}
}

func isHealthy(s testbed.Value) bool { return s.At("healthy").True() }

func isSick(s testbed.Value) bool { return s.At("healthy").Exists() && !s.At("healthy").True() }

func checkedTasks(s *served) map[string]checkedTask {
	command := func(c testbed.Object) testbed.Object {
		return often(testbed.Object{"type": "COMMAND", "command": testbed.Object{"command": c}})
	}
	health := func(c testbed.Object) testbed.Object { return often(testbed.Object{"type": "COMMAND", "command": c}) }
	return map[string]checkedTask{
		"check-http": {
			check: often(testbed.Object{"type": "HTTP", "http": testbed.Object{"port": s.http, "path": "/health"}}),
			found: func(v testbed.Value) bool { return v.At("check_status", "http", "status_code").Text() == "200" },
		},
		"check-http-moved-to-nowhere": {
			check: often(testbed.Object{"type": "HTTP", "http": testbed.Object{"port": s.http, "path": "/nowhere"}}),
			found: func(v testbed.Value) bool { return v.At("check_status", "http", "status_code").Text() == "404" },
		},
		"check-tcp": {
			check: often(testbed.Object{"type": "TCP", "tcp": testbed.Object{"port": s.tcp}}),
			found: func(v testbed.Value) bool { return v.At("check_status", "tcp", "succeeded").True() },
		},
		"check-sees-the-tasks-environment": {
			check: command(shell(`test "$FROM_TASK" = yes && exit 42`)), env: []string{"FROM_TASK", "yes"}, found: exitCode("42"),
		},
		"check-has-its-own-environment": {
			check: command(shell(`exit $STATUS`, "STATUS", "43")), env: []string{"STATUS", "1"}, found: exitCode("43"),
		},
		"check-without-a-shell": {
			check: command(testbed.Object{"shell": false, "value": "/bin/false", "arguments": testbed.List{"false"}}), found: exitCode("1"),
		},
		"check-in-the-tasks-directory": {check: command(shell(`test -e made-by-task && exit 44; exit 1`)), found: exitCode("44")},
		"check-that-hangs": {
			check: testbed.Object{"type": "COMMAND", "command": testbed.Object{"command": shell("test -e hung && sleep 1000; touch hung; exit 9")},
				"delay_seconds": 0.0, "interval_seconds": 1.0, "timeout_seconds": 4.0},
			found: func(v testbed.Value) bool {
				return v.At("reason").Text() == "REASON_TASK_CHECK_STATUS_UPDATED" && v.At("check_status", "command").Exists() &&
					!v.At("check_status", "command", "exit_code").Exists()
			},
		},
		"health-http": {healthCheck: often(testbed.Object{"type": "HTTP", "http": testbed.Object{"port": s.http, "path": "/moved"}}), found: isHealthy},
		"health-https": {
			healthCheck: often(testbed.Object{"type": "HTTP", "http": testbed.Object{"port": s.https, "scheme": "https", "path": "/health"}}), found: isHealthy,
		},
		"health-http-without-type": {healthCheck: often(testbed.Object{"http": testbed.Object{"port": s.http, "path": "/health"}}), found: isHealthy},
		"health-tcp":               {healthCheck: often(testbed.Object{"type": "TCP", "tcp": testbed.Object{"port": s.tcp}}), found: isHealthy},
		"health-environment":       {healthCheck: health(shell("exit $STATUS", "STATUS", "0")), env: []string{"STATUS", "1"}, found: isHealthy},
		"health-without-a-shell": {
			healthCheck: health(testbed.Object{"shell": false, "value": "/bin/true", "arguments": testbed.List{"true"}}), found: isHealthy,
		},
		"sick-in-the-grace-period": { // which a success ends early
			healthCheck: often(testbed.Object{"type": "COMMAND", "grace_period_seconds": 9999.0, "consecutive_failures": 1000,
				"command": shell("test -e seen && exit 1; touch seen")}),
			found: isSick,
		},
		"slow-is-sick": {
			healthCheck: testbed.Object{"type": "COMMAND", "command": shell("sleep 1000"), "delay_seconds": 0.0, "interval_seconds": 0.1,
				"timeout_seconds": 0.2, "grace_period_seconds": 0.0, "consecutive_failures": 1000},
			found: isSick,
		},
		"both-checks": {
			check: command(shell("exit 7")), healthCheck: health(shell("exit 0")),
			found: func(v testbed.Value) bool { return isHealthy(v) && exitCode("7")(v) },
		},
	}
}

// apply puts the checks into a task.
func (c checkedTask) apply(task testbed.Object) {
	task["command"] = shell("touch made-by-task; sleep 1000", c.env...)
	task["resources"] = testbed.List{testbed.Scalar("cpus", 0.05), testbed.Scalar("mem", 32)}
	if c.check != nil {
		task["check"] = c.check
	}
	if c.healthCheck != nil {
		task["health_check"] = c.healthCheck
	}
}

// TestEveryCheck runs a task for each kind of check by both executors, those of the
// default executor in one group, and looks for what is found out in updates, in
// reconciliation, and in both states.
func TestEveryCheck(t *testing.T) {
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			s := serve(t)
			tasks := checkedTasks(s)
			master := testbed.StartMaster(t)
			agent := testbed.StartAgent(t, master.Address, runtime, "--resources=cpus:8;mem:8192;disk:4096")
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
			offer := f.Offer()
			var single []testbed.Object
			group := testbed.List{}
			want := map[string]checkedTask{}
			for name, c := range tasks {
				alone, together := testbed.Task(offer, name, ""), testbed.Task(offer, "group-"+name, "")
				c.apply(alone)
				c.apply(together)
				single = append(single, alone)
				want[name] = c
				if name != "health-http-without-type" { // which Mesos lets single tasks have only
					group = append(group, together)
					want["group-"+name] = c
				}
			}
			f.Accept(offer, testbed.Launch(single...), testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
				"executor": newGroup(f, "e").executor, "task_group": testbed.Object{"tasks": group}}})
			ids := map[string]testbed.Value{}
			for deadline := time.Now().Add(testbed.Patience); len(ids) < len(want); {
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d checks found out what they should: %v", len(ids), len(want), missing(want, ids))
				}
				status := f.Await("an update, missing "+missing(want, ids), testbed.Type("UPDATE")).At("update", "status")
				f.Acknowledge(status)
				id := status.At("task_id", "value").Text()
				if state := status.At("state").Text(); state != "TASK_STARTING" && state != "TASK_RUNNING" {
					t.Errorf("task %s: %v", id, status)
				}
				if want[id].found(status) {
					ids[id] = status
				}
			}
			checkReconciled(t, f, want)
			checkStates(t, master, agent)
			if runtime == testbed.Posix {
				s.status.Store(http.StatusServiceUnavailable)
				f.Await("a status that changed", func(v testbed.Value) bool {
					st := v.At("update", "status")
					return st.At("task_id", "value").Text() == "check-http" && st.At("check_status", "http", "status_code").Text() == "503"
				})
				f.Await("a task that became sick", func(v testbed.Value) bool {
					st := v.At("update", "status")
					return st.At("task_id", "value").Text() == "group-health-https" && isSick(st)
				})
			}
			f.Call("TEARDOWN", nil)
		})
	}
}

func missing(want map[string]checkedTask, got map[string]testbed.Value) string {
	var out []string
	for id := range want {
		if !got[id].Exists() {
			out = append(out, id)
		}
	}
	return fmt.Sprint(out)
}

// checkReconciled asks the master for some of the tasks' last statuses.
func checkReconciled(t *testing.T, f *testbed.Framework, want map[string]checkedTask) {
	t.Helper()
	for _, id := range []string{"both-checks", "group-both-checks", "group-check-tcp"} {
		f.Call("RECONCILE", testbed.Object{"tasks": testbed.List{testbed.Object{"task_id": testbed.Object{"value": id}}}})
		status := f.Await("the status of "+id, func(v testbed.Value) bool {
			s := v.At("update", "status")
			return s.At("task_id", "value").Text() == id && s.At("reason").Text() == "REASON_RECONCILIATION"
		}).At("update", "status")
		if !want[id].found(status) {
			t.Errorf("reconciled: %v", status)
		}
	}
}

// checkStates looks into the states of master and agent. v0 has the health only, as in Mesos.
func checkStates(t *testing.T, master *testbed.Master, agent *testbed.Agent) {
	t.Helper()
	last := func(task testbed.Value) testbed.Value {
		statuses := task.At("statuses").List()
		return statuses[len(statuses)-1]
	}
	v0 := master.Get("/state").At("frameworks", 0, "tasks").Find("group-both-checks", "id")
	if status := last(v0); !status.At("healthy").True() || status.At("check_status").Exists() || !v0.At("health_check").Exists() {
		t.Errorf("the master's /state has %v", v0)
	}
	for _, framework := range agent.Get("/state").At("frameworks").List() {
		task := framework.At("executors").Find("e", "id").At("tasks").Find("group-health-tcp", "id")
		if status := last(task); !status.At("healthy").True() {
			t.Errorf("the agent's /state has %v", status)
		}
	}
	ask := testbed.Object{"type": "GET_TASKS"}
	for name, tasks := range map[string]testbed.Value{
		"master": master.Ask(ask).At("get_tasks", "tasks"), "agent": agent.Ask(ask).At("get_tasks", "launched_tasks"),
	} {
		task := tasks.Find("both-checks", "task_id", "value")
		if status := last(task); !status.At("healthy").True() || status.At("check_status", "command", "exit_code").Text() != "7" {
			t.Errorf("GET_TASKS of the %s has %v", name, task)
		}
	}
}
