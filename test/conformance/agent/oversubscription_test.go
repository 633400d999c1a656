package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// lentCPUs is what an offer has of revocable cpus.
func lentCPUs(offer testbed.Value) (sum float64) {
	for _, r := range offer.At("resources").List() {
		if r.At("name").Text() == "cpus" && r.At("revocable").Exists() {
			sum += r.At("scalar", "value").Number()
		}
	}
	return sum
}

// wantMetrics waits until metrics have these values.
func wantMetrics(t *testing.T, p *testbed.Process, want map[string]float64) {
	t.Helper()
	testbed.Eventually(t, "the metrics of "+p.Name+" are true", func() error {
		snapshot := p.Get("/metrics/snapshot")
		for name, v := range want {
			if got := snapshot.At(name); !got.Exists() || got.Number() != v {
				return fmt.Errorf("%s is %v, want %g", name, got, v)
			}
		}
		return nil
	})
}

// lendingModules is a file for --modules that lends two cpus and has a threshold
// for the load over five minutes.
func lendingModules(t *testing.T, threshold string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "modules.json")
	text := `{"libraries": [
		{"file": "/usr/lib/mesos/modules/libfixed_resource_estimator.so", "modules": [{
			"name": "org_apache_mesos_FixedResourceEstimator", "parameters": [{"key": "resources", "value": "cpus(*):2"}]}]},
		{"name": "load_qos_controller", "modules": [{
			"name": "org_apache_mesos_LoadQoSController", "parameters": [{"key": "load_threshold_5min", "value": "` + threshold + `"}]}]}]}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "--modules=file://" + file
}

// TestOversubscription: an agent lends two cpus, tasks run on them without that
// the amount changes, and when the load is too high they have to go, and only they.
func TestOversubscription(t *testing.T) {
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			master := testbed.StartMaster(t)
			agent := testbed.StartAgent(t, master.Address, runtime, "--resource_estimator=org_apache_mesos_FixedResourceEstimator",
				"--oversubscribed_resources_interval=200ms", lendingModules(t, "1000000"))
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true, "capabilities": testbed.List{
				testbed.Object{"type": "MULTI_ROLE"}, testbed.Object{"type": "PARTITION_AWARE"}, testbed.Object{"type": "REVOCABLE_RESOURCES"}}}})
			// The regular resources may come before the first estimate, or with it.
			var offers testbed.List
			var agentID any
			for lent, regular := false, false; !lent || !regular; {
				offer := f.Offer()
				offers = append(offers, offer.At("id").Raw())
				agentID = offer.At("agent_id").Raw()
				if got := lentCPUs(offer); got == 2 {
					lent = true
				} else if got != 0 {
					t.Fatalf("offered %g revocable cpus, want 2", got)
				}
				for _, r := range offer.At("resources").List() {
					regular = regular || r.At("name").Text() == "mem"
				}
			}
			cheap, own := testbed.NewSleeper(), testbed.NewSleeper()
			revocable := testbed.Scalar("cpus", 1)
			revocable["revocable"] = testbed.Object{}
			task := func(id string, s testbed.Sleeper, cpus testbed.Object) testbed.Object {
				return testbed.Object{
					"name": id, "task_id": testbed.Object{"value": id}, "agent_id": agentID,
					"command":   testbed.Object{"value": s.Command(), "shell": true},
					"resources": testbed.List{cpus, testbed.Scalar("mem", 32)},
				}
			}
			f.Call("ACCEPT", testbed.Object{"offer_ids": offers, "filters": testbed.Object{"refuse_seconds": 3600.0}, "operations": testbed.List{
				testbed.Launch(task("cheap", cheap, revocable), task("own", own, testbed.Scalar("cpus", 0.1)))}})
			for _, id := range []string{"cheap", "own"} {
				f.Follow(id, "TASK_STARTING", "TASK_RUNNING")
			}
			use := map[string]float64{"cpus_revocable_total": 2, "cpus_revocable_used": 1, "cpus_revocable_percent": 0.5}
			for process, prefix := range map[*testbed.Process]string{master.Process: "master/", agent.Process: "slave/"} {
				want := map[string]float64{}
				for name, v := range use {
					want[prefix+name] = v
				}
				wantMetrics(t, process, want)
			}
			told := func() float64 { return master.Get("/metrics/snapshot").At("master/messages_update_slave").Number() }
			before := told()
			time.Sleep(time.Second) // some estimates
			if after := told(); after != before {
				t.Errorf("the agent told %g times of an amount that did not change", after-before)
			}

			agent.Terminate()
			agent.SetFlags(lendingModules(t, "-1"), "--qos_controller=org_apache_mesos_LoadQoSController", "--qos_correction_interval_min=100ms")
			agent.Start()
			gone := f.Update("cheap", "TASK_GONE")
			if gone.At("reason").Text() != "REASON_CONTAINER_PREEMPTED" || gone.At("source").Text() != "SOURCE_AGENT" {
				t.Errorf("preempted with %v", gone)
			}
			f.Acknowledge(gone)
			cheap.AwaitEnd(t)
			wantMetrics(t, agent.Process, map[string]float64{
				"slave/executors_preempted": 1, "slave/tasks_gone": 1, "slave/tasks_lost": 0, "slave/cpus_revocable_used": 0, "slave/cpus_revocable_total": 2,
			})
			if len(own.PIDs()) != 1 {
				t.Error("a task on the agent's own resources was ended")
			}
		})
	}
}
