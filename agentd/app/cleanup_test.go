package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
)

func TestCleanupRefusesNonsense(t *testing.T) {
	for name, f := range map[string]CleanupFlags{
		"root":          {WorkDir: "/"},
		"relative":      {WorkDir: "work"},
		"disguised":     {RuntimeDir: "/tmp/.."},
		"whole machine": {CgroupsRoot: "/", CgroupsHierarchy: "/sys/fs/cgroup"},
		"above":         {CgroupsRoot: "../..", CgroupsHierarchy: "/sys/fs/cgroup"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Cleanup(t.Context(), f, logr.Discard()); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestCleanupRemovesDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"work/slaves/x", "run/containers"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := CleanupFlags{WorkDir: filepath.Join(dir, "work"), RuntimeDir: filepath.Join(dir, "run")}
	for range 2 { // it can be repeated
		if err := Cleanup(t.Context(), f, logr.Discard()); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestCleanupOfRealThings needs root: it has a process in a cgroup and a mount below
// the work directory.
func TestCleanupOfRealThings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for cgroups and mounts")
	}
	tree, err := cgroups.Detect(cgroups.Config{Hierarchy: "/sys/fs/cgroup"})
	if err != nil {
		t.Skip("no cgroups here:", err)
	}
	root := "agentd_cleanup_test_" + strconv.Itoa(os.Getpid())
	group := tree.Group(root).Child("container")
	if err := group.Create(); err != nil {
		t.Skip("cgroups can't be made here:", err)
	}
	t.Cleanup(func() { _ = tree.Group(root).Destroy(context.Background()) })
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleep.Process.Kill() })
	if err := group.Join(sleep.Process.Pid); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	mount := filepath.Join(work, "with space", "mount")
	if err := os.MkdirAll(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, ""); err != nil {
		t.Skip("mounts can't be made here:", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mount, unix.MNT_DETACH) })
	killed := make(chan error, 1)
	go func() { killed <- sleep.Wait() }()

	err = Cleanup(t.Context(), CleanupFlags{
		WorkDir: work, CgroupsRoot: root, CgroupsHierarchy: "/sys/fs/cgroup", Timeout: 20 * time.Second,
	}, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-killed:
	case <-time.After(10 * time.Second):
		t.Error("the process lives")
	}
	if tree.Group(root).Exists() {
		t.Error("the cgroup is there")
	}
	if _, err := os.Stat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the work directory is there:", err)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`/a\040b`: "/a b", `/plain`: "/plain", `/a\`: `/a\`, `/a\9`: `/a\9`} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%q) = %q, want %q", in, got, want)
		}
	}
}
