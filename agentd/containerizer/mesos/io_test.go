package mesos

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func attachOutput(t *testing.T, m *Containerizer, id containerizer.ID) containerizer.Output {
	t.Helper()
	out, err := m.AttachOutput(deadline(t), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

func attachInput(t *testing.T, m *Containerizer, id containerizer.ID) containerizer.Input {
	t.Helper()
	in, err := m.AttachInput(deadline(t), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

// all reads an output to its end.
func all(t *testing.T, out containerizer.Output) (stdout, stderr string) {
	t.Helper()
	for {
		c, err := out.Next()
		switch {
		case errors.Is(err, io.EOF):
			return stdout, stderr
		case err != nil:
			t.Fatal(err)
		case c.Stderr:
			stderr += string(c.Data)
		default:
			stdout += string(c.Data)
		}
	}
}

// until reads an output until it has said something.
func until(t *testing.T, out containerizer.Output, want string) {
	t.Helper()
	said := ""
	for !strings.Contains(said, want) {
		c, err := out.Next()
		if err != nil {
			t.Fatalf("after %q: %v", said, err)
		}
		said += string(c.Data)
	}
}

// A debug container waits for the first who attaches, who gets everything; the files
// have it too.
func TestSession(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		root := sh(t, cfg, "root", "sleep 600")
		launch(t, m, root)
		debug := below(root, "debug", "echo oops >&2; head -c 3000000 /dev/zero | tr '\\0' x; cat")
		debug.Class = containerizer.ClassDebug
		launch(t, m, debug)
		time.Sleep(100 * time.Millisecond)
		in, out := attachInput(t, m, debug.ID), attachOutput(t, m, debug.ID)
		if _, err := m.AttachInput(deadline(t), debug.ID); !errors.Is(err, containerizer.ErrInputTaken) {
			t.Errorf("second input: %v", err)
		}
		for _, data := range []string{"one\n", "two\n", ""} {
			if err := in.Write([]byte(data)); err != nil {
				t.Fatal(err)
			}
		}
		stdout, stderr := all(t, out)
		if len(stdout) != 3000008 || !strings.HasSuffix(stdout, "xone\ntwo\n") || stderr != "oops\n" {
			t.Errorf("%d bytes of stdout, stderr %q", len(stdout), stderr)
		}
		if end := wait(t, m, debug.ID); end.Status == nil || *end.Status != 0 {
			t.Errorf("ended %+v", end)
		}
		if err := <-in.Result(); err != nil {
			t.Error(err)
		}
		if got := read(t, debug, "stdout"); got != stdout {
			t.Errorf("the file has %d bytes", len(got))
		}
		if _, err := m.AttachOutput(deadline(t), root.ID); !errors.Is(err, containerizer.ErrNotAttachable) {
			t.Errorf("a container without a switchboard: %v", err)
		}
		if _, err := m.AttachOutput(deadline(t), debug.ID); !errors.Is(err, containerizer.ErrNotAttachable) {
			t.Errorf("one that has ended: %v", err)
		}
		if _, err := m.AttachOutput(deadline(t), "nobody"); !errors.Is(err, containerizer.ErrUnknown) {
			t.Errorf("one that was never there: %v", err)
		}
	})
}

func terminal(c containerizer.Config) containerizer.Config {
	c.Container = &mesos.ContainerInfo{
		Type:    mesos.ContainerInfo_MESOS.Enum(),
		TtyInfo: &mesos.TTYInfo{WindowSize: &mesos.TTYInfo_WindowSize{Rows: new(uint32(24)), Columns: new(uint32(80))}},
	}
	return c
}

// A container with a terminal has it as its controlling terminal, whose size can be changed.
func TestTerminal(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := terminal(sh(t, cfg, "c", `trap 'stty size' WINCH; trap 'echo interrupted; exit 3' INT; stty size; tty; : > /dev/tty && echo ready; while :; do read line && echo "got $line"; done`))
		launch(t, m, c)
		out, second := attachOutput(t, m, c.ID), attachOutput(t, m, c.ID)
		in := attachInput(t, m, c.ID)
		if err := in.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		until(t, out, "got hello")
		until(t, second, "got hello")
		if got := waitFor(t, c, "stdout"); !strings.Contains(got, "24 80\r\n") || !strings.Contains(got, "/dev/") || !strings.Contains(got, "ready") {
			t.Errorf("it said %q", got)
		}
		if err := in.Resize(50, 100); err != nil {
			t.Fatal(err)
		}
		if err := in.Write([]byte("again\n")); err != nil {
			t.Fatal(err)
		}
		until(t, out, "got again")
		if got := read(t, c, "stdout"); !strings.Contains(got, "50 100") {
			t.Errorf("it said %q", got)
		}
		if err := in.Write([]byte{3}); err != nil { // Control-C
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 3 {
			t.Errorf("ended %+v", end)
		}
	})
}

// Who is attached to a terminal and doesn't read is dropped, and doesn't hold the
// container up for ever; terminals survive their agent.
func TestTerminalRecovery(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		c := terminal(sh(t, cfg, "c", `echo up; while read line; do echo "got $line"; test "$line" = end && exit 4; done`))
		killedAgent(t, cfg, c)
		m := agent(t, cfg)
		if _, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
			t.Fatal(err)
		}
		out, in := attachOutput(t, m, c.ID), attachInput(t, m, c.ID)
		if err := in.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		until(t, out, "got hello")
		if err := in.Write([]byte("end\n")); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); end.Status == nil || end.Status.ExitStatus() != 4 {
			t.Errorf("ended %+v", end)
		}
	})
}

