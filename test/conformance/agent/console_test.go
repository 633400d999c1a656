package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// console runs mesosctl.
type console struct {
	t      *testing.T
	master *testbed.Master
}

func (c console) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), testbed.Binary(c.t, "mesosctl"), append([]string{"--master=" + c.master.Address, "task"}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG=/nonexistent")
	return cmd
}

// run runs it to its end.
func (c console) run(stdin string, args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	cmd := c.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	limit := time.AfterFunc(testbed.Patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// user is somebody at a terminal.
type user struct {
	t        *testing.T
	keyboard *os.File
	cmd      *exec.Cmd

	mu     sync.Mutex
	screen bytes.Buffer
}

func (c console) sit(rows, columns uint16, args ...string) *user {
	c.t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		c.t.Skipf("no terminals here: %v", err)
	}
	c.t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	must := func(err error) {
		if err != nil {
			c.t.Fatal(err)
		}
	}
	must(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(err)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(err)
	defer tty.Close()
	u := &user{t: c.t, keyboard: keyboard, cmd: c.command(args...)}
	u.resize(rows, columns)
	u.cmd.Stdin, u.cmd.Stdout, u.cmd.Stderr = tty, tty, tty
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(u.cmd.Start())
	c.t.Cleanup(func() { _ = u.cmd.Process.Kill() })
	go u.watch()
	return u
}

func (u *user) watch() {
	buffer := make([]byte, 4096)
	for {
		n, err := u.keyboard.Read(buffer)
		u.mu.Lock()
		u.screen.Write(buffer[:n])
		u.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (u *user) resize(rows, columns uint16) {
	u.t.Helper()
	if err := unix.IoctlSetWinsize(int(u.keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		u.t.Fatal(err)
	}
	if u.cmd.Process != nil {
		_ = u.cmd.Process.Signal(syscall.SIGWINCH) // the kernel tells foreground groups only
	}
}

func (u *user) types(text string) {
	u.t.Helper()
	if _, err := io.WriteString(u.keyboard, text); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) sees(text string) {
	u.t.Helper()
	testbed.Eventually(u.t, fmt.Sprintf("the screen shows %q", text), func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		if !strings.Contains(u.screen.String(), text) {
			return fmt.Errorf("it shows %q", u.screen.String())
		}
		return nil
	})
}

func (u *user) leaves() int {
	u.t.Helper()
	done := make(chan error, 1)
	go func() { done <- u.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(testbed.Patience):
		u.t.Fatalf("mesosctl does not end; the screen shows %q", u.screen.String())
	}
	return u.cmd.ProcessState.ExitCode()
}

// TestConsole gets into tasks of both executors by mesosctl.
func TestConsole(t *testing.T) {
	for _, runtime := range testbed.Runtimes() {
		t.Run(string(runtime), func(t *testing.T) {
			master := testbed.StartMaster(t)
			testbed.StartAgent(t, master.Address, runtime)
			f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: testbed.Object{"checkpoint": true}})
			c := console{t, master}
			sleeper := testbed.NewSleeper()
			f.Run("plain", "echo here > mine; exec "+sleeper.Command())
			f.Follow("plain", "TASK_STARTING", "TASK_RUNNING")
			g := newGroup(f, "e")
			g.launch(nil, "grouped", "echo there > mine; sleep 1000")
			f.Follow("grouped", "TASK_STARTING", "TASK_RUNNING")
			execute(t, c)
			executeAtTerminal(c)
			attachToTask(t, c, f)
			f.Call("TEARDOWN", nil)
			sleeper.AwaitEnd(t)
		})
	}
}

// execute runs commands without a terminal.
func execute(t *testing.T, c console) {
	t.Helper()
	tests := map[string]struct {
		stdin  string
		args   []string
		code   int
		stdout string
		stderr string // in what is written to standard error
	}{
		"output and errors":   {"", []string{"exec", "plain", "--", "sh", "-c", "echo out; echo err >&2"}, 0, "out\n", "err\n"},
		"arguments as given":  {"", []string{"exec", "plain", "--", "echo", "a b", "$HOME", ""}, 0, "a b $HOME \n", ""},
		"a group's task":      {"", []string{"exec", "grouped", "--", "sh", "-c", "exit 0"}, 0, "", ""},
		"exit status":         {"", []string{"exec", "plain", "--", "sh", "-c", "exit 42"}, 42, "", ""},
		"a signal":            {"", []string{"exec", "plain", "--", "sh", "-c", "kill -9 $$"}, 137, "", ""},
		"standard input":      {"one\ntwo\n", []string{"exec", "-i", "plain", "--", "sh", "-c", "cat; echo end"}, 0, "one\ntwo\nend\n", ""},
		"input not sent":      {"one\n", []string{"exec", "plain", "--", "cat"}, 0, "", ""},
		"much of it":          {strings.Repeat("x", 1<<20), []string{"exec", "-i", "grouped", "--", "wc", "-c"}, 0, "1048576\n", ""},
		"nobody":              {"", []string{"exec", "nobody", "--", "true"}, 1, "", "no such task"},
		"another framework's": {"", []string{"exec", "--framework=x", "plain", "--", "true"}, 1, "", "no such task"},
		"not for attaching":   {"", []string{"attach", "plain"}, 1, "", "I/O switchboard server was disabled"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c.t = t
			code, stdout, stderr := c.run(tt.stdin, tt.args...)
			if code != tt.code || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit %d, %q, %q; want %d, %q, %q", code, stdout, stderr, tt.code, tt.stdout, tt.stderr)
			}
		})
	}
}

