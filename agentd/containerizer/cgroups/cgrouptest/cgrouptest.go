// Package cgrouptest provides cgroups for tests: directories that stand in for
// the kernel's, and real groups that are removed again. Only tests import it.
package cgrouptest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
)

// Hierarchy is where hierarchies are mounted on the machines that we know.
const Hierarchy = "/sys/fs/cgroup"

// FakeV2 is a cgroup v2 tree of plain files in which the group of path exists
// with the given files.
func FakeV2(t testing.TB, path string, files map[string]string) *cgroups.Group {
	t.Helper()
	dir := t.TempDir()
	controllers := []string{"cpu", "memory", "pids"}
	for at := path; ; at = filepath.Dir(at) {
		write(t, filepath.Join(dir, at, "cgroup.subtree_control"), "")
		write(t, filepath.Join(dir, at, "cgroup.procs"), "")
		if at == "/" {
			break
		}
	}
	return fake(t, path, files, map[string]string{"": dir},
		cgroups.Hierarchy{Dir: dir, Inside: dir, Controllers: controllers, Unified: true})
}

// FakeV1 is FakeV2 for v1: one hierarchy for each controller named. Files have
// names such as "memory/memory.stat".
func FakeV1(t testing.TB, path string, files map[string]string, controllers ...string) *cgroups.Group {
	t.Helper()
	dirs := map[string]string{}
	var hierarchies []cgroups.Hierarchy
	for _, c := range controllers {
		dir := t.TempDir()
		dirs[c] = dir
		write(t, filepath.Join(dir, path, "cgroup.procs"), "")
		hierarchies = append(hierarchies, cgroups.Hierarchy{Dir: dir, Inside: dir, Controllers: []string{c}})
	}
	return fake(t, path, files, dirs, hierarchies...)
}

func fake(t testing.TB, path string, files, dirs map[string]string, hs ...cgroups.Hierarchy) *cgroups.Group {
	t.Helper()
	for name, text := range files {
		controller, file := filepath.Split(name)
		write(t, filepath.Join(dirs[filepath.Clean("/" + controller)[1:]], path, file), text)
	}
	tree, err := cgroups.NewTree(hs)
	if err != nil {
		t.Fatal(err)
	}
	return tree.Group(path)
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Root returns the machine's tree and the name of a root group for the test,
// which is destroyed at its end with all that is in it; what is found there is
// a leak and fails the test. The test is skipped if it may not make groups.
func Root(t testing.TB) (*cgroups.Tree, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes cgroups")
	}
	tree, err := cgroups.Detect(cgroups.Config{Hierarchy: Hierarchy})
	if err != nil {
		t.Skipf("needs cgroups: %v", err)
	}
	root := fmt.Sprintf("mesos-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	if err := tree.Group(root).Create(); err != nil {
		t.Skipf("needs cgroups that can be written: %v", err)
	}
	t.Cleanup(func() {
		left, err := tree.List(root)
		if err != nil {
			t.Error(err)
		}
		for _, name := range left {
			if name != cgroups.Leaf {
				t.Errorf("cgroup %s was leaked", filepath.Join(root, name))
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := tree.Group(root).Destroy(ctx); err != nil {
			t.Error(err)
		}
	})
	return tree, root
}
