package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// clockTicks is USER_HZ, the same on all architectures of Linux that Go knows.
const clockTicks = 100

// cpuSeconds is the processor time of a process so far, without its children's.
func cpuSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // the kernel writes numbers
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / clockTicks
}

// used is the processor time in seconds, by who used it. That of the containers, of
// executors and stages too, is what the kernel counts for their cgroups, which on a
// machine with cgroup v2 has to be turned on.
func (h *house) used() map[string]float64 {
	out := map[string]float64{"agent": cpuSeconds(h.agent.PID()), "master": cpuSeconds(h.Master().PID())}
	if text, err := os.ReadFile("/sys/fs/cgroup/cpuacct/" + h.agent.CgroupsRoot + "/cpuacct.usage"); err == nil {
		nanoseconds, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // the kernel writes numbers
		out["containers"] = float64(nanoseconds) / 1e9
	}
	return out
}

// private is the memory in bytes that would be free without the process.
func private(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	sum := 0
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "Private_") {
			n, _ := strconv.Atoi(f[1])
			sum += n << 10
		}
	}
	return sum
}

// command is the name of what a process executes: "sleep", or for the agent's own
// programs the role that they are in.
func command(pid int) string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	args := bytes.Split(line, []byte{0})
	name := filepath.Base(string(args[0]))
	if (strings.HasPrefix(name, "agentd") || strings.HasPrefix(name, "executord")) && len(args) > 1 {
		return string(args[1])
	}
	return name
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

// memory is what a crowd costs, in bytes: of executors and stages the largest, of a
// task all but the agent.
type memory struct{ agent, executor, stage, task int }

func (h *house) measure() memory {
	m := memory{agent: private(h.agent.PID())}
	all := 0
	for _, pid := range descendants(h.agent.PID()) {
		bytes := private(pid)
		all += bytes
		switch command(pid) {
		case "executor":
			m.executor = max(m.executor, bytes)
		case "launch":
			m.stage = max(m.stage, bytes)
		}
	}
	m.task = all / max(len(h.tasks), 1)
	return m
}

// descendants are the processes below one.
func descendants(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1]) // the kernel writes numbers
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			children[parent] = append(children[parent], pid)
		}
	}
	var out []int
	for queue := children[root]; len(queue) > 0; queue = queue[1:] {
		out = append(out, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return out
}