// executeAtTerminal has a shell on a terminal of its own.
func executeAtTerminal(c console) {
	c.t.Helper()
	u := c.sit(31, 97, "exec", "-i", "-t", "plain", "--", "sh", "-c", `stty size; read x; echo "got <$x>"; sleep 1000`)
	u.sees("31 97")
	u.types("hello\r")
	u.sees("got <hello>")
	u.types("\x03") // the remote terminal's interrupt, not mesosctl's
	if code := u.leaves(); code != 130 {
		c.t.Errorf("exit status %d after an interrupt, want 130", code)
	}
}

// attachToTask attaches to a task with a terminal, leaves it, and comes back.
func attachToTask(t *testing.T, c console, f *testbed.Framework) {
	t.Helper()
	for name, exit := range map[string]int{"tty-finishes": 0, "tty-fails": 1} {
		offer := f.Offer()
		task := testbed.Task(offer, name, fmt.Sprintf(`while read x; do case $x in size) stty size;; quit) exit %d;; *) echo "<$x>";; esac; done`, exit))
		task["container"] = testbed.Object{"type": "MESOS", "tty_info": testbed.Object{}}
		f.Accept(offer, testbed.Launch(task))
		f.Follow(name, "TASK_STARTING", "TASK_RUNNING")
		u := c.sit(24, 80, "attach", "-i", name)
		u.types("size\r")
		u.sees("24 80")
		u.resize(40, 120)
		testbed.Eventually(t, "the task's window has changed", func() error {
			u.types("size\r")
			time.Sleep(200 * time.Millisecond)
			u.mu.Lock()
			defer u.mu.Unlock()
			if !strings.Contains(u.screen.String(), "40 120") {
				return errors.New(u.screen.String())
			}
			return nil
		})
		u.types("\x10\x11") // ctrl-p ctrl-q
		u.sees("detached")
		if code := u.leaves(); code != 0 {
			t.Errorf("detached with exit status %d", code)
		}
		u = c.sit(24, 80, "attach", "-i", name)
		u.types("again\r")
		u.sees("<again>")
		u.types("quit\r")
		if code := u.leaves(); code != exit {
			t.Errorf("%s: exit status %d, want %d", name, code, exit)
		}
	}
}
