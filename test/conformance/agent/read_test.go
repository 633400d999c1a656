package agent

import (
	"net/http"
	"testing"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestProcessCalls: what GET_FLAGS and GET_METRICS tell is what the endpoints do, and a
// logging level falls back after its time.
func TestProcessCalls(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--executor_shutdown_grace_period=7secs")
	wantMetrics(t, a.Process, map[string]float64{"slave/registered": 1})
	for _, encoding := range encodings {
		t.Run(encoding, func(t *testing.T) {
			c := &client{t, a, encoding}
			flags := map[string]string{}
			for _, f := range c.want(http.StatusOK, &agent.Call{Type: agent.Call_GET_FLAGS.Enum()}).GetGetFlags().GetFlags() {
				flags[f.GetName()] = f.GetValue()
			}
			shown := a.Get("/flags").At("flags").Members()
			for name, value := range shown {
				if got, ok := flags[name]; !ok || got != value.Text() {
					t.Errorf("flag %s is %q in the call, %q at the endpoint", name, got, value.Text())
				}
			}
			if len(flags) != len(shown) || flags["executor_shutdown_grace_period"] != "7secs" || flags["work_dir"] != a.WorkDir {
				t.Errorf("%d flags, %d at the endpoint: %v", len(flags), len(shown), flags)
			}

			metrics := map[string]float64{}
			get := &agent.Call{Type: agent.Call_GET_METRICS.Enum(), GetMetrics: &agent.Call_GetMetrics{
				Timeout: &mesos.DurationInfo{Nanoseconds: new(int64(5 * time.Second))},
			}}
			for _, m := range c.want(http.StatusOK, get).GetGetMetrics().GetMetrics() {
				metrics[m.GetName()] = m.GetValue()
			}
			for name, value := range a.Get("/metrics/snapshot").Members() {
				if _, ok := metrics[name]; !ok {
					t.Errorf("metric %s is %v at the endpoint, and not in the call", name, value)
				}
			}
			if metrics["slave/registered"] != 1 || metrics["slave/cpus_total"] != 4 {
				t.Errorf("metrics %v", metrics)
			}

			level := func() uint32 {
				return c.want(http.StatusOK, &agent.Call{Type: agent.Call_GET_LOGGING_LEVEL.Enum()}).GetGetLoggingLevel().GetLevel()
			}
			set := func(level uint32, d time.Duration) {
				c.want(http.StatusOK, &agent.Call{Type: agent.Call_SET_LOGGING_LEVEL.Enum(), SetLoggingLevel: &agent.Call_SetLoggingLevel{
					Level: &level, Duration: &mesos.DurationInfo{Nanoseconds: new(int64(d))},
				}})
			}
			if got := level(); got != 0 {
				t.Errorf("at first the level is %d", got)
			}
			set(3, time.Hour)
			if got := level(); got != 3 {
				t.Errorf("level %d, want 3", got)
			}
			set(2, 50*time.Millisecond)
			testbed.Eventually(t, "the level falls back", func() error {
				if got := level(); got != 0 {
					return errorf("it is %d", got)
				}
				return nil
			})
		})
	}
}

// TestMetricsOfALife follows the agent's metrics through a scripted life.
func TestMetricsOfALife(t *testing.T) {
	master := testbed.StartMaster(t)
	a := testbed.StartAgent(t, master.Address, testbed.Posix, "--gc_delay=10ms", "--disk_watch_interval=50ms")
	wantMetrics(t, a.Process, map[string]float64{
		"slave/registered": 1, "slave/frameworks_active": 0, "slave/cpus_total": 4, "slave/cpus_used": 0, "slave/cpus_percent": 0,
		"slave/mem_total": 2048, "slave/disk_total": 4096, "slave/gpus_total": 0, "slave/cpus_revocable_total": 0, "slave/recovery_errors": 0,
		"slave/tasks_running": 0, "slave/executors_running": 0, "gc/path_removals_pending": 0, "gc/path_removals_failed": 0,
		"slave/container_launch_errors": 0, "containerizer/mesos/container_destroy_errors": 0,
		"containerizer/fetcher/cache_size_total_bytes": 2 << 30, "containerizer/fetcher/cache_size_used_bytes": 0,
	})
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	f.Run("runs", "sleep 1000")
	f.Follow("runs", "TASK_STARTING", "TASK_RUNNING")
	wantMetrics(t, a.Process, map[string]float64{
		"slave/frameworks_active": 1, "slave/tasks_running": 1, "slave/tasks_staging": 0, "slave/tasks_starting": 0, "slave/tasks_killing": 0,
		"slave/executors_running": 1, "slave/executors_registering": 0, "slave/executors_terminating": 0, "slave/executors_terminated": 0,
		"slave/cpus_used": 0.2, "slave/cpus_percent": 0.05, "slave/mem_used": 64, "slave/valid_status_updates": 2, "slave/invalid_status_updates": 0,
	})
	f.Run("finishes", "true")
	f.Follow("finishes", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	f.Run("fails", "false")
	f.Follow("fails", "TASK_STARTING", "TASK_RUNNING", "TASK_FAILED")
	offer := f.Offer()
	broken := testbed.Task(offer, "broken", "true")
	broken["command"].(testbed.Object)["uris"] = testbed.List{testbed.Object{"value": "file:///does/not/exist"}}
	f.Accept(offer, testbed.Launch(broken))
	if status := f.Follow("broken", "TASK_FAILED"); status.At("reason").Text() != "REASON_CONTAINER_LAUNCH_FAILED" {
		t.Errorf("update %v", status)
	}
	// The executors of the three are gone; so are their sandboxes soon, run by run and as a whole.
	wantMetrics(t, a.Process, map[string]float64{
		"slave/tasks_finished": 1, "slave/tasks_failed": 2, "slave/tasks_killed": 0, "slave/tasks_lost": 0, "slave/tasks_gone": 0,
		"slave/executors_terminated": 3, "slave/executors_running": 1, "slave/container_launch_errors": 1,
		"containerizer/fetcher/task_fetches_failed": 1, "containerizer/fetcher/task_fetches_succeeded": 0,
		"slave/valid_status_updates": 9, "gc/path_removals_pending": 0, "gc/path_removals_failed": 0,
	})
	if removed := a.Get("/metrics/snapshot").At("gc/path_removals_succeeded").Number(); removed < 6 {
		t.Errorf("%v paths were removed, want two of each executor at least", removed)
	}
	f.Call("MESSAGE", testbed.Object{
		"agent_id": offer.At("agent_id").Raw(), "executor_id": testbed.Object{"value": "runs"}, "data": "eA==",
	})
	f.Call("MESSAGE", testbed.Object{
		"agent_id": offer.At("agent_id").Raw(), "executor_id": testbed.Object{"value": "nobody"}, "data": "eA==",
	})
	wantMetrics(t, a.Process, map[string]float64{"slave/valid_framework_messages": 1, "slave/invalid_framework_messages": 1})

	// Another life counts from zero, but for what runs.
	a.Kill()
	a.Start()
	wantMetrics(t, a.Process, map[string]float64{
		"slave/registered": 1, "slave/recovery_errors": 0, "slave/frameworks_active": 1, "slave/tasks_running": 1, "slave/executors_running": 1,
		"slave/tasks_finished": 0, "slave/executors_terminated": 0, "slave/cpus_used": 0.2,
	})
	if took := a.Get("/metrics/snapshot").At("slave/recovery_time_secs"); !took.Exists() || took.Number() <= 0 || took.Number() > 60 {
		t.Errorf("recovery took %v", took)
	}
	f.Call("KILL", testbed.Object{"task_id": testbed.Object{"value": "runs"}})
	f.FollowTo("runs", "TASK_KILLED")
	f.Call("TEARDOWN", nil)
	wantMetrics(t, a.Process, map[string]float64{
		"slave/tasks_killed": 1, "slave/frameworks_active": 0, "slave/executors_running": 0, "slave/executors_terminated": 1, "slave/cpus_used": 0,
		"gc/path_removals_pending": 0,
	})
	for _, dir := range []string{"slaves/*/frameworks/*", "meta/slaves/*/frameworks/*"} {
		testbed.Eventually(t, "the framework's directories are removed", noneOf(a, dir))
	}
}
