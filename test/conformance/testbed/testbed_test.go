package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) { Main(m) }

// What a daemon has left behind is found by its working directory, its binary,
// its environment and its mounts, and nobody else is touched.
func TestSweep(t *testing.T) {
	dir := filepath.Join(RunDir(), t.Name())
	if err := os.MkdirAll(filepath.Join(dir, "sandbox"), 0o755); err != nil {
		t.Fatal(err)
	}
	start := func(change func(*exec.Cmd)) *exec.Cmd {
		t.Helper()
		cmd := exec.Command("sleep", "600")
		change(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	inside := start(func(c *exec.Cmd) { c.Dir = filepath.Join(dir, "sandbox") })
	told := start(func(c *exec.Cmd) { c.Env = append(os.Environ(), "SANDBOX="+dir+"/sandbox") })
	stranger := start(func(c *exec.Cmd) { c.Dir = RunDir(); c.Env = append(os.Environ(), "SANDBOX="+dir+"-other/sandbox") })
	if err := sweepAgent(dir, cgroupPrefix(RunDir())+"none"); err != nil {
		t.Error(err)
	}
	for name, cmd := range map[string]*exec.Cmd{"inside": inside, "told": told} {
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%s wasn't killed: %v", name, err)
		}
	}
	if zombie(stranger.Process.Pid) {
		t.Error("a stranger was killed")
	}
	_ = stranger.Process.Kill() // the wait tells
	_ = stranger.Wait()
}

func TestShape(t *testing.T) {
	want := ShapeOf(MustParse(t, []byte(`{"id":"a","tasks":[{"n":1.0},{"n":2.5,"x":true}],"attributes":{"rack":"r1"}}`)), "attributes")
	tests := map[string]struct {
		got      string
		optional []string
		want     []string
	}{
		"the same":         {got: `{"id":"b","tasks":[{"n":1.0,"x":false}],"attributes":{"zone":"z"}}`},
		"missing":          {got: `{"id":"b","tasks":[],"attributes":{}}`, want: []string{"missing: tasks[] (object)", "missing: tasks[].n (double)", "missing: tasks[].x (bool)"}},
		"missing, allowed": {got: `{"id":"b","tasks":[],"attributes":{}}`, optional: []string{"tasks[]"}},
		"another type":     {got: `{"id":1,"tasks":[{"n":1,"x":true}],"attributes":{}}`, optional: []string{"tasks[].n"}, want: []string{"type of id: got integer, want string", "type of tasks[].n: got integer, want double"}},
		"unknown":          {got: `{"id":"b","tasks":[{"n":1.0,"x":true}],"attributes":{},"more":null}`, want: []string{"unknown: more (null)"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ShapeOf(MustParse(t, []byte(test.got)), "attributes").Differences(want, test.optional...)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlagsGivenTwice(t *testing.T) {
	got := lastWins([]string{"--ip=a", "--hostname_lookup", "--port=1", "--no-hostname_lookup", "--ip=b"})
	if diff := cmp.Diff([]string{"--port=1", "--no-hostname_lookup", "--ip=b"}, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}
