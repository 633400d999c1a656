package cgroups

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Group is one path in all hierarchies.
type Group struct {
	tree *Tree
	path string
}

// Path is the group's path below the mount points, beginning with a slash.
func (g *Group) Path() string { return g.path }

// Tree returns the hierarchies that the group is in.
func (g *Group) Tree() *Tree { return g.tree }

// Child names a group below this one.
func (g *Group) Child(name string) *Group { return g.tree.Group(filepath.Join(g.path, name)) }

// Create makes the group and its ancestors in all hierarchies, ready for
// processes. One that exists is taken as it is.
func (g *Group) Create() error {
	for _, h := range g.tree.hierarchies {
		if err := g.createIn(h); err != nil {
			return fmt.Errorf("creating cgroup %s: %w", g.path, err)
		}
	}
	return nil
}

func (g *Group) createIn(h Hierarchy) error {
	dir := h.Dir
	for name := range strings.SplitSeq(strings.Trim(g.path, "/"), "/") {
		if h.Unified && g.tree.version == V2 {
			if err := delegate(dir, h.Controllers); err != nil {
				return err
			}
		}
		parent := dir
		dir = filepath.Join(dir, name)
		if err := mkdir(dir); err != nil {
			return err
		}
		if slices.Contains(h.Controllers, "cpuset") && !h.Unified {
			if err := inheritCPUSet(parent, dir); err != nil {
				return err
			}
		}
	}
	if h.Unified && g.tree.version == V2 {
		return mkdir(filepath.Join(dir, Leaf))
	}
	return nil
}

func mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// delegate lets the children of a v2 group have controllers. Each is switched on by
// itself: one that can't be, such as cpu with realtime processes about, is
// missed only by who needs it.
func delegate(dir string, controllers []string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	have := strings.Fields(string(data))
	for _, c := range controllers {
		if !slices.Contains(have, c) {
			_ = writeFile(file, "+"+c)
		}
	}
	return nil
}

// inheritCPUSet gives a new v1 cpuset what its parent has: without CPUs and
// memory nodes no process may join it.
func inheritCPUSet(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		if strings.TrimSpace(string(have)) != "" {
			continue
		}
		theirs, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, file), strings.TrimSpace(string(theirs))); err != nil {
			return err
		}
	}
	return nil
}

// Exists says whether the group exists in any hierarchy.
func (g *Group) Exists() bool {
	return slices.ContainsFunc(g.tree.hierarchies, func(h Hierarchy) bool {
		_, err := os.Stat(g.dir(h))
		return err == nil
	})
}

func (g *Group) dir(h Hierarchy) string { return filepath.Join(h.Dir, g.path) }

// ProcsFiles are the files into which a process writes its ID to join the
// group in every hierarchy, as named in the containers' mount namespace.
func (g *Group) ProcsFiles() []string {
	files := make([]string, 0, len(g.tree.hierarchies))
	for _, h := range g.tree.hierarchies {
		files = append(files, filepath.Join(h.Inside, g.path, g.leaf(h), "cgroup.procs"))
	}
	return files
}

// leaf is the child that has the processes, if any.
func (g *Group) leaf(h Hierarchy) string {
	if h.Unified && g.tree.version == V2 {
		return Leaf
	}
	return ""
}

// Join moves a process into the group in every hierarchy.
func (g *Group) Join(pid int) error {
	for _, h := range g.tree.hierarchies {
		file := filepath.Join(g.dir(h), g.leaf(h), "cgroup.procs")
		if err := writeFile(file, strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("moving process %d to cgroup %s: %w", pid, g.path, err)
		}
	}
	return nil
}

// Processes returns the processes of the group and of those below it, in any
// hierarchy, sorted.
func (g *Group) Processes() ([]int, error) {
	var pids []int
	for _, h := range g.tree.hierarchies {
		err := walk(g.dir(h), func(dir string) error {
			in, err := processesIn(dir)
			pids = append(pids, in...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("listing the processes of cgroup %s: %w", g.path, err)
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

func processesIn(dir string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, ignoreGone(err)
	}
	var pids []int
	for field := range strings.FieldsSeq(string(data)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		if pid != 0 { // a process outside of our PID namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Count returns how many processes and threads the group has, with those below it.
func (g *Group) Count() (processes, threads int, err error) {
	h := g.tree.hierarchies[0]
	err = walk(g.dir(h), func(dir string) error {
		for file, n := range map[string]*int{"cgroup.procs": &processes, threadsFile(h): &threads} {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err := ignoreGone(err); err != nil {
				return err
			}
			*n += len(strings.Fields(string(data)))
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("counting the processes of cgroup %s: %w", g.path, err)
	}
	return processes, threads, nil
}

func threadsFile(h Hierarchy) string {
	if h.Unified {
		return "cgroup.threads"
	}
	return "tasks"
}

// walk calls visit for a group's directory and all below it, children first.
// What disappears meanwhile is passed by.
func walk(dir string, visit func(dir string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreGone(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := walk(filepath.Join(dir, e.Name()), visit); err != nil {
				return err
			}
		}
	}
	return visit(dir)
}
