package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/launch"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// running is a task's process, which leads a session of its own.
type running struct{ pid int }

// Signal implements command.
func (r running) Signal(signal syscall.Signal) {
	if _, err := process.SignalFamily(r.pid, signal, around); err != nil {
		_ = syscall.Kill(r.pid, signal)
	}
}

// around is the processes that the task's are among. The launch stage, our parent,
// adopts the container's orphans, so that none can be elsewhere than below it; to read
// of all processes of a machine would take the longer the more tasks it has, when all
// of them are killed at once.
func around() (process.Snapshot, error) {
	if parent := os.Getppid(); isStage(parent) {
		return process.TakeBelow(parent)
	}
	return process.Take()
}

func isStage(pid int) bool {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	args := bytes.SplitN(line, []byte{0}, 3)
	return err == nil && len(args) == 3 && string(args[1]) == launch.Name
}

// starter starts tasks and tells of their end on exits.
func starter(exits chan<- *syscall.WaitStatus, image *image) func(*mesos.TaskInfo, []string) (command, error) {
	return func(task *mesos.TaskInfo, environ []string) (command, error) {
		env := environment(task, slices.Concat(environ, image.secrets(task, os.Environ())))
		path, args, err := argv(image.commandOf(task), env)
		if err != nil {
			return nil, err
		}
		tty := task.GetContainer().GetTtyInfo() != nil
		if tty {
			giveTerminalUp()
		}
		pid, err := fork(path, args, &syscall.ProcAttr{
			Dir:   image.dir,
			Env:   env,
			Files: []uintptr{0, 1, 2},
			Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: tty},
		})
		if err != nil {
			return nil, fmt.Errorf("executing %q: %w", path, err)
		}
		go func() { exits <- awaited(pid) }()
		return running{pid}, nil
	}
}

// giveTerminalUp makes the executor's terminal free to be the task's: a terminal
// controls one session. Who leads that session is told so by SIGHUP.
func giveTerminalUp() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	_ = unix.IoctlSetInt(0, unix.TIOCNOTTY, 0) // it may have none
}

// await returns the status of a child; nil if it can't be had.
func await(pid int) *syscall.WaitStatus {
	if id, err := process.Identify(pid); err == nil {
		if w, err := process.Open(id); err == nil {
			defer w.Close()
			if status, err := w.Wait(context.Background()); err == nil && status != nil {
				return status
			}
		}
	}
	var status syscall.WaitStatus // kernels before 5.3 have no process descriptors
	for {
		n, err := syscall.Wait4(pid, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case n == pid:
			return &status
		default:
			return nil
		}
	}
}

// argv is the executable and the arguments of a command.
func argv(c *mesos.CommandInfo, env []string) (path string, args []string, err error) {
	switch {
	case c.GetValue() == "" && c.GetShell():
		return "", nil, errors.New("shell command is not specified")
	case c.GetValue() == "":
		return "", nil, errors.New("executable is not specified")
	case c.GetShell():
		return "/bin/sh", []string{"sh", "-c", c.GetValue()}, nil
	}
	args = c.GetArguments()
	if len(args) == 0 {
		args = []string{c.GetValue()}
	}
	path, err = lookPath(c.GetValue(), env)
	return path, args, err
}

// lookPath searches the PATH of the task, not that of the executor.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for dir := range strings.SplitSeq(valueOf(env, "PATH"), ":") {
		if dir == "" {
			dir = "."
		}
		candidate := dir + "/" + name
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	// What Mesos finds in the working directory, without a PATH that says so.
	if info, err := os.Stat("./" + name); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
		return "./" + name, nil
	}
	return "", fmt.Errorf("executable %q is not in PATH %q", name, valueOf(env, "PATH"))
}

// environment is the executor's, with the command's own over it.
func environment(task *mesos.TaskInfo, environ []string) []string {
	env := newEnv(environ)
	env.add(task.GetCommand().GetEnvironment())
	if rs := task.GetResources(); len(rs) > 0 {
		env.set("MESOS_ALLOCATION_ROLE", rs[0].GetAllocationInfo().GetRole())
	}
	return env.list
}

// env is an environment in which a variable is once.
type env struct {
	list []string
	at   map[string]int
}

func newEnv(list []string) *env {
	e := &env{at: map[string]int{}}
	for _, v := range list {
		name, value, _ := strings.Cut(v, "=")
		e.set(name, value)
	}
	return e
}

// add sets a command's variables. A secret that is still one was not resolved by
// the agent.
func (e *env) add(more *mesos.Environment) {
	for _, v := range more.GetVariables() {
		if v.GetType() != mesos.Environment_Variable_SECRET {
			e.set(v.GetName(), v.GetValue())
		}
	}
}

func (e *env) set(name, value string) {
	if i, ok := e.at[name]; ok {
		e.list[i] = name + "=" + value
		return
	}
	e.at[name] = len(e.list)
	e.list = append(e.list, name+"="+value)
}

func valueOf(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
