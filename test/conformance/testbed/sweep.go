package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cgroupPrefix begins the names of all cgroup roots of a run.
func cgroupPrefix(runDir string) string { return filepath.Base(runDir) + "-" }

// sweep ends and removes all that a run has left.
func sweep(runDir string) error {
	return errors.Join(sweepAgent(runDir, cgroupPrefix(runDir)+"*"), os.RemoveAll(runDir))
}

// sweepAgent ends the processes that work below dir or in the cgroups, removes
// the cgroups and unmounts what is mounted below dir. It can't tell processes of
// a cgroup that some other program of this machine has moved there.
func sweepAgent(dir, cgroups string) error {
	groups := cgroupsNamed(cgroups)
	var left error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		pids := append(processesBelow(dir), processesIn(groups)...)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
		left = errors.Join(removeCgroups(groups), unmountBelow(dir))
		if len(pids) == 0 && left == nil {
			return nil
		}
		if len(pids) != 0 {
			left = errors.Join(left, fmt.Errorf("processes %v don't end", pids))
		}
	}
	return left
}

// cgroupsNamed finds the cgroups of a name, or a pattern, in all hierarchies.
func cgroupsNamed(name string) []string {
	var groups []string
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(pattern + name) // the patterns are well formed
		groups = append(groups, found...)
	}
	return groups
}

// processesBelow finds processes that execute from dir, work in it, or were told
// of it in their environment. Tests themselves and their parents don't count.
func processesBelow(dir string) []int {
	spared := []int{os.Getpid(), os.Getppid()}
	var out []int
	entries, _ := os.ReadDir("/proc") // without it there is nothing to find
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || slices.Contains(spared, pid) || zombie(pid) {
			continue
		}
		if mentions(pid, dir) {
			out = append(out, pid)
		}
	}
	return out
}

func mentions(pid int, dir string) bool {
	proc := fmt.Sprintf("/proc/%d/", pid)
	for _, link := range []string{"exe", "cwd"} {
		if target, err := os.Readlink(proc + link); err == nil && strings.HasPrefix(target+"/", dir+"/") {
			return true
		}
	}
	environ, _ := os.ReadFile(proc + "environ")
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if _, value, ok := strings.Cut(string(variable), "="); ok && strings.HasPrefix(value+"/", dir+"/") {
			return true
		}
	}
	return false
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

// processesIn lists the processes of cgroups and those below them.
func processesIn(groups []string) []int {
	var out []int
	for _, group := range groups {
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "cgroup.procs" {
				return nil // what vanishes on the way is gone
			}
			text, _ := os.ReadFile(path)
			for line := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(line); err == nil && pid > 1 && pid != os.Getpid() && !zombie(pid) {
					out = append(out, pid)
				}
			}
			return nil
		})
	}
	return out
}

// removeCgroups removes cgroups, the innermost first.
func removeCgroups(groups []string) error {
	var errs []error
	for _, group := range groups {
		var all []string
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				all = append(all, path)
			}
			return nil
		})
		for _, path := range slices.Backward(all) {
			if err := syscall.Rmdir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("removing %s: %w", path, err))
			}
		}
	}
	return errors.Join(errs...)
}

// mountsBelow lists what is mounted below dir in this mount namespace.
func mountsBelow(dir string) (points []string, err error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// unmountBelow unmounts what is mounted below dir in this mount namespace.
func unmountBelow(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, point := range slices.Backward(points) {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}
