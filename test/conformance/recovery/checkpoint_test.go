package recovery

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestTwoFrameworks kills an agent with tasks of two frameworks, one of which checkpoints.
// Of the other one's nothing is written.
func TestTwoFrameworks(t *testing.T) {
	l := begin(t, true)
	sleepers := map[*testbed.Framework]testbed.Sleeper{}
	another := func(checkpoint bool) *testbed.Framework {
		f := testbed.Subscribe(t, l.master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": checkpoint}})
		sleepers[f] = testbed.NewSleeper()
		f.Run("other", sleepers[f].Command())
		f.Follow("other", "TASK_STARTING", "TASK_RUNNING")
		sleepers[f].PID(t)
		return f
	}
	// Who is offered what is left of the agent lets go of it for good, for the next.
	content := func(f *testbed.Framework) {
		f.Call("DECLINE", testbed.Object{
			"offer_ids": testbed.List{f.Offer().At("id").Raw()}, "filters": testbed.Object{"refuse_seconds": 3600.0},
		})
	}
	content(l.framework)
	second := another(true)
	content(second)
	passing := another(false)
	id := l.id()
	err := filepath.WalkDir(filepath.Join(l.agent.WorkDir, "meta"), func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, passing.ID) {
			t.Errorf("of the framework that doesn't checkpoint there is %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	l.restart()
	if now := l.id(); now != id {
		t.Errorf("agent %s is now %s", id, now)
	}
	sleepers[passing].AwaitEnd(t)
	if len(sleepers[second].PIDs()) != 1 {
		t.Error("the second framework's task is gone")
	}
	l.same()
	second.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "other"}})
	second.Follow("other", "TASK_KILLED")
	l.kill()
	l.killed()
}

// TestDirectoriesAfterRecovery: a restarted agent collects what was of others, and of runs
// that it doesn't take up, and nothing of its own.
func TestDirectoriesAfterRecovery(t *testing.T) {
	l := begin(t, true, "--gc_delay=10ms", "--disk_watch_interval=50ms")
	id := l.id()
	l.agent.Kill()
	var stale []string
	own := "slaves/" + id + "/frameworks/"
	executor := own + l.framework.ID + "/executors/"
	for _, dir := range []string{
		"slaves/old-S0/frameworks/f", "meta/slaves/old-S0/frameworks/f", "meta/slaves/old-S1",
		own + "unknown/executors/e/runs/r", "meta/" + own + "unknown", executor + "unknown/runs/r", "meta/" + executor + "unknown",
		executor + taskID + "/runs/earlier", "meta/" + executor + taskID + "/runs/earlier",
	} {
		path := filepath.Join(l.agent.WorkDir, dir)
		stale = append(stale, path)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l.agent.Start()
	for _, path := range stale {
		testbed.Eventually(t, "what is stale is collected", func() error {
			if _, err := os.Stat(path); err == nil {
				return fmt.Errorf("%s is there", path)
			}
			return nil
		})
	}
	for _, path := range []string{
		"meta/slaves/latest/agent.info", executor + taskID + "/runs/latest/stdout", "meta/" + executor + taskID + "/runs/latest/tasks/" + taskID,
	} {
		if _, err := os.Stat(filepath.Join(l.agent.WorkDir, path)); err != nil {
			t.Errorf("the agent's own: %v", err)
		}
	}
	l.same()
	l.kill()
	l.killed()
}

// TestNoLatestRun: an executor whose link to its latest run is lost, or leads nowhere, is no
// executor any more; what was of it ends and is collected.
func TestNoLatestRun(t *testing.T) {
	for name, damage := range map[string]func(link string) error{
		"no link": os.Remove,
		"a link to nowhere": func(link string) error {
			if err := os.Remove(link); err != nil {
				return err
			}
			return os.Symlink("00000000-0000-4000-8000-000000000000", link)
		},
		"a link out of the directory": func(link string) error {
			if err := os.Remove(link); err != nil {
				return err
			}
			return os.Symlink("../../..", link)
		},
		"a directory": func(link string) error {
			if err := os.Remove(link); err != nil {
				return err
			}
			return os.Mkdir(link, 0o755)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, true, "--gc_delay=10ms", "--disk_watch_interval=50ms", "--no-strict")
			id := l.id()
			l.agent.Kill()
			if err := damage(l.glob("meta/slaves/latest/frameworks/*/executors/*/runs/latest")); err != nil {
				t.Fatal(err)
			}
			l.agent.Start()
			if now := l.id(); now != id {
				t.Errorf("agent %s is now %s", id, now)
			}
			l.run.AwaitEnd(t)
			// The framework learns that the task is gone, and the agent goes on.
			l.await("TASK_DROPPED")
			next := testbed.NewSleeper()
			l.framework.Run("next", next.Command())
			l.framework.Follow("next", "TASK_STARTING", "TASK_RUNNING")
			testbed.Eventually(t, "what is left of the executor is collected", func() error {
				for _, root := range []string{"", "meta"} {
					found, _ := filepath.Glob(filepath.Join(l.agent.WorkDir, root, "slaves/*/frameworks/*/executors", taskID))
					if len(found) > 0 {
						return fmt.Errorf("there is %s", found)
					}
				}
				return nil
			})
		})
	}
}
