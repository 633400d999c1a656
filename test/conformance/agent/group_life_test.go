package agent

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// rooted skips tests that make others' files or limit containers.
func rooted(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// A group's tasks have the user of the executor, and sandboxes that are theirs.
func TestGroupOwnsItsSandboxes(t *testing.T) {
	rooted(t)
	eachRuntime(t, testbed.Object{"user": "nobody"}, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		g.launch(func(id string, task testbed.Object) {
			if id == "checked" { // by a command of the same user, in the same place
				task["health_check"] = often(testbed.Object{"type": "COMMAND", "grace_period_seconds": 1000,
					"command": shell(`[ "$(id -un) $(stat -c %U mine)" = "nobody nobody" ] && ! touch /etc/theirs`)})
			}
		}, "who", `id -un; stat -c %U . "$MESOS_SANDBOX"; touch mine`, "checked", "touch mine; sleep 1000")
		f.Follow("who", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		f.Follow("checked", "TASK_STARTING", "TASK_RUNNING")
		if got := f.Follow("checked", "TASK_RUNNING"); !isHealthy(got) {
			t.Errorf("health of the task: %v", got)
		}
		if got := a.ReadFile(filepath.Join(a.Sandbox("e"), "tasks/who/stdout")); got != "nobody\nnobody\nnobody\n" {
			t.Errorf("%q", got)
		}
	})
}

// An executor that is killed takes its tasks along, and nothing of them is left.
func TestGroupExecutorIsKilled(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		one, two := testbed.NewSleeper(), testbed.NewSleeper()
		g.launch(nil, "one", one.Command(), "two", two.Command())
		for _, task := range []string{"one", "two"} {
			f.Follow(task, "TASK_STARTING", "TASK_RUNNING")
		}
		one.PID(t)
		executor := int(a.Get("/containers").At(0, "status", "executor_pid").Number())
		if err := syscall.Kill(executor, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for _, task := range []string{"one", "two"} {
			if got := f.Follow(task, "TASK_FAILED").At("reason").Text(); got != "REASON_EXECUTOR_TERMINATED" {
				t.Errorf("reason %s", got)
			}
		}
		one.AwaitEnd(t)
		two.AwaitEnd(t)
		testbed.Eventually(t, "no container is left", func() error {
			if got := a.Get("/containers").List(); len(got) > 0 {
				return errorf("%v", got)
			}
			return nil
		})
	})
}

// A task that is killed was killed, whatever it says of its end.
func TestGroupKilledIsNotFinished(t *testing.T) {
	eachRuntime(t, tellsKilling, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		g.launch(nil, "polite", `trap "exit 0" TERM; touch ready; while :; do sleep 0.05; done`)
		f.Follow("polite", "TASK_STARTING", "TASK_RUNNING")
		testbed.Eventually(t, "it has its trap", func() error {
			_, err := os.Stat(filepath.Join(a.Sandbox("e"), "tasks/polite/ready"))
			return err
		})
		g.kill("polite")
		f.Follow("polite", "TASK_KILLING", "TASK_KILLED")
	})
}

// All tasks of a group may be killed at once.
func TestGroupKilledTwice(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, _ *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		one, two := testbed.NewSleeper(), testbed.NewSleeper()
		g.launch(nil, "one", one.Command(), "two", two.Command())
		for _, task := range []string{"one", "two"} {
			f.Follow(task, "TASK_STARTING", "TASK_RUNNING")
		}
		g.kill("one")
		g.kill("two")
		f.Follow("one", "TASK_KILLED")
		f.Follow("two", "TASK_KILLED")
		one.AwaitEnd(t)
		two.AwaitEnd(t)
	})
}

