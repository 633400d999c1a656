// Package cgroup puts localkube's processes into control groups of their own, on
// cgroup v1 (every controller its own hierarchy), v2 and the mixture of both, and
// finds and removes those groups afterwards.
//
// On v1 a process must be moved in every hierarchy: the kubelet refuses to work
// where the cpu and the memory path of its own process differ, and a runtime that
// tears a container down kills whatever is left in any one of them.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hierarchy is one mounted cgroup file system.
type Hierarchy struct {
	// Path is the mount point.
	Path string
	// Options are the super block's options that name v1 controllers
	// ("cpu", "cpuacct", "name=systemd"); empty on v2.
	Options []string
	// V2 tells the unified hierarchy from a v1 one.
	V2 bool
}

// Mounted returns the hierarchies mounted on this machine.
func Mounted() ([]Hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("listing cgroup hierarchies: %w", err)
	}
	defer f.Close()
	hs, err := parse(f)
	if err == nil && len(hs) == 0 {
		err = errors.New("no cgroup file system is mounted")
	}
	return hs, err
}

// parse reads the format of proc_pid_mountinfo(5):
//
//	36 35 98:0 /root /mount/point rw,noatime shared:1 - cgroup cgroup rw,cpu
//
// Only mounts under /sys/fs/cgroup count: others are copies in containers' roots.
func parse(r io.Reader) ([]Hierarchy, error) {
	var hs []Hierarchy
	s := bufio.NewScanner(r)
	for s.Scan() {
		left, right, ok := strings.Cut(s.Text(), " - ")
		l, rr := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(rr) < 3 || !strings.HasPrefix(rr[0], "cgroup") {
			continue
		}
		if l[4] != "/sys/fs/cgroup" && !strings.HasPrefix(l[4], "/sys/fs/cgroup/") {
			continue
		}
		h := Hierarchy{Path: l[4], V2: rr[0] == "cgroup2"}
		if !h.V2 {
			h.Options = controllers(rr[2])
		}
		hs = append(hs, h)
	}
	return hs, s.Err()
}

// controllers drops the options that aren't controllers or the hierarchy's name.
func controllers(super string) []string {
	other := []string{"rw", "ro", "none", "noprefix", "clone_children", "xattr", "cpuset_v2_mode"}
	return slices.DeleteFunc(strings.Split(super, ","), func(o string) bool {
		return slices.Contains(other, o) || strings.HasPrefix(o, "release_agent=")
	})
}

// Join moves process pid into the group name (a path such as "localkube/node1")
// of every hierarchy, making the group where it is missing.
func Join(name string, pid int) error {
	hs, err := Mounted()
	if err != nil {
		return err
	}
	for _, h := range hs {
		if err := h.join(name, pid); err != nil {
			return fmt.Errorf("joining cgroup %s: %w", name, err)
		}
	}
	return nil
}

func (h Hierarchy) join(name string, pid int) error {
	dir := h.Path
	for elem := range strings.SplitSeq(name, "/") {
		if h.V2 {
			delegate(dir)
		}
		parent := dir
		dir = filepath.Join(dir, elem)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := h.inheritCpuset(parent, dir); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// delegate lets children of a v2 group use its controllers. A controller may be
// taken by a v1 hierarchy or refused by the kernel: one that can't be had is left out.
func delegate(dir string) {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for _, c := range strings.Fields(string(b)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
}

// inheritCpuset copies the parent's processors and memory nodes: on v1 a new
// cpuset group has none and refuses processes.
func (h Hierarchy) inheritCpuset(parent, dir string) error {
	if !slices.Contains(h.Options, "cpuset") {
		return nil
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0); err != nil {
			return err
		}
	}
	return nil
}

// DelegateRoot prepares the root of a cgroup namespace for a kubelet on v2: the
// process moves itself to a leaf, because a group with processes of its own can't
// hand controllers to children.
func DelegateRoot(leaf string) error {
	hs, err := Mounted()
	if err != nil {
		return err
	}
	for _, h := range hs {
		if !h.V2 {
			continue
		}
		dir := filepath.Join(h.Path, leaf)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
		delegate(h.Path)
	}
	return nil
}

// Dirs returns every existing folder of the group name and below, in all
// hierarchies, children before parents.
func Dirs(name string) ([]string, error) {
	hs, err := Mounted()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range hs {
		err := filepath.WalkDir(filepath.Join(h.Path, name), func(p string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed while we look
			}
			if err == nil && e.IsDir() {
				dirs = append(dirs, p)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("walking cgroup %s: %w", name, err)
		}
	}
	slices.Reverse(dirs)
	return dirs, nil
}

// Procs returns the processes in the group name and below.
func Procs(name string) ([]int, error) {
	dirs, err := Dirs(name)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, dir := range dirs {
		b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// Remove removes the group name and everything below it. The kernel lets go of a
// group some time after its last process has ended, so it tries until the limit.
func Remove(name string, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		dirs, err := Dirs(name)
		if err != nil || len(dirs) == 0 {
			return err
		}
		var last error
		for _, d := range dirs {
			if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				last = err
			}
		}
		if last != nil && time.Now().After(deadline) {
			return fmt.Errorf("removing cgroup %s: %w", name, last)
		}
	}
}
