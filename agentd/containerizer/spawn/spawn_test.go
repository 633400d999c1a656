package spawn

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
)

// The test binary is its own launch stage, since it imports the package.
func spawner(t testing.TB) *Spawner {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s, err := New(ctx, Config{Binary: exe})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t testing.TB, script string) Launch {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return Launch{
		Name:   "c1",
		Stdout: out, Stderr: out,
		Keep: func(*Child) error { return nil },
		Request: launch.Request{
			StatusFile: filepath.Join(dir, "status"),
			Command:    &launch.Command{Args: []string{"sh", "-c", script}, Env: []string{"A=1"}, Dir: dir},
		},
	}
}

func output(t testing.TB, l Launch) string {
	t.Helper()
	data, err := os.ReadFile(l.Stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func status(t testing.TB, l Launch) syscall.WaitStatus {
	t.Helper()
	data, err := os.ReadFile(l.Request.StatusFile)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return syscall.WaitStatus(n)
}

func TestLaunch(t *testing.T) {
	tests := map[string]struct {
		script, out string
		code        int
	}{
		"succeeds":              {script: "echo hello", out: "hello\n"},
		"fails":                 {script: "exit 3", code: 3},
		"environment":           {script: `echo $A-$GOGC-$PATH | cut -c1-12`, out: "1--/usr/loca\n"},
		"working directory":     {script: `ls stdout`, out: "stdout\n"},
		"no descriptor is left": {script: `exec ls /proc/self/fd`, out: "0\n1\n2\n3\n"}, // 3 is the directory
		"session of its own":    {script: `test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo yes`, out: "yes\n"},
	}
	s := spawner(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := request(t, test.script)
			null, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			l.Stdin = null
			stage, pid, err := s.Launch(context.Background(), l)
			if err != nil {
				t.Fatal(err)
			}
			if pid == 0 || pid == stage.Identity().PID || !Owns(stage.Identity().PID) {
				t.Errorf("command %d of stage %d", pid, stage.Identity().PID)
			}
			if _, err := stage.Wait(context.Background()); err != nil {
				t.Error(err)
			}
			if Owns(stage.Identity().PID) {
				t.Error("still owned after its end")
			}
			if got := status(t, l); got.ExitStatus() != test.code {
				t.Errorf("status %v", got)
			}
			if got := output(t, l); got != test.out {
				t.Errorf("output %q, want %q", got, test.out)
			}
		})
	}
}

func TestLaunchFails(t *testing.T) {
	s := spawner(t)
	tests := map[string]struct {
		change func(*Launch)
		want   string
	}{
		"no such command":   {func(l *Launch) { l.Request.Command.Args = []string{"no-such-command"} }, `"no-such-command" not found in PATH`},
		"no such path":      {func(l *Launch) { l.Request.Command.Args = []string{"/no/such"} }, `executing "/no/such"`},
		"no such directory": {func(l *Launch) { l.Request.Command.Dir = "/no/such" }, "no such file"},
		"no such cgroup":    {func(l *Launch) { l.Request.Cgroups = []string{"/no/such"} }, "joining a cgroup"},
		"nothing":           {func(l *Launch) { l.Request.Command = nil }, "no command"},
		"not kept":          {func(l *Launch) { l.Keep = func(*Child) error { return errors.New("disk full") } }, "disk full"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := request(t, "true")
			test.change(&l)
			if _, _, err := s.Launch(context.Background(), l); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if len(owned.pids) > 0 {
				t.Errorf("children %v were not waited for", owned.pids)
			}
		})
	}
}

