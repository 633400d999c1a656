package agent

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestUnprivileged runs an agent as an ordinary user, with every isolator that such a user can
// have. The other tests of this package do so as well when they are run by one.
func TestUnprivileged(t *testing.T) {
	rooted(t) // else there is nobody to become
	const nobody = 65534
	master := testbed.StartMaster(t)
	a := testbed.NewAgent(t, master.Address, testbed.Posix, "--launcher=posix",
		"--isolation=filesystem/posix,posix/cpu,posix/mem,posix/rlimits,disk/du,volume/sandbox_path,environment_secret",
		"--enforce_container_disk_quota", "--container_disk_watch_interval=100ms", "--fetcher_cache_size=10MB")
	a.SetFlags("--fetcher_cache_dir=" + filepath.Join(a.Dir, "cache"))
	a.As(nobody, nobody)
	a.Start()
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true, "user": "nobody"}})
	defer f.Call("TEARDOWN", nil)
	run := func(id, command string, change func(task testbed.Object)) {
		offer := f.Offer()
		task := testbed.Task(offer, id, command)
		task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 16)}
		if change != nil {
			change(task)
		}
		f.Accept(offer, testbed.Launch(task))
	}
	stdout := func(id string) string { return a.ReadFile(filepath.Join(a.Sandbox(id), "stdout")) }

	t.Run("limits", func(t *testing.T) {
		run("limits", "id -un; ulimit -n; echo $SECRET", func(task testbed.Object) {
			task["container"] = testbed.Object{"type": "MESOS", "rlimit_info": testbed.Object{"rlimits": testbed.List{
				testbed.Object{"type": "RLMT_NOFILE", "soft": 77, "hard": 99}}}}
			task["command"].(testbed.Object)["environment"] = testbed.Object{"variables": testbed.List{testbed.Object{
				"name": "SECRET", "type": "SECRET", "secret": testbed.Object{"type": "VALUE", "value": testbed.Object{"data": "c2VjcmV0"}}}}}
		})
		f.Follow("limits", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		if got := stdout("limits"); got != "nobody\n77\nsecret\n" {
			t.Errorf("stdout %q", got)
		}
	})
	t.Run("disk quota", func(t *testing.T) {
		run("greedy", "dd if=/dev/zero of=big bs=1M count=40; sleep 1000", nil)
		f.Follow("greedy", "TASK_STARTING", "TASK_RUNNING")
		if got := f.Follow("greedy", "TASK_FAILED"); got.At("reason").Text() != "REASON_CONTAINER_LIMITATION_DISK" {
			t.Errorf("status %v", got)
		}
	})
	t.Run("fetcher", func(t *testing.T) {
		for _, id := range []string{"fetches", "fetches-again"} {
			run(id, "cat passwd", func(task testbed.Object) {
				task["command"].(testbed.Object)["uris"] = testbed.List{testbed.Object{"value": "file:///etc/passwd", "cache": true}}
			})
			f.Follow(id, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
			if got := stdout(id); !strings.Contains(got, "root:") {
				t.Errorf("stdout %q", got)
			}
		}
	})
	t.Run("group", func(t *testing.T) {
		g := newGroup(f, "e")
		g.launch(func(id string, task testbed.Object) {
			task["container"] = testbed.Object{"type": "MESOS", "volumes": testbed.List{testbed.Object{"mode": "RW", "container_path": "meet",
				"source": testbed.Object{"type": "SANDBOX_PATH", "sandbox_path": testbed.Object{"type": "PARENT", "path": "place"}}}}}
			if id == "stays" {
				task["health_check"] = often(testbed.Object{"type": "COMMAND", "command": shell("test -e meet/letter"), "grace_period_seconds": 1000})
			}
		}, "stays", "while [ ! -e go ]; do sleep 0.05; done", "writes", "echo dear > meet/letter")
		f.Follow("writes", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		f.Follow("stays", "TASK_STARTING", "TASK_RUNNING")
		if got := f.Follow("stays", "TASK_RUNNING"); !isHealthy(got) {
			t.Errorf("status %v", got)
		}
	})
	t.Run("killed agent", func(t *testing.T) {
		s := testbed.NewSleeper()
		run("lives", s.Command(), nil)
		f.Follow("lives", "TASK_STARTING", "TASK_RUNNING")
		pid, sandbox := s.PID(t), a.Sandbox("e")
		a.Kill()
		touch(t, filepath.Join(sandbox, "tasks/stays/go"))
		a.Start()
		f.FollowTo("stays", "TASK_FINISHED")
		if got := s.PID(t); got != pid {
			t.Errorf("process %d has become %d", pid, got)
		}
		testbed.Eventually(t, "the task is measured", func() error {
			for _, c := range a.Get("/containers").List() {
				if m := c.At("statistics"); c.At("executor_id").Text() == "lives" && m.At("mem_rss_bytes").Number() > 0 &&
					m.At("cpus_user_time_secs").Exists() && m.At("disk_limit_bytes").Number() == 16<<20 {
					return nil
				}
			}
			return fmt.Errorf("containers %v", a.Get("/containers"))
		})
		f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "lives"}})
		f.FollowTo("lives", "TASK_KILLED")
		s.AwaitEnd(t)
	})
	t.Run("nested", func(t *testing.T) {
		c := &client{t, a, encodings[0]}
		root := executorOf(c, f, "parent")
		id := nested(root, "child")
		c.want(http.StatusOK, launch(id, "id -un; exit 3"))
		if got := c.want(http.StatusOK, await(id)).GetWaitContainer().GetExitStatus(); got != 3<<8 {
			t.Errorf("it ended with %d", got)
		}
		s := c.open(t, session(nested(root, "session"), "id -un"))
		if out, _ := s.rest(); out != "nobody\n" {
			t.Errorf("the session said %q", out)
		}
	})
	t.Run("another user", func(t *testing.T) { // whom it can't become
		run("other", "true", func(task testbed.Object) { task["command"].(testbed.Object)["user"] = "root" })
		got := f.Follow("other", "TASK_FAILED")
		if message := got.At("message").Text(); !strings.Contains(message, "operation not permitted") {
			t.Errorf("status %v", got)
		}
	})
}
