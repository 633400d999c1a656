package agent

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestStrict: an agent does not start with a damaged checkpoint unless it is told
// to skip it, and counts that.
func TestStrict(t *testing.T) {
	master := testbed.StartMaster(t)
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
	sleeper := testbed.NewSleeper()
	f.Run("t1", sleeper.Command())
	f.Follow("t1", "TASK_STARTING", "TASK_RUNNING")
	agent.Kill()
	damaged := ""
	err := filepath.WalkDir(agent.WorkDir, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "task.info" {
			damaged = path
		}
		return err
	})
	if err != nil || damaged == "" {
		t.Fatalf("no checkpoint of the task: %v", err)
	}
	data, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0x55
	if err := os.WriteFile(damaged, data, 0o600); err != nil {
		t.Fatal(err)
	}
	agent.Launch()
	if state := agent.AwaitEnd(); state.Success() {
		t.Error("the agent ended well")
	}
	if log := agent.Log(); !strings.Contains(log, damaged) || !strings.Contains(log, "--no-strict") {
		t.Errorf("the log doesn't tell what is wrong:\n%s", log)
	}
	agent.SetFlags("--no-strict")
	agent.Start()
	wantMetrics(t, agent.Process, map[string]float64{"slave/recovery_errors": 1, "slave/registered": 1})
}
