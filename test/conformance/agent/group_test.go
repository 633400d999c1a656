package agent

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// group is a group of tasks for a default executor.
type group struct {
	f        *testbed.Framework
	executor testbed.Object
	agent    any
}

func newGroup(f *testbed.Framework, id string) *group {
	return &group{f: f, executor: testbed.Object{
		"type": "DEFAULT", "executor_id": testbed.Object{"value": id},
		"framework_id": testbed.Object{"value": f.ID},
		"resources":    testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 32)},
	}}
}

// launch launches tasks, by IDs and commands in turn. change may alter them.
func (g *group) launch(change func(id string, task testbed.Object), idsAndCommands ...string) {
	offer := g.f.Offer()
	var tasks testbed.List
	for i := 0; i < len(idsAndCommands); i += 2 {
		task := testbed.Task(offer, idsAndCommands[i], idsAndCommands[i+1])
		if change != nil {
			change(idsAndCommands[i], task)
		}
		tasks = append(tasks, task)
	}
	g.agent = offer.At("agent_id").Raw()
	g.f.Accept(offer, testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
		"executor": g.executor, "task_group": testbed.Object{"tasks": tasks},
	}})
}

func (g *group) kill(task string) {
	g.f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": task}, "agent_id": g.agent})
}

// eachRuntime starts an agent for each runtime and subscribes a framework.
func eachRuntime(t *testing.T, info testbed.Object, test func(t *testing.T, a *testbed.Agent, f *testbed.Framework)) {
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			a := testbed.StartAgent(t, master.Address, runtime)
			defer a.Terminate()
			all := testbed.Object{"checkpoint": true}
			for name, value := range info {
				all[name] = value
			}
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: all})
			defer f.Call("TEARDOWN", nil)
			test(t, a, f)
		})
	}
}

var tellsKilling = testbed.Object{"capabilities": testbed.List{
	testbed.Object{"type": "MULTI_ROLE"}, testbed.Object{"type": "PARTITION_AWARE"}, testbed.Object{"type": "TASK_KILLING_STATE"},
}}

// Tasks of a group run and finish beside each other; they have what their executor has.
func TestGroup(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		g.launch(nil, "a", `echo "$MESOS_SANDBOX|$MESOS_CONTAINER_IP|$MESOS_ALLOCATION_ROLE|$MESOS_TASK_ID"; sleep 0.3`,
			"b", "sleep 0.6") // of a container that is gone the agent can't tell an address
		for _, task := range []string{"a", "b"} {
			f.Follow(task, "TASK_STARTING")
			running := f.Follow(task, "TASK_RUNNING")
			if got := running.At("container_status", "container_id", "parent", "value").Text(); got == "" {
				t.Errorf("container of task %s: %v", task, running)
			}
			if got := running.At("container_status", "network_infos", 0, "ip_addresses", 0, "ip_address").Text(); got != "127.0.0.1" {
				t.Errorf("address of task %s: %v", task, running)
			}
			f.Follow(task, "TASK_FINISHED")
		}
		sandbox := a.Sandbox("e")
		out := a.ReadFile(filepath.Join(sandbox, "tasks/a/stdout"))
		if fields := strings.Split(strings.TrimSpace(out), "|"); len(fields) != 4 || !strings.HasPrefix(fields[0], sandbox+"/containers/") ||
			fields[1] != "127.0.0.1" || fields[2] != "*" || fields[3] != "" {
			t.Errorf("environment %q", out)
		}
		testbed.Eventually(t, "the executor has ended", func() error {
			if es := a.Get("/state").At("frameworks", 0, "executors").List(); len(es) != 0 {
				return errorf("executors %v", es)
			}
			return nil
		})
	})
}

// A task that fails takes the rest of its group along, but no other group.
func TestGroupFails(t *testing.T) {
	eachRuntime(t, tellsKilling, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		other, mate := testbed.NewSleeper(), testbed.NewSleeper()
		g.launch(nil, "other", other.Command())
		f.Follow("other", "TASK_STARTING", "TASK_RUNNING")
		g.launch(nil, "fails", "sleep 0.2; exit 3", "mate", mate.Command())
		last := f.Follow("fails", "TASK_STARTING", "TASK_RUNNING", "TASK_FAILED")
		if got := last.At("message").Text(); got != "Command exited with status 3" {
			t.Errorf("message %q", got)
		}
		f.Follow("mate", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED")
		mate.AwaitEnd(t)
		other.PID(t)
		g.kill("other")
		f.Follow("other", "TASK_KILLING", "TASK_KILLED")
		other.AwaitEnd(t)
	})
}

