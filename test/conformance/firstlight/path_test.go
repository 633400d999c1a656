package firstlight

import (
	"encoding/base64"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// The whole path, in both encodings and with each runtime.
func TestPath(t *testing.T) {
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		agent := testbed.StartAgent(t, master.Address, runtime)
		for _, encoding := range []testbed.Encoding{testbed.JSON, testbed.Protobuf} {
			t.Run(fmt.Sprintf("%s/%s", runtime, encoding), func(t *testing.T) {
				testPath(t, master, agent, encoding)
			})
		}
		agent.Terminate()
	}
}

func testPath(t *testing.T, master *testbed.Master, agent *testbed.Agent, encoding testbed.Encoding) {
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{Encoding: encoding})
	defer framework.Call("TEARDOWN", nil)
	if got := framework.Header.Get("Content-Type"); got != string(encoding) {
		t.Errorf("content type of the stream: %s", got)
	}
	offer := framework.Offer()
	if got := offer.At("hostname").Text(); got != "localhost" {
		t.Errorf("hostname of the offer: %q", got)
	}
	if got := offer.At("url", "path").Text(); got != "/slave(1)" {
		t.Errorf("path of the offer's url: %q", got)
	}

	framework.Accept(offer, testbed.Launch(testbed.Task(offer, "hello", "echo hello; echo oops >&2")))
	for _, state := range []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"} {
		status := framework.Update("hello", state)
		checkStatus(t, status, offer)
		framework.Acknowledge(status)
	}

	sandbox := agent.Sandbox("hello")
	if out := agent.ReadFile(sandbox + "/stdout"); !slices.Contains(strings.Split(out, "\n"), "hello") {
		t.Errorf("stdout: %q", out)
	}
	if out := agent.ReadFile(sandbox + "/stderr"); !slices.Contains(strings.Split(out, "\n"), "oops") {
		t.Errorf("stderr: %q", out)
	}

	framework.Run("false", "exit 3")
	failed := framework.Follow("false", "TASK_STARTING", "TASK_RUNNING", "TASK_FAILED")
	if got := failed.At("message").Text(); !strings.Contains(got, "3") {
		t.Errorf("message of a task that exits with 3: %q", got)
	}
}

func checkStatus(t *testing.T, status, offer testbed.Value) {
	t.Helper()
	if uuid, err := base64.StdEncoding.DecodeString(status.At("uuid").Text()); err != nil || len(uuid) != 16 {
		t.Errorf("uuid of an update: %v", status)
	}
	if got, want := status.At("agent_id", "value").Text(), offer.At("agent_id", "value").Text(); got != want {
		t.Errorf("agent of an update: got %q, want %q", got, want)
	}
	if got := status.At("source").Text(); got != "SOURCE_EXECUTOR" {
		t.Errorf("source of an update: %q", got)
	}
	if status.At("timestamp").Number() == 0 {
		t.Errorf("no timestamp: %v", status)
	}
	if !status.At("container_status", "container_id", "value").Exists() {
		t.Errorf("no container ID: %v", status)
	}
}

// A task is a process in a cgroup of its own whose limits are its resources and
// its executor's.
func TestLimits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("cgroups need root")
	}
	master := testbed.StartMaster(t)
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			agent := testbed.StartAgent(t, master.Address, runtime)
			framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
			defer framework.Call("TEARDOWN", nil)
			sleeper := testbed.NewSleeper()
			offer := framework.Offer()
			task := testbed.Task(offer, "limited", sleeper.Command())
			task["resources"] = testbed.List{testbed.Scalar("cpus", 1), testbed.Scalar("mem", 64)}
			framework.Accept(offer, testbed.Launch(task))
			framework.Follow("limited", "TASK_STARTING", "TASK_RUNNING")

			limits := testbed.LimitsOf(t, sleeper.PID(t), agent.CgroupsRoot)
			if !strings.Contains(limits.Group, agent.CgroupsRoot+"/") {
				t.Errorf("the task is in cgroup %s, not below %s", limits.Group, agent.CgroupsRoot)
			}
			// The command executor has 0.1 cpus and 32 MB, as in Mesos.
			if want := int64(64+32) << 20; limits.Memory != want {
				t.Errorf("limit of memory: got %d, want %d", limits.Memory, want)
			}
			if want := 1024 * 1.1; math.Abs(float64(limits.CPUShares)-want) > 30 {
				t.Errorf("cpu shares: got %d, want about %.0f", limits.CPUShares, want)
			}

			statistics := agent.Get("/monitor/statistics").Find("limited", "executor_id").At("statistics")
			if got := statistics.At("mem_limit_bytes").Number(); got != float64(limits.Memory) {
				t.Errorf("mem_limit_bytes: %v", statistics)
			}
			if statistics.At("mem_rss_bytes").Number() == 0 || !statistics.At("cpus_user_time_secs").Exists() {
				t.Errorf("no usage: %v", statistics)
			}
		})
	}
}

// A task that uses more memory than it has is killed, and nothing else is.
func TestOutOfMemory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("cgroups need root")
	}
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	framework.Run("greedy", "head -c 400000000 /dev/zero | tail -c 399999999 | sleep 600")
	framework.Follow("greedy", "TASK_STARTING", "TASK_RUNNING")
	status := framework.Update("greedy", "TASK_FAILED")
	if got := status.At("reason").Text(); got != "REASON_CONTAINER_LIMITATION_MEMORY" {
		t.Errorf("reason: %v", status)
	}
	framework.Acknowledge(status)
	framework.Run("modest", "true")
	framework.Follow("modest", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
}
