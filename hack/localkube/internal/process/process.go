// Package process starts localkube's daemons, remembers them, and stops them.
//
// A daemon is remembered by its pid together with the time the kernel started it,
// so that a pid used anew by a stranger is never taken for ours. Nothing is ever
// looked up by a program's name.
package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/hack/localkube/internal/config"
)

// Record identifies one process for as long as the machine is up.
type Record struct {
	PID int
	// Started is the process's start time in clock ticks since boot, field 22 of
	// proc_pid_stat(5).
	Started uint64
}

// Lookup returns the record of a live process. A zombie counts as ended: where the
// machine's pid 1 doesn't reap, zombies stay.
func Lookup(pid int) (Record, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Record{}, fmt.Errorf("looking up process %d: %w", pid, err)
	}
	state, started, err := parseStat(string(b))
	if err != nil {
		return Record{}, fmt.Errorf("looking up process %d: %w", pid, err)
	}
	if state == "Z" || state == "X" {
		return Record{}, fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return Record{pid, started}, nil
}

// parseStat returns fields 3 (state) and 22 (start time). The second field, the
// program's name in parentheses, may itself hold blanks and parentheses.
func parseStat(stat string) (state string, started uint64, err error) {
	i := strings.LastIndexByte(stat, ')')
	f := strings.Fields(stat[i+1:])
	if i < 0 || len(f) < 20 {
		return "", 0, fmt.Errorf("unexpected form of stat: %q", stat)
	}
	started, err = strconv.ParseUint(f[19], 10, 64)
	return f[0], started, err
}

// Alive tells whether the very process still runs.
func (r Record) Alive() bool {
	now, err := Lookup(r.PID)
	return err == nil && now == r
}

// Signal sends sig to the very process; none if it has ended.
func (r Record) Signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(r.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", r.PID, err)
	}
	defer unix.Close(fd)
	// The descriptor is bound to whoever has the pid now; the check makes that ours.
	if !r.Alive() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signalling process %d: %w", r.PID, err)
	}
	return nil
}

// Stop sends sig, waits up to grace, then kills.
func (r Record) Stop(sig syscall.Signal, grace time.Duration) error {
	if err := r.Signal(sig); err != nil {
		return err
	}
	if r.wait(grace) {
		return nil
	}
	if err := r.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !r.wait(10 * time.Second) {
		return fmt.Errorf("process %d doesn't end", r.PID)
	}
	return nil
}

func (r Record) wait(limit time.Duration) (ended bool) {
	for deadline := time.Now().Add(limit); r.Alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// Table is the set of recorded processes: a file for each in Dir, a log for each
// in LogDir.
type Table struct{ Dir, LogDir string }

// NewTable returns the table of a cluster.
func NewTable(c config.Config) Table { return Table{c.Path("pids"), c.Path("log")} }

// LogFile is where the process of that name writes.
func (t Table) LogFile(name string) string { return filepath.Join(t.LogDir, name+".log") }

// Get returns the process recorded under name, or fs.ErrNotExist.
func (t Table) Get(name string) (Record, error) {
	b, err := os.ReadFile(filepath.Join(t.Dir, name))
	if err != nil {
		return Record{}, err
	}
	var r Record
	if _, err := fmt.Sscanf(string(b), "%d %d", &r.PID, &r.Started); err != nil {
		return Record{}, fmt.Errorf("reading the record of %s: %w", name, err)
	}
	return r, nil
}

// Since returns when the process recorded under name was started.
func (t Table) Since(name string) (time.Time, error) {
	fi, err := os.Stat(filepath.Join(t.Dir, name))
	if err != nil {
		return time.Time{}, err
	}
	return fi.ModTime(), nil
}

// Alive tells whether the process recorded under name runs.
func (t Table) Alive(name string) bool {
	r, err := t.Get(name)
	return err == nil && r.Alive()
}

// Put records a process under name.
func (t Table) Put(name string, r Record) error {
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return err
	}
	tmp := filepath.Join(t.Dir, "."+name)
	if err := os.WriteFile(tmp, fmt.Appendf(nil, "%d %d\n", r.PID, r.Started), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(t.Dir, name))
}

// Names returns what is recorded, in the order of names.
func (t Table) Names() ([]string, error) {
	entries, err := os.ReadDir(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// Start runs argv as a daemon in the cgroup, records it under name, and returns
// without waiting for it. A live process of that name is left as it is.
func (t Table) Start(c config.Config, name, cgroup string, argv ...string) error {
	if t.Alive(name) {
		return nil
	}
	if err := os.MkdirAll(t.LogDir, 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(t.LogFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", append([]string{"enter", cgroup, "--"}, argv...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), config.Marker+"="+c.RunDir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	r, err := Lookup(cmd.Process.Pid)
	if err == nil {
		err = t.Put(name, r)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("starting %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // reaped for as long as we are its parent
	return nil
}

// Stop ends the process recorded under name, if it runs, and forgets it.
func (t Table) Stop(name string, sig syscall.Signal, grace time.Duration) error {
	r, err := t.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.Stop(sig, grace); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	return os.Remove(filepath.Join(t.Dir, name))
}

// Tail returns the last lines that the process of that name wrote.
func (t Table) Tail(name string, lines int) string {
	b, err := os.ReadFile(t.LogFile(name))
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
