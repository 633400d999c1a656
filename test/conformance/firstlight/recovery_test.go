package firstlight

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// gate is a file that a task waits for.
type gate string

func newGate(t *testing.T) gate {
	dir := filepath.Join(testbed.RunDir(), "gates")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return gate(filepath.Join(dir, fmt.Sprintf("%d", time.Now().UnixNano())))
}

// command ends when the gate is open.
func (g gate) command() string {
	return fmt.Sprintf("while [ ! -e %s ]; do sleep 0.1; done; echo through", string(g))
}

func (g gate) open(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(string(g), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A task doesn't notice that its agent was killed; its end is told whether it
// comes after the agent's return or before.
func TestAgentIsKilled(t *testing.T) {
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			agent := testbed.StartAgent(t, master.Address, runtime)
			framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
			defer framework.Call("TEARDOWN", nil)
			during, after := newGate(t), newGate(t)
			sleeper := testbed.NewSleeper()
			offer := framework.Offer()
			framework.Accept(offer, testbed.Launch(
				testbed.Task(offer, "ends-during", during.command()), testbed.Task(offer, "ends-after", after.command()),
				testbed.Task(offer, "stays", sleeper.Command())))
			for _, task := range []string{"ends-during", "ends-after", "stays"} {
				framework.Follow(task, "TASK_STARTING", "TASK_RUNNING")
			}
			pid, id := sleeper.PID(t), agent.Get("/state").At("id").Text()

			agent.Kill()
			during.open(t)
			time.Sleep(time.Second)
			agent.Start()
			testbed.Eventually(t, "the agent is registered again", func() error {
				// While it recovers it answers 503.
				if got := agent.TryGet("/state").At("id").Text(); got != id {
					return fmt.Errorf("its ID is %q, was %q", got, id)
				}
				return nil
			})
			framework.Follow("ends-during", "TASK_FINISHED")
			after.open(t)
			framework.Follow("ends-after", "TASK_FINISHED")
			if got := sleeper.PID(t); got != pid {
				t.Errorf("the task has another process: %d, was %d", got, pid)
			}
			framework.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "stays"}})
			framework.AwaitUpdate("stays", "TASK_KILLED")
			sleeper.AwaitEnd(t)
		})
	}
}

// A master that is killed knows its agents when it is back, and learns of
// frameworks and tasks from those who come.
func TestMasterIsKilled(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	gate := newGate(t)
	framework.Run("survivor", gate.command())
	framework.Follow("survivor", "TASK_STARTING", "TASK_RUNNING")
	id, agentID := framework.ID, agent.Get("/state").At("id").Text()

	master.Kill()
	framework.AwaitEnd()
	master.Start()
	framework.Resubscribe()
	if framework.ID != id {
		t.Errorf("framework ID: got %s, want %s", framework.ID, id)
	}
	testbed.Eventually(t, "the agent is registered again", func() error {
		slave := master.Get("/slaves").At("slaves").Find(agentID, "id")
		if !slave.At("active").True() {
			return fmt.Errorf("/slaves: %v", master.Get("/slaves"))
		}
		return nil
	})
	if slaves := master.Get("/slaves").At("slaves").List(); len(slaves) != 1 {
		t.Errorf("one agent returned, and there are %d", len(slaves))
	}
	task := master.Get("/tasks").At("tasks").Find("survivor", "id")
	if got := task.At("state").Text(); got != "TASK_RUNNING" {
		t.Errorf("the task in /tasks: %v", task)
	}
	framework.Call("RECONCILE", testbed.Object{"tasks": testbed.List{testbed.Object{"task_id": testbed.Object{"value": "survivor"}}}})
	status, _ := framework.AwaitUpdate("survivor", "TASK_RUNNING")
	if got := status.At("reason").Text(); got != "REASON_RECONCILIATION" || status.At("uuid").Exists() {
		t.Errorf("answer of a reconciliation: %v", status)
	}

	framework.Run("newcomer", "true")
	framework.Follow("newcomer", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	gate.open(t)
	status, _ = framework.AwaitUpdate("survivor", "TASK_FINISHED")
	framework.Acknowledge(status)
}

// Both at once, with an update that nobody has acknowledged.
func TestBothAreKilled(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	framework.Run("finished", "true")
	framework.Follow("finished", "TASK_STARTING", "TASK_RUNNING")
	first := framework.Update("finished", "TASK_FINISHED")

	agent.Kill()
	master.Kill()
	master.Start()
	framework.Resubscribe()
	agent.Start()
	again, _ := framework.AwaitUpdate("finished", "TASK_FINISHED")
	if again.At("uuid").Text() != first.At("uuid").Text() {
		t.Errorf("the update has another uuid: %v, was %v", again, first)
	}
	framework.Acknowledge(again)
	testbed.Eventually(t, "the executor is completed", func() error {
		if executors := agent.Get("/state").At("frameworks", 0, "executors").List(); len(executors) != 0 {
			return fmt.Errorf("executors: %v", executors)
		}
		return nil
	})
}

// An update that isn't acknowledged comes again, and holds back the task's next.
func TestUpdatesAreRetried(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	framework.Run("retried", "true")
	first, sent := framework.AwaitUpdate("retried", "TASK_STARTING")
	again, resent := framework.AwaitUpdate("retried", "TASK_STARTING")
	if again.At("uuid").Text() != first.At("uuid").Text() {
		t.Errorf("the retry has another uuid: %v, was %v", again, first)
	}
	// Mesos's first interval is 10 seconds.
	if interval := resent.Sub(sent); interval < 9*time.Second {
		t.Errorf("the retry came after %v", interval)
	}
	for _, event := range framework.Events() {
		if state := event.At("update", "status", "state").Text(); state != "" && state != "TASK_STARTING" {
			t.Errorf("%s overtook TASK_STARTING", state)
		}
	}
	framework.Acknowledge(again)
	framework.Follow("retried", "TASK_RUNNING", "TASK_FINISHED")
}
