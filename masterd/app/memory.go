package app

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A new leader's heap grows from nothing to what all agents and their tasks
// need. Collecting it every time it doubles would walk most of it several times
// for nothing, as nothing of it is garbage; at 20,000 agents that is a third of
// the work of a failover. So the collector rests more while agents come back.
const (
	// comebackPercent is GOGC meanwhile.
	comebackPercent = 400
	// comebackTime is how long: agents spread their return over
	// --registration_backoff_factor, a second, and double that at each retry.
	comebackTime = time.Minute
	// comebackAgents is how many agents it takes to be worth it.
	comebackAgents = 500
	// comebackShare is the part of the memory up to which the collector may
	// rest.
	comebackShare = 0.7
)

// comeback lets the collector rest while agents come back to a new leader, and
// returns a function that ends that at once. Whoever set GOGC or GOMEMLIMIT has
// decided for himself.
func comeback(agents int) func() {
	if agents < comebackAgents || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	limit := memoryLimit()
	if limit == 0 {
		return func() {}
	}
	percent := debug.SetGCPercent(comebackPercent)
	before := debug.SetMemoryLimit(int64(float64(limit) * comebackShare))
	over := sync.OnceFunc(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(before)
	})
	timer := time.AfterFunc(comebackTime, over)
	return func() {
		timer.Stop()
		over()
	}
}

// memoryLimit is what this process may use, in bytes: the least of what its
// cgroup and the machine have, 0 if neither is known.
func memoryLimit() uint64 {
	var least uint64
	for _, read := range []func() uint64{
		func() uint64 { return firstNumber("/sys/fs/cgroup/memory.max", "", 1) },
		func() uint64 { return firstNumber("/sys/fs/cgroup/memory/memory.limit_in_bytes", "", 1) },
		func() uint64 { return firstNumber("/proc/meminfo", "MemTotal:", 1<<10) },
	} {
		if n := read(); n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// firstNumber reads the number that follows a text in a file, 0 if there is
// none, in units.
func firstNumber(path, after string, unit uint64) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), after)
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil || n > 1<<62/unit {
		return 0 // "max" of a cgroup without a limit, for one
	}
	return n * unit
}