// Signals to the stage don't end it, and the command's orphans become its.
func TestStage(t *testing.T) {
	s := spawner(t)
	l := request(t, `trap 'echo got; exit 5' TERM; (sh -c 'sleep 0.05; grep PPid /proc/$$/status' &) ; echo up; while :; do sleep 0.01; done`)
	stage, pid, err := s.Launch(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for strings.Count(output(t, l), "\n") < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if err := stage.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if !stage.Identity().Alive() {
		t.Fatal("SIGTERM ended the stage")
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := output(t, l); got != "up\nPPid:\t"+strconv.Itoa(stage.Identity().PID)+"\ngot\n" {
		t.Errorf("output %q", got)
	}
	if got := status(t, l); got.ExitStatus() != 5 {
		t.Errorf("status %v", got)
	}
}

// An agent that dies before it gave its permission leaves nothing.
func TestStageWithoutAgent(t *testing.T) {
	s := spawner(t)
	l := request(t, "echo started")
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	stage, err := s.Start(context.Background(), Command{Args: []string{launch.Name, "c1"},
		Env: stageEnv, Files: []*os.File{nil, l.Stdout, l.Stderr, theirs}})
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	l.Keep = func(*Child) error { return ours.Close() }
	if _, err := l.converse(ours, stage, func() bool { return true }); err == nil {
		t.Error("no error though the conversation ended")
	}
	code, err := stage.Wait(context.Background())
	if err != nil || code.ExitStatus() != 1 {
		t.Errorf("status %v, error %v", code, err)
	}
	if out := output(t, l); out != "" {
		t.Errorf("output %q", out)
	}
}

func TestLaunchCancelled(t *testing.T) {
	s := spawner(t)
	l := request(t, "true")
	ctx, cancel := context.WithCancel(context.Background())
	l.Keep = func(*Child) error { cancel(); time.Sleep(10 * time.Millisecond); return nil }
	if _, _, err := s.Launch(ctx, l); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	binary := filepath.Join(t.TempDir(), "b")
	var paths []string
	for _, contents := range []string{"one", "two", "two"} {
		if err := os.WriteFile(binary, []byte(contents), 0o755); err != nil {
			t.Fatal(err)
		}
		path, err := Install("p", binary, dir)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
		if got, err := os.ReadFile(path); err != nil || string(got) != contents {
			t.Errorf("installed %q, error %v", got, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%v, error %v", entries, err)
		}
	}
	if paths[0] == paths[1] || paths[1] != paths[2] {
		t.Errorf("paths %v", paths)
	}
}

func TestConfig(t *testing.T) {
	for ns, ok := range map[string]bool{"": true, "/proc/1/ns/mnt": true, "/proc/1/ns/pid": false, "/x/1/ns/mnt": false, "host": false} {
		if err := (Config{Binary: "/b", MountNamespace: ns}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", ns, err)
		}
	}
	if err := (Config{Binary: "b"}).Validate(); err == nil {
		t.Error("a relative binary is accepted")
	}
}

// A process that is started in another mount namespace sees its mounts.
func TestRootMountNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a mount namespace")
	}
	node := t.TempDir()
	target, err := os.StartProcess("/usr/bin/unshare", []string{"unshare", "--mount", "sh", "-c",
		"mount -t tmpfs tmpfs " + node + " && echo inside > " + node + "/file && echo ready && exec sleep 60"},
		&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		t.Skipf("needs unshare: %v", err)
	}
	t.Cleanup(func() { _ = target.Kill(); _, _ = target.Wait() })
	proc := "/proc/" + strconv.Itoa(target.Pid)
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := os.Stat(proc + "/root" + node + "/file"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{Binary: exe, MountNamespace: proc + "/ns/mnt"})
	if err != nil {
		t.Fatal(err)
	}
	l := request(t, "cat "+node+"/file")
	stage, _, err := s.Launch(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := output(t, l); got != "inside\n" {
		t.Errorf("output %q", got)
	}
	if _, err := os.Stat(node + "/file"); err == nil {
		t.Error("the agent itself was moved")
	}
}

func BenchmarkLaunch(b *testing.B) {
	s := spawner(b)
	for b.Loop() {
		l := request(b, "")
		l.Request.Command.Args = []string{"/bin/true"}
		stage, _, err := s.Launch(context.Background(), l)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := stage.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