// URIs of tasks are fetched into the tasks' own sandboxes.
func TestGroupURIs(t *testing.T) {
	eachRuntime(t, nil, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "fetched")
		if err := os.WriteFile(file, []byte("content\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		g := newGroup(f, "e")
		g.launch(func(_ string, task testbed.Object) {
			task["command"].(testbed.Object)["uris"] = testbed.List{testbed.Object{"value": "file://" + file}}
		}, "reads", "cat fetched")
		f.Follow("reads", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		if got := a.ReadFile(filepath.Join(a.Sandbox("e"), "tasks/reads/stdout")); got != "content\n" {
			t.Errorf("%q", got)
		}
	})
}

// Tasks of all groups of an executor that ask for it see each other's processes, the others
// don't. So it is with PID namespaces of their own or without.
func TestGroupSharesPIDNamespace(t *testing.T) {
	rooted(t)
	if len(testbed.Runtimes()) < 2 {
		t.Skip("needs runc")
	}
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.OCI, "--isolation=filesystem/linux,namespaces/pid,cgroups/cpu,cgroups/mem")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	g := newGroup(f, "e")
	share := func(id string, task testbed.Object) {
		if id != "apart" {
			task["container"] = testbed.Object{"type": "MESOS", "linux_info": testbed.Object{"share_pid_namespace": true}}
		}
	}
	const tell = "readlink /proc/self/ns/pid > namespace; touch told; sleep 1000"
	g.launch(share, "one", tell, "apart", tell)
	for _, task := range []string{"one", "apart"} {
		f.Follow(task, "TASK_STARTING", "TASK_RUNNING")
	}
	g.launch(share, "two", tell)
	f.Follow("two", "TASK_STARTING", "TASK_RUNNING")
	namespace := map[string]string{}
	for _, task := range []string{"one", "two", "apart"} {
		dir := filepath.Join(a.Sandbox("e"), "tasks", task)
		testbed.Eventually(t, task+" has told", func() error {
			_, err := os.Stat(filepath.Join(dir, "told"))
			return err
		})
		namespace[task] = a.ReadFile(filepath.Join(dir, "namespace"))
	}
	executor := int(a.Get("/containers").At(0, "status", "executor_pid").Number())
	link, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(executor), "ns/pid"))
	if err != nil || namespace["one"] != link+"\n" || namespace["two"] != link+"\n" || namespace["apart"] == link+"\n" {
		t.Errorf("the executor is in %s, tasks in %v; error %v", link, namespace, err)
	}
}

// Tasks of several groups meet in a directory of their executor, and a task's volume
// is seen through the agent's files.
func TestGroupVolumes(t *testing.T) {
	rooted(t)
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			isolation := "cgroups/cpu,cgroups/mem,volume/sandbox_path"
			if runtime == testbed.OCI {
				isolation += ",filesystem/linux"
			}
			a := testbed.StartAgent(t, master.Address, runtime, "--isolation="+isolation)
			defer a.Terminate()
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{
				"checkpoint": true, "roles": testbed.List{"shop"}, "user": "nobody",
			}})
			defer f.Call("TEARDOWN", nil)
			g := newGroup(f, "e")
			shared := testbed.Object{"type": "MESOS"}
			shared["volumes"] = testbed.List{testbed.Object{"mode": "RW", "container_path": "meet", "source": testbed.Object{
				"type": "SANDBOX_PATH", "sandbox_path": testbed.Object{"type": "PARENT", "path": "place"},
			}}}
			meets := func(_ string, task testbed.Object) { task["container"] = shared }
			g.launch(meets, "waits", "while ! test -e meet/letter; do sleep 0.05; done; cat meet/letter")
			f.Follow("waits", "TASK_STARTING", "TASK_RUNNING")
			g.launch(meets, "writes", "echo dear > meet/letter")
			f.Follow("writes", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
			f.Follow("waits", "TASK_FINISHED")
			if got := a.ReadFile(filepath.Join(a.Sandbox("e"), "tasks/waits/stdout")); got != "dear\n" {
				t.Errorf("%q", got)
			}
			persistent(t, a, f)
		})
	}
}

