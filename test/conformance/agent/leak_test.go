package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// room is resources for the crowds of these tests.
const room = "cpus:64;mem:65536;disk:65536"

// churn is how many tasks TestChurn runs; CHURN asks for more.
const churn = 150

// visitors runs tasks that come and go.
type visitors struct {
	*testing.T
	framework *testbed.Framework
	n         int
}

// come launches n tasks at once, half of which end by themselves and half of which
// are killed, and waits until nothing of them is left.
func (v *visitors) come(agent *testbed.Agent, n int) {
	v.Helper()
	offer := v.offer(n)
	ends := map[string]string{}
	var tasks []testbed.Object
	for range n {
		v.n++
		id, command, end := fmt.Sprintf("visitor-%d", v.n), "true", "TASK_FINISHED"
		if v.n%2 == 0 {
			command, end = "sleep 1000", "TASK_KILLED"
		}
		ends[id] = end
		tasks = append(tasks, testbed.Task(offer, id, command))
	}
	v.framework.Accept(offer, testbed.Launch(tasks...))
	for id, end := range ends {
		v.framework.Follow(id, "TASK_STARTING", "TASK_RUNNING")
		if end == "TASK_KILLED" {
			v.framework.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": id}})
		}
		v.framework.Follow(id, end)
	}
	testbed.Eventually(v, "no container is left", func() error {
		if n := agent.Get("/metrics/snapshot").At("slave/executors_terminated").Number(); n != float64(v.n) {
			return fmt.Errorf("%g of %d executors have terminated", n, v.n)
		}
		return nil
	})
}

// offer is one that n tasks fit in. Those that others left room for in pieces are declined.
func (v *visitors) offer(n int) testbed.Value {
	v.Helper()
	for {
		offer := v.framework.Offer()
		if offer.At("resources").Find("cpus", "name").At("scalar", "value").Number() >= 0.1*float64(n) {
			return offer
		}
		v.framework.Call("DECLINE", testbed.Object{"offer_ids": testbed.List{offer.At("id").Raw()},
			"filters": testbed.Object{"refuse_seconds": 0.0}})
	}
}

// After a hundred tasks the agent holds what it did before.
func TestNothingHeld(t *testing.T) {
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			master := testbed.StartMaster(t)
			agent := testbed.StartAgent(t, master.Address, runtime, append(isolated(runtime), "--resources="+room)...)
			v := visitors{T: t, framework: testbed.Subscribe(t, master, testbed.FrameworkOptions{})}
			v.come(agent, 20) // connections, threads and what else is made once
			before := agent.Holdings()
			for range 4 {
				v.come(agent, 25)
			}
			testbed.Eventually(t, "the agent holds no more than before", func() error {
				return agent.Holdings().More(before)
			})
		})
	}
}

// isolated are flags for all the isolation that a runtime can do.
func isolated(runtime testbed.Runtime) []string {
	if runtime == testbed.OCI {
		return []string{"--isolation=cgroups/cpu,cgroups/mem,namespaces/pid,namespaces/ipc,filesystem/linux"}
	}
	return nil
}

// An agent on which tasks come and go all the time keeps its size: memory, what it
// remembers of tasks that have ended, directories.
func TestChurn(t *testing.T) {
	total := churn
	if n, err := strconv.Atoi(os.Getenv("CHURN")); err == nil {
		total = n
	}
	master := testbed.StartMaster(t, "--allocation_interval=20ms")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix, "--resources="+room,
		"--gc_delay=500ms", "--disk_watch_interval=100ms", "--max_completed_executors_per_framework=20")
	v := visitors{T: t, framework: testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})}
	const crowd = 50
	v.come(agent, crowd)
	v.come(agent, crowd)
	before := agent.Holdings()
	for v.n < total+2*crowd {
		v.come(agent, crowd)
	}
	after := agent.Holdings()
	t.Logf("after %d tasks: %d goroutines, %.1f MB live; before: %d, %.1f MB",
		total, after.Goroutines, float64(after.Heap)/1e6, before.Goroutines, float64(before.Heap)/1e6)
	// Collections come at their own times, the last one perhaps while a crowd was there:
	// requests bring the next one near.
	testbed.Eventually(t, "the agent's memory is what it was", func() error {
		for range 20 {
			agent.Get("/state")
		}
		if now := agent.Holdings().Heap; now > before.Heap+before.Heap/2 {
			return fmt.Errorf("%d bytes are live, before %d", now, before.Heap)
		}
		return nil
	})
	testbed.Eventually(t, "the agent holds no more than before", func() error {
		return agent.Holdings().More(before)
	})
	if n := remembered(agent); n != 20 {
		t.Errorf("%d ended executors are remembered, want 20", n)
	}
	for name, pattern := range map[string]string{
		"sandboxes":   "slaves/*/frameworks/*/executors/*",
		"checkpoints": "meta/slaves/*/frameworks/*/executors/*",
	} {
		testbed.Eventually(t, "ended executors have no "+name, func() error {
			found, err := filepath.Glob(filepath.Join(agent.WorkDir, pattern))
			if err == nil && len(found) > 0 {
				err = fmt.Errorf("%d are there, the first is %s", len(found), found[0])
			}
			return err
		})
	}
	if pending := agent.Get("/metrics/snapshot").At("gc/path_removals_pending").Number(); pending > 20 {
		t.Errorf("%g removals are pending", pending)
	}
}

// remembered is how many ended executors the agent tells of.
func remembered(agent *testbed.Agent) (n int) {
	state := agent.Get("/state")
	for _, frameworks := range []string{"frameworks", "completed_frameworks"} {
		for _, f := range state.At(frameworks).List() {
			n += len(f.At("completed_executors").List())
		}
	}
	return n
}
