package mesos

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	stagepkg "github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

// The launch stage takes over before the agent's packages are initialized,
// which is what keeps it small. See package launch.
func TestStageIsEarly(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, stagepkg.Name)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("the stage ended with %v: %s", err, out)
	}
	if !strings.Contains(string(out), "init encoding/json ") {
		t.Fatalf("no trace of initialization: %s", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "protoregistry ") || strings.Contains(line, "/api/mesos/v1 ") || strings.Contains(line, "init net/http ") {
			t.Errorf("initialized before: %s", line)
		}
	}
}
