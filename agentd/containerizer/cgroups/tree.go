package cgroups

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// Config says where to look for hierarchies.
type Config struct {
	// Hierarchy is the directory below which they are mounted (flag
	// --cgroups_hierarchy).
	Hierarchy string
	// Proc is the directory in /proc of a process of the mount namespace to
	// look at; empty means the caller's own.
	Proc string
}

// Hierarchy is one mounted cgroup file system.
type Hierarchy struct {
	// Dir is the mount point as the agent reaches it.
	Dir string
	// Inside is the mount point as containers' processes reach it when they
	// are started, before they change their root.
	Inside string
	// Controllers are its controllers, or "name=…" for a named v1 hierarchy.
	Controllers []string
	// Unified is set for v2.
	Unified bool
}

// Tree is the cgroup hierarchies of a machine.
type Tree struct {
	version     Version
	hierarchies []Hierarchy
}

// Detect finds the hierarchies that are mounted.
func Detect(cfg Config) (*Tree, error) {
	proc, root := "/proc/self", ""
	if cfg.Proc != "" {
		proc, root = cfg.Proc, filepath.Join(cfg.Proc, "root")
	}
	f, err := os.Open(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("looking for cgroup hierarchies: %w", err)
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("looking for cgroup hierarchies: %w", err)
	}
	var found []Hierarchy
	for _, m := range mounts {
		if !within(cfg.Hierarchy, m.Mountpoint) {
			continue
		}
		h := Hierarchy{Dir: root + m.Mountpoint, Inside: m.Mountpoint, Unified: m.FSType == "cgroup2"}
		if h.Unified {
			h.Controllers, err = unifiedControllers(h.Dir)
		} else {
			h.Controllers = v1Controllers(m.VFSOptions)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	return NewTree(found)
}

// NewTree makes a tree of hierarchies that are known already, such as
// directories that stand in for them in tests.
func NewTree(hierarchies []Hierarchy) (*Tree, error) {
	if len(hierarchies) == 0 {
		return nil, fmt.Errorf("%w is mounted", ErrNoHierarchy)
	}
	t := &Tree{version: V2}
	seen := map[string]bool{}
	for _, h := range hierarchies {
		key := strings.Join(h.Controllers, ",")
		if h.Unified {
			key = "unified"
		}
		if seen[key] {
			continue // the same hierarchy mounted again
		}
		seen[key] = true
		if !h.Unified {
			t.version = V1
		}
		t.hierarchies = append(t.hierarchies, h)
	}
	slices.SortFunc(t.hierarchies, func(a, b Hierarchy) int { return cmp.Compare(a.Dir, b.Dir) })
	return t, nil
}

// Version is the interface by which limits are set.
func (t *Tree) Version() Version { return t.version }

// Hierarchies returns all of them. The slice must not be changed.
func (t *Tree) Hierarchies() []Hierarchy { return t.hierarchies }

// Has says whether the machine has a controller.
func (t *Tree) Has(controller string) bool {
	_, err := t.hierarchy(controller)
	return err == nil
}

// hierarchy finds the hierarchy of a controller.
func (t *Tree) hierarchy(controller string) (Hierarchy, error) {
	for _, h := range t.hierarchies {
		if slices.Contains(h.Controllers, controller) {
			return h, nil
		}
	}
	return Hierarchy{}, fmt.Errorf("%w: %q", ErrNoController, controller)
}

// Group names the group of a path in all hierarchies. It needn't exist.
func (t *Tree) Group(path string) *Group {
	return &Group{tree: t, path: filepath.Join("/", path)}
}

// List returns the names of the groups directly below a path in any hierarchy,
// sorted. A path that doesn't exist has none.
func (t *Tree) List(path string) ([]string, error) {
	var names []string
	for _, h := range t.hierarchies {
		entries, err := os.ReadDir(filepath.Join(h.Dir, path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("listing cgroups: %w", err)
		}
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// within says whether path is dir or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// v1Controllers picks the controllers out of the mount options of the super block.
func v1Controllers(options string) []string {
	var out []string
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "rw", "ro", "xattr", "clone_children", "noprefix", "none":
		default:
			if !strings.HasPrefix(option, "release_agent=") {
				out = append(out, option)
			}
		}
	}
	return out
}

func unifiedControllers(dir string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil, fmt.Errorf("reading the controllers of cgroup v2: %w", err)
	}
	return strings.Fields(string(data)), nil
}
