package recovery

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// life is an agent with a task that checkpoints.
type life struct {
	*testing.T
	master    *testbed.Master
	agent     *testbed.Agent
	framework *testbed.Framework
	run       testbed.Sleeper
	pid       int
}

const taskID = "task"

func begin(t *testing.T, checkpoint bool, flags ...string) *life {
	l := &life{T: t, master: testbed.StartMaster(t), run: testbed.NewSleeper()}
	l.agent = testbed.StartAgent(t, l.master.Address, testbed.Posix, append([]string{"--executor_reregistration_timeout=" + patience}, flags...)...)
	l.framework = testbed.Subscribe(t, l.master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": checkpoint}})
	l.framework.Run(taskID, l.run.Command())
	l.framework.Follow(taskID, "TASK_STARTING", "TASK_RUNNING")
	l.pid = l.run.PID(t)
	return l
}

// id is the agent's, when the master has it.
func (l *life) id() (id string) {
	l.Helper()
	testbed.Eventually(l, "the master has the agent", func() error {
		for _, s := range l.master.Get("/slaves").At("slaves").List() {
			if s.At("active").True() {
				id = s.At("id").Text()
				return nil
			}
		}
		return fmt.Errorf("it has %v", l.master.Get("/slaves"))
	})
	return id
}

func (l *life) kill() {
	l.framework.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": taskID}})
}

// killed waits until the task is, and its process ended.
func (l *life) killed() {
	l.Helper()
	l.await("TASK_KILLED")
	l.run.AwaitEnd(l)
}

// await acknowledges updates of the task until a state comes: what was acknowledged just
// when the agent died comes once more before.
func (l *life) await(state string) testbed.Value {
	l.Helper()
	for {
		event, _ := l.framework.AwaitWithin(testbed.Patience, state, func(v testbed.Value) bool {
			return v.At("type").Text() == "UPDATE" && v.At("update", "status", "task_id", "value").Text() == taskID
		})
		status := event.At("update", "status")
		if status.At("uuid").Exists() {
			l.framework.Acknowledge(status)
		}
		if status.At("state").Text() == state {
			return status
		}
	}
}

// restart is kill -9 and another life.
func (l *life) restart(flags ...string) {
	l.agent.Kill()
	l.agent.SetFlags(flags...)
	l.agent.Start()
}

// same fails unless the task goes on in the process that it had.
func (l *life) same() {
	l.Helper()
	if pids := l.run.PIDs(); !slices.Equal(pids, []int{l.pid}) {
		l.Errorf("the task has the processes %v, want %d", pids, l.pid)
	}
}

// glob finds a file of the agent's work directory.
func (l *life) glob(pattern string) string {
	l.Helper()
	found, err := filepath.Glob(filepath.Join(l.agent.WorkDir, pattern))
	if err != nil || len(found) != 1 {
		l.Fatalf("%s: %v, error %v", pattern, found, err)
	}
	return found[0]
}

// TestLives are what can happen to a task around the death of its agent.
func TestLives(t *testing.T) {
	for name, story := range map[string]func(t *testing.T){
		"killed when the agent is back": func(t *testing.T) {
			l := begin(t, true)
			id := l.id()
			l.restart()
			if now := l.id(); now != id {
				t.Errorf("agent %s is now %s", id, now)
			}
			l.same()
			l.kill()
			l.killed()
		},
		"killed while the agent is away": func(t *testing.T) {
			l := begin(t, true)
			l.agent.Kill()
			l.kill()
			l.same()
			l.agent.Start()
			l.killed()
		},
		"torn down while the agent is away": func(t *testing.T) {
			l := begin(t, true)
			l.agent.Kill()
			l.framework.Call("TEARDOWN", nil)
			l.same()
			l.agent.Start()
			l.run.AwaitEnd(t)
		},
		"recovered to clean up": func(t *testing.T) {
			l := begin(t, true)
			l.agent.Kill()
			l.agent.SetFlags("--recover=cleanup")
			l.agent.Launch()
			if state := l.agent.AwaitEnd(); state.ExitCode() != 0 {
				t.Errorf("the agent ended: %v\n%s", state, l.agent.Log())
			}
			l.run.AwaitEnd(t)
			if err := l.agent.Leaks(); err != nil {
				t.Errorf("left: %v", err)
			}
		},
		"the latest run is gone from the checkpoints": func(t *testing.T) {
			l := begin(t, true)
			l.agent.Kill()
			latest := l.glob("meta/slaves/latest/frameworks/*/executors/*/runs/latest")
			run, err := filepath.EvalSymlinks(latest)
			if err == nil {
				err = os.RemoveAll(run)
			}
			if err != nil {
				t.Fatal(err)
			}
			l.agent.Start()
			l.id()
			l.run.AwaitEnd(t) // nobody knows it any more
		},
		"a framework that doesn't checkpoint": func(t *testing.T) {
			l := begin(t, false)
			l.agent.Kill()
			status := l.await("TASK_LOST")
			if reason := status.At("reason").Text(); reason != "REASON_AGENT_DISCONNECTED" {
				t.Errorf("update %v", status)
			}
			l.agent.Start()
			l.run.AwaitEnd(t)
		},
		"more resources than before": func(t *testing.T) {
			l := begin(t, true)
			id := l.id()
			l.restart("--reconfiguration_policy=additive", "--resources=cpus:8;mem:4096;disk:8192;ports:[31000-32000]")
			if now := l.id(); now != id {
				t.Errorf("agent %s is now %s", id, now)
			}
			l.same()
			testbed.Eventually(t, "the master has what is new", func() error {
				if s := l.master.Get("/slaves").At("slaves").Find(id, "id"); s.At("resources", "cpus").Number() != 8 {
					return fmt.Errorf("%v", s.At("resources"))
				}
				return nil
			})
		},
	} {
		t.Run(name, story)
	}
}

// PID namespaces may be switched on and off: containers keep what they began with.
func TestPIDNamespaceSwitched(t *testing.T) {
	if len(testbed.Runtimes()) < 2 {
		t.Skip("needs root and an OCI runtime")
	}
	const with, without = "--isolation=cgroups/cpu,cgroups/mem,namespaces/pid", "--isolation=cgroups/cpu,cgroups/mem"
	for name, flags := range map[string][2]string{"on": {without, with}, "off": {with, without}} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, true, "--runtime=oci", flags[0])
			l.restart(flags[1])
			l.id()
			l.same()
			if s := l.agent.Get("/containers").At(0, "statistics"); s.At("mem_rss_bytes").Number() == 0 {
				t.Errorf("statistics %v", s)
			}
			l.kill()
			l.killed()
		})
	}
}

// Agents of one machine know theirs from the others' containers.
func TestTwoAgents(t *testing.T) {
	a := begin(t, true)
	b := &life{T: t, master: a.master, run: testbed.NewSleeper()}
	b.agent = testbed.StartAgent(t, a.master.Address, testbed.Posix, "--executor_reregistration_timeout="+patience, "--attributes=second:yes")
	b.framework = testbed.Subscribe(t, a.master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	for {
		offer := b.framework.Offer()
		if offer.At("attributes").Find("second", "name").Exists() {
			b.framework.Accept(offer, testbed.Launch(testbed.Task(offer, taskID, b.run.Command())))
			break
		}
	}
	b.framework.Follow(taskID, "TASK_STARTING", "TASK_RUNNING")
	b.pid = b.run.PID(t)
	a.agent.Kill()
	b.restart()
	a.agent.Start()
	testbed.Eventually(t, "the master has both agents", func() error {
		if n := a.master.Get("/metrics/snapshot").At("master/slaves_active").Number(); n != 2 {
			return fmt.Errorf("%g agents", n)
		}
		return nil
	})
	for _, l := range []*life{a, b} {
		l.same()
		l.kill()
		l.killed()
	}
}