// A kill ends the group; who ignores SIGTERM gets SIGKILL when its grace is over.
func TestGroupKill(t *testing.T) {
	eachRuntime(t, tellsKilling, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		mate := testbed.NewSleeper()
		g.launch(func(id string, task testbed.Object) {
			task["kill_policy"] = testbed.Object{"grace_period": testbed.Object{"nanoseconds": 200_000_000}}
		}, "stubborn", `trap "" TERM; echo up; while :; do sleep 0.05; done`, "mate", mate.Command())
		f.Follow("stubborn", "TASK_STARTING", "TASK_RUNNING")
		f.Follow("mate", "TASK_STARTING", "TASK_RUNNING")
		mate.PID(t)
		g.kill("stubborn")
		last := f.Follow("stubborn", "TASK_KILLING", "TASK_KILLED")
		if got := last.At("message").Text(); got != "Command terminated with signal Killed" {
			t.Errorf("message %q", got)
		}
		f.Follow("mate", "TASK_KILLING", "TASK_KILLED")
		mate.AwaitEnd(t)
	})
}

func TestGroupCompletionTime(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		g.launch(func(_ string, task testbed.Object) {
			task["max_completion_time"] = testbed.Object{"nanoseconds": 300_000_000}
		}, "slow", "sleep 1000")
		last := f.Follow("slow", "TASK_STARTING", "TASK_RUNNING", "TASK_FAILED")
		if got := last.At("reason").Text(); got != "REASON_MAX_COMPLETION_TIME_REACHED" {
			t.Errorf("reason %q", got)
		}
	})
}

// A task that can't be launched fails with the reason, and its group with it.
func TestGroupLaunchFails(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		mate := testbed.NewSleeper()
		g.launch(func(id string, task testbed.Object) {
			if id == "bad" {
				task["command"] = testbed.Object{"shell": false, "value": "/no/such/command", "arguments": testbed.List{"x"}}
			}
		}, "bad", "", "mate", mate.Command())
		last := f.Follow("bad", "TASK_STARTING", "TASK_FAILED")
		if got := last.At("message").Text(); !strings.Contains(got, "/no/such/command") {
			t.Errorf("message %q", got)
		}
		f.FollowTo("mate", "TASK_KILLED") // it may have run before
		mate.AwaitEnd(t)
	})
}

// Agent and executor find each other again after a kill -9; what ended meanwhile is told.
func TestGroupAgentIsKilled(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		stays := testbed.NewSleeper()
		g.launch(nil, "stays", stays.Command(), "ends", "while ! test -e go; do sleep 0.02; done")
		for _, task := range []string{"stays", "ends"} {
			f.Follow(task, "TASK_STARTING", "TASK_RUNNING")
		}
		pid, sandbox := stays.PID(t), a.Sandbox("e")
		a.Kill()
		touch(t, filepath.Join(sandbox, "tasks/ends/go"))
		a.Start()
		f.FollowTo("ends", "TASK_FINISHED")
		if got := stays.PID(t); got != pid {
			t.Errorf("process %d has become %d", pid, got)
		}
		g.kill("stays")
		f.FollowTo("stays", "TASK_KILLED")
		stays.AwaitEnd(t)
	})
}

// An agent that is killed while a group is being launched: each task runs once, or is
// told to have ended.
func TestGroupAgentIsKilledDuringLaunch(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		first := testbed.NewSleeper()
		g.launch(nil, "first", first.Command())
		f.Follow("first", "TASK_STARTING", "TASK_RUNNING")
		var sleepers []testbed.Sleeper
		var tasks []string
		for range 6 {
			s := testbed.NewSleeper()
			sleepers = append(sleepers, s)
			tasks = append(tasks, "t"+strings.TrimPrefix(s.Command(), "sleep "), s.Command())
		}
		g.launch(nil, tasks...)
		f.Await("a task of the group starts", func(v testbed.Value) bool {
			return v.At("update", "status", "state").Text() == "TASK_STARTING" && v.At("update", "status", "task_id", "value").Text() == tasks[0]
		})
		a.Kill()
		a.Start()
		for i, s := range sleepers {
			status := f.Await("a state of "+tasks[2*i], func(v testbed.Value) bool {
				state := v.At("update", "status", "state").Text()
				if u := v.At("update", "status"); u.At("uuid").Exists() && u.At("task_id", "value").Text() == tasks[2*i] {
					f.Acknowledge(u)
				}
				return v.At("update", "status", "task_id", "value").Text() == tasks[2*i] && state != "TASK_STARTING"
			}).At("update", "status")
			switch state := status.At("state").Text(); {
			case state == "TASK_RUNNING" && len(s.PIDs()) > 1:
				t.Errorf("task %s runs twice", tasks[2*i])
			case state == "TASK_RUNNING":
			default:
				t.Logf("task %s: %v", tasks[2*i], status)
				s.AwaitEnd(t)
			}
		}
		first.PID(t)
	})
}
