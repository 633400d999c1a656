package testbed

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endInOrder has a healthy agent end all that it runs, and then itself, as operators
// do by SIGUSR1, and fails the test for what is left: processes, cgroups, mounts,
// sockets of switchboards. A namespace needs one of these to exist. Agents that are
// dead, stopped or out of reach by the end of their test are ended by force instead.
func (a *Agent) endInOrder() {
	if a.cmd == nil || !a.Running() || a.t.Failed() || !a.healthy() {
		return
	}
	standalone := a.standalone()
	a.Signal(syscall.SIGUSR1)
	select {
	case <-a.ended:
	case <-time.After(Patience):
		a.t.Errorf("%s doesn't end what it runs", a.Name)
		return
	}
	if standalone {
		return // no shutdown ends those, as in Mesos
	}
	if err := a.Leaks(); err != nil {
		a.t.Errorf("%s leaves behind: %v", a.Name, err)
	}
}

// healthy asks once, with little time: the agent may be stopped.
func (a *Agent) healthy() bool {
	client := http.Client{Transport: noRedirects.Transport, Timeout: 2 * time.Second}
	request, err := http.NewRequest(http.MethodGet, a.URL("/health"), nil)
	if err != nil {
		return false
	}
	request.Header = a.Header(nil)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK
}

// standalone says whether the agent has standalone containers.
func (a *Agent) standalone() bool {
	entries, err := os.ReadDir(filepath.Join(a.WorkDir, "containers"))
	return err == nil && len(entries) > 0
}

// Leaks tells what there is of an agent that has ended, and of its containers.
func (a *Agent) Leaks() error {
	groups := cgroupsNamed(a.CgroupsRoot)
	var errs []error
	for _, pid := range slices.Compact(slices.Sorted(slices.Values(append(processesBelow(a.Dir), processesIn(groups)...)))) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // one that just ends has none
		errs = append(errs, fmt.Errorf("process %d: %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
	}
	for _, group := range groups {
		errs = append(errs, below(group, func(path string, entry fs.DirEntry) bool {
			// cgroups v2 have the agent's own leaf.
			return entry.IsDir() && path != group && entry.Name() != "agent" && entry.Name() != "leaf"
		}))
	}
	points, err := mountsBelow(a.Dir)
	for _, point := range points {
		errs = append(errs, fmt.Errorf("mount %s", point))
	}
	errs = append(errs, err, below(filepath.Join(a.Dir, "run"), func(_ string, entry fs.DirEntry) bool {
		return entry.Type()&(fs.ModeSocket|fs.ModeSymlink) != 0
	}))
	return errors.Join(errs...)
}

// below is an error that names the entries that match.
func below(dir string, match func(path string, entry fs.DirEntry) bool) error {
	var errs []error
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && match(path, entry) {
			errs = append(errs, errors.New(path))
		}
		return nil // what vanishes on the way is gone
	})
	return errors.Join(errs...)
}

// Holdings are what a process holds of its own.
type Holdings struct {
	// Descriptors are its open files by kind: "socket", "pidfd", "mnt" for a mount
	// namespace, "/dev/null", and so on.
	Descriptors map[string]int
	// Goroutines are those of a daemon.
	Goroutines int
	// Heap is the memory in bytes that its live objects took when they were last
	// collected: half of what lets the collector run again.
	Heap int
}

// Holdings counts what the daemon holds. The connection that asks is counted too.
func (p *Process) Holdings() Holdings {
	p.t.Helper()
	h := Holdings{Descriptors: map[string]int{}}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID()))
	if err != nil || len(links) == 0 {
		p.t.Fatalf("listing the descriptors of %s: %v", p.Name, err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			h.Descriptors[kindOf(target)]++
		}
	}
	h.Goroutines = int(p.gauge("go_goroutines"))
	h.Heap = int(p.gauge("go_memstats_next_gc_bytes") / 2)
	return h
}

// kindOf is "socket" of "socket:[123]", "[pidfd]" of "anon_inode:[pidfd]", and a path as it is.
func kindOf(target string) string {
	if kind, rest, ok := strings.Cut(target, ":"); ok && kind == "anon_inode" {
		return rest
	} else if ok && strings.HasPrefix(rest, "[") {
		return kind
	}
	return target
}

// gauge is a number in the Prometheus form.
func (p *Process) gauge(name string) float64 {
	p.t.Helper()
	answer := Do(p.t, http.MethodGet, p.URL("/metrics"), p.Header(nil), nil)
	for line := range strings.Lines(answer.Text()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				p.t.Fatalf("metric %s: %v", name, err)
			}
			return n
		}
	}
	p.t.Fatalf("%s has no metric %s: %d", p.Name, name, answer.Status)
	return 0
}

// More tells in which kinds h has more than before. Connections come and go with those
// who ask, so a few sockets and goroutines are not told of.
func (h Holdings) More(before Holdings) error {
	const passing = 4
	var errs []error
	for _, kind := range slices.Sorted(maps.Keys(h.Descriptors)) {
		few := 0
		if kind == "socket" {
			few = passing
		}
		if now, then := h.Descriptors[kind], before.Descriptors[kind]; now > then+few {
			errs = append(errs, fmt.Errorf("%d descriptors of %s, before %d", now, kind, then))
		}
	}
	if h.Goroutines > before.Goroutines+2*passing {
		errs = append(errs, fmt.Errorf("%d goroutines, before %d", h.Goroutines, before.Goroutines))
	}
	return errors.Join(errs...)
}