// A container whose switchboard is killed is ended, and its task told why: also by an
// agent that is not the one that started it, and by one that was away at that moment.
func TestSwitchboardKilled(t *testing.T) {
	// It doesn't end by itself with its terminal.
	script := `trap '' HUP TERM; echo up; while :; do sleep 600; done`
	boardOf := func(t *testing.T, m *Containerizer, c containerizer.Config) int {
		t.Helper()
		r, _, err := recall(m.dir(c, nil))
		if err != nil || r.IO.PID == 0 {
			t.Fatalf("record %+v, error %v", r, err)
		}
		return r.IO.PID
	}
	kill := func(t *testing.T, pid int) {
		t.Helper()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	recovered := func(t *testing.T, m *Containerizer, c containerizer.Config) {
		t.Helper()
		if _, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, run := range map[string]func(*testing.T, Config, containerizer.Config) *Containerizer{
		"by the agent that launched it": func(t *testing.T, cfg Config, c containerizer.Config) *Containerizer {
			m := agent(t, cfg)
			launch(t, m, c)
			waitFor(t, c, "stdout")
			kill(t, boardOf(t, m, c))
			return m
		},
		"by the next": func(t *testing.T, cfg Config, c containerizer.Config) *Containerizer {
			killedAgent(t, cfg, c)
			m := agent(t, cfg)
			recovered(t, m, c)
			kill(t, boardOf(t, m, c))
			return m
		},
		"while there was none": func(t *testing.T, cfg Config, c containerizer.Config) *Containerizer {
			killedAgent(t, cfg, c)
			m := agent(t, cfg)
			kill(t, boardOf(t, m, c))
			recovered(t, m, c)
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, cfg Config) {
				c := terminal(sh(t, cfg, "c", script))
				m := run(t, cfg, c)
				end := wait(t, m, c.ID)
				if len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_IO_SWITCHBOARD_EXITED {
					t.Errorf("ended %+v", end)
				}
				if left, err := os.ReadDir(m.ioDir()); err != nil || len(left) > 0 {
					t.Errorf("left %v, %v", left, err)
				}
			})
		})
	}
}

// One that has finished while the agent was away, because its container has, says nothing.
func TestSwitchboardFinished(t *testing.T) {
	cfg := config(t, variants[0])
	c := terminal(sh(t, cfg, "c", "echo up; while ! test -e go; do sleep 0.01; done; exit 4"))
	killedAgent(t, cfg, c)
	m := agent(t, cfg)
	r, _, err := recall(m.dir(c, nil))
	if err != nil || r.IO.PID == 0 {
		t.Fatalf("record %+v, error %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(c.Sandbox, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for ctx := deadline(t); r.IO.Alive() && ctx.Err() == nil; time.Sleep(time.Millisecond) {
	}
	if _, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
		t.Fatal(err)
	}
	if end := wait(t, m, c.ID); len(end.Reasons) > 0 || end.Status == nil || end.Status.ExitStatus() != 4 {
		t.Errorf("ended %+v", end)
	}
}
