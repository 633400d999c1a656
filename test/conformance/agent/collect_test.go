package agent

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func gone(path string) func() error {
	return func() error {
		if _, err := os.Lstat(path); err == nil {
			return errorf("%s is there", path)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
}

// TestCollectNestedSandboxes: with --gc_non_executor_container_sandboxes those of nested and
// standalone containers go when these have ended, also if the agent was away then; without it
// they stay.
func TestCollectNestedSandboxes(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--gc_delay=10ms", "--disk_watch_interval=50ms")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	c := &client{t, a, encodings[1]}
	root := executorOf(c, f, "root")
	below := filepath.Join(a.Sandbox("root"), "containers")
	ended := func(id *mesos.ContainerID) {
		t.Helper()
		c.want(http.StatusOK, launch(id, "echo output"))
		c.want(http.StatusOK, await(id))
	}
	ended(nested(root, "kept"))
	alone := &mesos.ContainerID{Value: new("alone")}
	ended(alone)
	for _, path := range []string{filepath.Join(below, "kept", "stdout"), filepath.Join(a.WorkDir, "containers", "alone", "stdout")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("without the flag: %v", err)
		}
	}

	a.Terminate()
	a.SetFlags("--gc_non_executor_container_sandboxes")
	a.Start()
	testbed.Eventually(t, "the sandbox of one that had ended goes", gone(filepath.Join(below, "kept")))
	testbed.Eventually(t, "that of a standalone one likewise", gone(filepath.Join(a.WorkDir, "containers", "alone")))
	testbed.Eventually(t, "how it ended is known all the same", func() error {
		if status, text, _ := c.call(await(nested(root, "kept"))); status != http.StatusOK {
			return errorf("%d %s", status, text)
		}
		return nil
	})
	ended(nested(root, "child"))
	testbed.Eventually(t, "the sandbox goes after the end", gone(filepath.Join(below, "child")))
	c.want(http.StatusOK, removeNested(nested(root, "child")))
	if _, err := os.Stat(filepath.Join(a.Sandbox("root"), "stdout")); err != nil {
		t.Errorf("the executor's sandbox: %v", err)
	}

	// One with something in it that runs goes only with that.
	parent, sleeper := nested(root, "parent"), testbed.NewSleeper()
	c.want(http.StatusOK, launch(parent, sleeper.Command()))
	ended(nested(parent, "inner"))
	testbed.Eventually(t, "an inner one goes", gone(filepath.Join(below, "parent", "containers", "inner")))
	if _, err := os.Stat(filepath.Join(below, "parent", "stdout")); err != nil {
		t.Errorf("the sandbox of a container that runs: %v", err)
	}
	c.want(http.StatusOK, killNested(parent, nil))
	c.want(http.StatusOK, await(parent))
	testbed.Eventually(t, "it goes after its own end", gone(filepath.Join(below, "parent")))
	c.want(http.StatusOK, remove(parent))
}

// TestCollectLongLivedGroups: the sandboxes of a default executor's tasks go while it runs on
// with others.
func TestCollectLongLivedGroups(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--gc_delay=10ms", "--disk_watch_interval=50ms",
		"--gc_non_executor_container_sandboxes")
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	defer f.Call("TEARDOWN", nil)
	g := newGroup(f, "default")
	g.launch(nil, "long", "sleep 1000")
	f.Follow("long", "TASK_STARTING", "TASK_RUNNING")
	sandboxes := func() (out []string) {
		found, _ := filepath.Glob(filepath.Join(a.Sandbox("default"), "containers", "*"))
		return found
	}
	kept := sandboxes()
	short := func(task string) {
		t.Helper()
		g.launch(nil, task, "true")
		f.Follow(task, "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		testbed.Eventually(t, "only the sandbox of the task that runs is left", func() error {
			if now := sandboxes(); !slices.Equal(now, kept) {
				return errorf("%q, want %q", now, kept)
			}
			return nil
		})
	}
	short("before")
	a.Kill()
	a.Start()
	short("after")
	if len(kept) != 1 {
		t.Errorf("sandboxes %q, want one", kept)
	}
}

// noneOf says whether nothing in the agent's work directory fits a pattern.
func noneOf(a *testbed.Agent, pattern string) func() error {
	return func() error {
		if found, err := filepath.Glob(filepath.Join(a.WorkDir, pattern)); err != nil || len(found) > 0 {
			return errorf("%q, error %v", found, err)
		}
		return nil
	}
}
