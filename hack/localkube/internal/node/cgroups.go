package node

import (
	"os"
	"path/filepath"
	"strings"
)

// cgroups mounts the hierarchies that the host has at the places where the host has
// them. In a cgroup namespace each shows the node's own group as its root.
func (r root) cgroups() error {
	// Read as a whole: the list changes with every mount made below.
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		m := strings.Fields(line) // source, path, type, options
		if len(m) < 4 || !strings.HasPrefix(m[1]+"/", cgroupRoot+"/") {
			continue
		}
		if err := r.cgroup(m[1], m[2], m[3]); err != nil {
			return err
		}
	}
	return r.cgroupLinks()
}

const cgroupRoot = "/sys/fs/cgroup"

func (r root) cgroup(path, kind, options string) error {
	switch kind {
	case "tmpfs":
		return r.tmpfs(path, "mode=755")
	case "cgroup2":
		return r.mount(kind, path, kind, 0, "")
	case "cgroup":
		return r.mount(kind, path, kind, 0, hierarchy(options))
	}
	return nil
}

// hierarchy picks, of a v1 hierarchy's mount options, those that identify it.
func hierarchy(options string) string {
	var keep []string
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children", "seclabel":
			continue
		}
		if strings.HasPrefix(o, "release_agent=") {
			continue
		}
		if strings.HasPrefix(o, "name=") {
			keep = append(keep, "none")
		}
		keep = append(keep, o)
	}
	return strings.Join(keep, ",")
}

// cgroupLinks copies links such as cpu -> cpu,cpuacct.
func (r root) cgroupLinks() error {
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return err
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(cgroupRoot, e.Name()))
		if err != nil {
			continue // not a link
		}
		if err := os.Symlink(target, r.at(filepath.Join(cgroupRoot, e.Name()))); err != nil {
			return err
		}
	}
	return nil
}