// persistent launches a group with a persistent volume on a task, which its user writes
// and its health check reads.
func persistent(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
	offer := f.Offer()
	reserved := testbed.Scalar("disk", 64)
	reserved["reservations"] = testbed.List{testbed.Object{"type": "DYNAMIC", "role": "shop"}}
	reserved["allocation_info"] = testbed.Object{"role": "shop"}
	volume := testbed.Object{}
	for name, value := range reserved {
		volume[name] = value
	}
	volume["disk"] = testbed.Object{
		"persistence": testbed.Object{"id": "v"}, "volume": testbed.Object{"container_path": "data", "mode": "RW"},
	}
	s := testbed.NewSleeper()
	task := testbed.Task(offer, "keeps", "echo kept > data/file; "+s.Command())
	task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), volume}
	task["health_check"] = testbed.Object{ // sees what the task sees
		"type": "COMMAND", "command": testbed.Object{"value": "grep kept data/file"},
		"delay_seconds": 0.0, "interval_seconds": 0.1, "grace_period_seconds": 10.0,
	}
	g := newGroup(f, "p")
	f.Accept(offer,
		testbed.Object{"type": "RESERVE", "reserve": testbed.Object{"resources": testbed.List{reserved}}},
		testbed.Object{"type": "CREATE", "create": testbed.Object{"volumes": testbed.List{volume}}},
		testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
			"executor": g.executor, "task_group": testbed.Object{"tasks": testbed.List{task}},
		}})
	g.agent = offer.At("agent_id").Raw()
	f.Follow("keeps", "TASK_STARTING", "TASK_RUNNING")
	if got := f.Follow("keeps", "TASK_RUNNING"); !got.At("healthy").True() {
		t.Errorf("health of the task: %v", got)
	}
	// Mesos shows the volume of a group's task under the executor's sandbox.
	for _, base := range []string{a.Sandbox("p"), "/frameworks/" + f.ID + "/executors/p/runs/latest"} {
		path := url.QueryEscape(base + "/tasks/keeps/data")
		testbed.Eventually(t, "the volume is seen by "+base, func() error {
			got := a.TryGet("/files/browse?path=" + path)
			if !got.Exists() || len(got.List()) != 1 || !strings.HasSuffix(got.At(0, "path").Text(), "/data/file") {
				return errorf("%v", got)
			}
			return nil
		})
	}
	g.kill("keeps")
	f.Follow("keeps", "TASK_KILLED")
	kept, err := filepath.Glob(filepath.Join(a.WorkDir, "volumes/roles/shop/v/file"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

// Without checkpoints a group doesn't outlive its agent, and leaves nothing behind.
func TestGroupWithoutCheckpoints(t *testing.T) {
	rooted(t) // else there are no cgroups to find what is left in
	eachRuntime(t, testbed.Object{"checkpoint": false}, func(t *testing.T, a *testbed.Agent, f *testbed.Framework) {
		g := newGroup(f, "e")
		s := testbed.NewSleeper()
		g.launch(nil, "t", s.Command())
		f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
		s.PID(t)
		a.Kill()
		a.Start()
		s.AwaitEnd(t)
		status := f.Await("the end of t", func(v testbed.Value) bool {
			return v.At("update", "status", "task_id", "value").Text() == "t" && v.At("update", "status", "state").Text() != "TASK_RUNNING"
		}).At("update", "status")
		if got := status.At("state").Text(); got != "TASK_GONE" && got != "TASK_LOST" {
			t.Errorf("%v", status)
		}
	})
}

// A task that uses more disk than it has fails with what it used, and its group with it.
func TestGroupTaskHitsItsLimit(t *testing.T) {
	rooted(t)
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix,
		"--isolation=cgroups/cpu,cgroups/mem,disk/du", "--enforce_container_disk_quota", "--container_disk_watch_interval=200ms")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	g := newGroup(f, "e")
	s := testbed.NewSleeper()
	g.launch(func(_ string, task testbed.Object) {
		task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 10)}
	}, "greedy", "dd if=/dev/zero of=big bs=1M count=50; "+s.Command())
	f.Follow("greedy", "TASK_STARTING", "TASK_RUNNING")
	status := f.Follow("greedy", "TASK_FAILED")
	if got := status.At("reason").Text(); got != "REASON_CONTAINER_LIMITATION_DISK" {
		t.Errorf("%v", status)
	}
	if used := status.At("limitation", "resources").Find("disk", "name").At("scalar", "value").Number(); used < 10 {
		t.Errorf("limitation of %v", status)
	}
	s.AwaitEnd(t)
}
