package testbed

import (
	"bytes"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

var sleepers atomic.Int64

// Sleeper is a command that runs for hours and can be told from every other
// process of this machine.
type Sleeper struct{ seconds string }

// NewSleeper returns one.
func NewSleeper() Sleeper {
	return Sleeper{strconv.FormatInt(1_000_000+int64(os.Getpid())*1000+sleepers.Add(1), 10)}
}

// Command is the command of a task.
func (s Sleeper) Command() string { return "sleep " + s.seconds }

// PIDs finds the process, whatever started it. There is one, or none.
func (s Sleeper) PIDs() []int {
	var out []int
	entries, _ := os.ReadDir("/proc") // without it there is nothing to find
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || zombie(pid) {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if bytes.Equal(line, []byte("sleep\x00"+s.seconds+"\x00")) {
			out = append(out, pid)
		}
	}
	return out
}

// PID waits for the one process.
func (s Sleeper) PID(t testing.TB) (pid int) {
	t.Helper()
	Eventually(t, "the task's process is there", func() error {
		pids := s.PIDs()
		if len(pids) != 1 {
			return fmt.Errorf("%d processes", len(pids))
		}
		pid = pids[0]
		return nil
	})
	return pid
}

// AwaitEnd waits until there is no such process.
func (s Sleeper) AwaitEnd(t testing.TB) {
	t.Helper()
	Eventually(t, "the task's process has ended", func() error {
		if pids := s.PIDs(); len(pids) != 0 {
			return fmt.Errorf("there is still %v", pids)
		}
		return nil
	})
}

// Limits are what the cgroups of a process allow it.
type Limits struct {
	// Memory is the least limit on the way up, in bytes; MaxInt64 for none.
	Memory int64
	// CPUShares are those of the process's cgroup below the agent's root, in v1's
	// measure; 0 for none.
	CPUShares int64
	// Group is the path of the memory cgroup.
	Group string
}

// LimitsOf reads the limits of a process in cgroups v1 or v2.
func LimitsOf(t testing.TB, pid int, root string) Limits {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatalf("reading the cgroups of the task: %v", err)
	}
	limits := Limits{Memory: math.MaxInt64}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch controllers := fields[1]; {
		case controllers == "memory":
			limits.Group = fields[2]
			limits.Memory = least("/sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes")
		case controllers == "cpu" || controllers == "cpu,cpuacct":
			limits.CPUShares = belowRoot("/sys/fs/cgroup/cpu", fields[2], root, "cpu.shares")
		case controllers == "" && unifiedHasControllers():
			limits.Group = fields[2]
			limits.Memory = least("/sys/fs/cgroup", fields[2], "memory.max")
			if weight := belowRoot("/sys/fs/cgroup", fields[2], root, "cpu.weight"); weight > 0 {
				// The kernel's scale of 1 to 10,000 on that of 2 to 262,144.
				limits.CPUShares = 2 + (weight-1)*262142/9999
			}
		}
	}
	return limits
}

func unifiedHasControllers() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return err == nil
}

// least is the smallest number in a file of a cgroup and those above it.
func least(mount, group, file string) int64 {
	out := int64(math.MaxInt64)
	for ; ; group = filepath.Dir(group) {
		if n, ok := number(filepath.Join(mount, group, file)); ok {
			out = min(out, n)
		}
		if group == "/" || group == "." {
			return out
		}
	}
}

// belowRoot is the number in the first cgroup below root on the way down.
func belowRoot(mount, group, root, file string) int64 {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(group, "/"), root+"/")
	if !ok {
		return 0
	}
	first, _, _ := strings.Cut(rest, "/")
	n, _ := number(filepath.Join(mount, root, first, file))
	return n
}

func number(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// Sandbox returns the directory of the executor of a task, running or not. A
// command's executor has the ID of its task.
func (a *Agent) Sandbox(executor string) string {
	a.t.Helper()
	state := a.Get("/state")
	for _, member := range []string{"frameworks", "completed_frameworks"} {
		for _, framework := range state.At(member).List() {
			for _, kind := range []string{"executors", "completed_executors"} {
				if e := framework.At(kind).Find(executor, "id"); e.Exists() {
					return e.At("directory").Text()
				}
			}
		}
	}
	a.t.Fatalf("/state of %s doesn't know executor %s: %v", a.Name, executor, state)
	return ""
}

// ReadFile reads a file of a sandbox over /files/read.
func (a *Agent) ReadFile(path string) string {
	a.t.Helper()
	return a.Get("/files/read?offset=0&path=" + url.QueryEscape(path)).At("data").Text()
}
