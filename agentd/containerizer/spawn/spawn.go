// Package spawn starts the project's own programs in the roles in which they help
// containers to life: the launch stage of every container, the fetcher.
//
// In Kubernetes the agent lives in a container whose image has no shell and
// whose mounts go away with it, while tasks live in the node's mount
// namespace and stay. A [Spawner] keeps one thread in that namespace and starts
// everything from there, so that a child sees the node's files from its first
// instruction on, and holds none of the agent's mounts. For the same reason the
// binary that it executes is a copy in the work directory ([Install]).
//
// The containerizer, its runtimes and the fetcher use this package.
package spawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/process"
)

// Config says how to start processes.
type Config struct {
	// Binary is the executable, as named in the mount namespace of its processes.
	Binary string
	// MountNamespace is "/proc/<pid>/ns/mnt" for the namespace of a process;
	// empty means the agent's own.
	MountNamespace string
}

// Validate tells what is wrong with a configuration.
func (c Config) Validate() error {
	if !filepath.IsAbs(c.Binary) {
		return fmt.Errorf("binary %q: want an absolute path", c.Binary)
	}
	if c.MountNamespace != "" {
		if _, err := ProcOf(c.MountNamespace); err != nil {
			return err
		}
	}
	return nil
}

// ProcOf returns "/proc/<pid>" of "/proc/<pid>/ns/mnt", and "" of "". Through its
// root the files of that mount namespace can be reached.
func ProcOf(mountNamespace string) (string, error) {
	if mountNamespace == "" {
		return "", nil
	}
	proc, ok := strings.CutSuffix(mountNamespace, "/ns/mnt")
	if !ok || filepath.Dir(proc) != "/proc" {
		return "", fmt.Errorf("mount namespace %q: want the form /proc/<pid>/ns/mnt, for example /proc/1/ns/mnt", mountNamespace)
	}
	return proc, nil
}

// Spawner starts processes. Its methods may be called from any goroutine.
type Spawner struct {
	cfg   Config
	forks chan *fork
}

// owned are the children of this process that a Spawner started and that are
// not yet waited for. To have children is a property of the process, as is to
// wait for adopted ones, which these must be told from: hence one set for all.
var owned = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// Owns says whether a Spawner started a process that is not yet waited for.
func Owns(pid int) bool {
	owned.Lock()
	defer owned.Unlock()
	return owned.pids[pid]
}

func forget(pid int) {
	owned.Lock()
	defer owned.Unlock()
	delete(owned.pids, pid)
}

// fork is a request to the thread that forks.
type fork struct {
	path string
	args []string
	attr *syscall.ProcAttr
	done chan error
	pid  int
}

// New returns a Spawner that works until ctx ends.
func New(ctx context.Context, cfg Config) (*Spawner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Spawner{cfg: cfg, forks: make(chan *fork)}
	entered := make(chan error)
	go s.serve(ctx, entered)
	if err := <-entered; err != nil {
		return nil, err
	}
	return s, nil
}

// Binary is the executable that is started.
func (s *Spawner) Binary() string { return s.cfg.Binary }

// InOwnNamespace says that processes see the same mounts as the agent.
func (s *Spawner) InOwnNamespace() bool { return s.cfg.MountNamespace == "" }

// serve forks on a thread of the namespace. The thread is never given back: it
// ends with the goroutine.
func (s *Spawner) serve(ctx context.Context, entered chan<- error) {
	runtime.LockOSThread()
	if s.cfg.MountNamespace != "" {
		if err := enter(s.cfg.MountNamespace); err != nil {
			entered <- err
			return
		}
	}
	entered <- nil
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-s.forks:
			f.done <- f.do()
		}
	}
}

// enter moves the calling thread. A thread that shares its root and working
// directory with others may not change its mount namespace, hence the unshare.
func enter(namespace string) error {
	f, err := os.Open(namespace)
	if err != nil {
		return fmt.Errorf("entering a mount namespace: %w", err)
	}
	defer f.Close()
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("entering mount namespace %s: %w", namespace, err)
	}
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("entering mount namespace %s: %w", namespace, err)
	}
	return nil
}

func (f *fork) do() error {
	owned.Lock() // or it could have ended and been taken for an orphan before it is known
	defer owned.Unlock()
	pid, err := syscall.ForkExec(f.path, f.args, f.attr)
	if err != nil {
		return fmt.Errorf("executing %s: %w", f.path, err)
	}
	f.pid = pid
	owned.pids[pid] = true
	return nil
}

// Command is a process to start.
type Command struct {
	// Path is the executable; empty means the configured one.
	Path string
	// Args are the arguments, without the name of the executable.
	Args []string
	// Env is the whole environment.
	Env []string
	// Dir is the working directory; empty means the root.
	Dir string
	// Files are descriptors 0 and up. nil entries are closed.
	Files []*os.File
	// Credential is switched to unless nil.
	Credential *syscall.Credential
}

// Start starts a command in a session of its own. The child must be waited for
// with [Child.Wait].
func (s *Spawner) Start(ctx context.Context, cmd Command) (*Child, error) {
	files := make([]uintptr, len(cmd.Files))
	for i, f := range cmd.Files {
		files[i] = ^uintptr(0)
		if f != nil {
			files[i] = f.Fd()
		}
	}
	dir := cmd.Dir
	if dir == "" {
		dir = "/"
	}
	path := cmd.Path
	if path == "" {
		path = s.cfg.Binary
	}
	f := &fork{
		path: path,
		args: append([]string{path}, cmd.Args...),
		attr: &syscall.ProcAttr{
			Dir: dir, Env: cmd.Env, Files: files,
			Sys: &syscall.SysProcAttr{Setsid: true, Credential: cmd.Credential},
		},
		done: make(chan error, 1),
	}
	select {
	case s.forks <- f:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	err := <-f.done
	runtime.KeepAlive(cmd.Files)
	if err != nil {
		return nil, err
	}
	return watch(f.pid)
}

// watch begins to watch a process that was started. Nobody else waits for it, so it
// is there, perhaps as a zombie.
func watch(pid int) (*Child, error) {
	id, err := process.Identify(pid)
	if err == nil {
		var w *process.Watch
		if w, err = process.Open(id); err == nil {
			return &Child{Watch: w}, nil
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	_, waitErr := syscall.Wait4(pid, nil, 0, nil)
	forget(pid)
	return nil, errors.Join(err, waitErr)
}

// Child is a process that a Spawner started.
type Child struct {
	*process.Watch
}

// Wait waits for the end of the child and closes its watch.
func (c *Child) Wait(ctx context.Context) (*syscall.WaitStatus, error) {
	status, err := c.Watch.Wait(ctx)
	if err == nil {
		forget(c.Identity().PID)
		_ = c.Watch.Close()
	}
	return status, err
}

// Kill kills the child and waits for its end.
func (c *Child) Kill() {
	_ = c.Signal(syscall.SIGKILL)
	_, _ = c.Wait(context.Background())
}
