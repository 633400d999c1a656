package testbed

import (
	"net"
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

// What a test leaves is seen: here a process, a cgroup, and a socket.
func TestLeaks(t *testing.T) {
	a := NewAgent(t, "127.0.0.1:1", Posix)
	if err := os.MkdirAll(filepath.Join(a.Dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := a.Leaks(); err != nil {
		t.Fatalf("of an agent that never ran: %v", err)
	}
	sleeper := exec.Command("sleep", "600")
	sleeper.Dir = a.Dir
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	}()
	socket, err := net.Listen("unix", filepath.Join(a.Dir, "run", "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	want := []string{"sleep 600", "run/socket"}
	for _, hierarchy := range []string{"/sys/fs/cgroup/memory/", "/sys/fs/cgroup/"} {
		group := filepath.Join(hierarchy, a.CgroupsRoot, "container")
		if os.MkdirAll(group, 0o755) == nil { // needs root, and this version of cgroups
			want = append(want, group)
			break
		}
	}
	leaks := a.Leaks()
	for _, w := range want {
		if leaks == nil || !strings.Contains(leaks.Error(), w) {
			t.Errorf("%s is not seen: %v", w, leaks)
		}
	}
}

func TestMore(t *testing.T) {
	before := Holdings{Descriptors: map[string]int{"socket": 3, "[pidfd]": 1, "/dev/null": 2}, Goroutines: 20}
	if err := (Holdings{Descriptors: map[string]int{"socket": 5, "/dev/null": 2}, Goroutines: 22}).More(before); err != nil {
		t.Errorf("no more: %v", err)
	}
	for name, h := range map[string]Holdings{
		"a process descriptor": {Descriptors: map[string]int{"[pidfd]": 2}},
		"a mount namespace":    {Descriptors: map[string]int{"mnt": 1}},
		"many sockets":         {Descriptors: map[string]int{"socket": 30}},
		"many goroutines":      {Goroutines: 100},
	} {
		if err := h.More(before); err == nil {
			t.Errorf("%s is not seen", name)
		}
	}
	for target, want := range map[string]string{"socket:[12]": "socket", "anon_inode:[pidfd]": "[pidfd]", "mnt:[4026]": "mnt", "/a:b": "/a:b"} {
		if got := kindOf(target); got != want {
			t.Errorf("%s is %s, want %s", target, got, want)
		}
	}
}
