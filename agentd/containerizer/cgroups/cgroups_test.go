package cgroups_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
)

func TestDetect(t *testing.T) {
	tests := map[string]struct {
		mountinfo string
		version   cgroups.Version
		want      []string // mount point: controllers
		err       error
	}{
		"v1 with comounted controllers and a unified hierarchy": {
			mountinfo: `30 1 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:27 / /sys/fs/cgroup/again rw - cgroup cgroup rw,xattr,name=systemd
35 30 0:29 / /elsewhere/memory rw - cgroup cgroup rw,memory`,
			version: cgroups.V1,
			want:    []string{"/sys/fs/cgroup/cpu,cpuacct: cpu cpuacct", "/sys/fs/cgroup/systemd: name=systemd", "/sys/fs/cgroup/unified: "},
		},
		"v2": {
			mountinfo: `31 30 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw`,
			version:   cgroups.V2,
			want:      []string{"/sys/fs/cgroup: cpu memory"},
		},
		"none": {
			mountinfo: `30 1 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw`,
			err:       cgroups.ErrNoHierarchy,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			proc := t.TempDir()
			write(t, filepath.Join(proc, "mountinfo"), test.mountinfo+"\n")
			write(t, filepath.Join(proc, "root/sys/fs/cgroup/cgroup.controllers"), "cpu memory\n")
			write(t, filepath.Join(proc, "root/sys/fs/cgroup/unified/cgroup.controllers"), "")
			tree, err := cgroups.Detect(cgroups.Config{Hierarchy: "/sys/fs/cgroup", Proc: proc})
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			var got []string
			for _, h := range tree.Hierarchies() {
				if h.Dir != filepath.Join(proc, "root", h.Inside) {
					t.Errorf("reached as %s", h.Dir)
				}
				got = append(got, h.Inside+": "+strings.Join(h.Controllers, " "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if tree.Version() != test.version {
				t.Errorf("version %v", tree.Version())
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestParseStat(t *testing.T) {
	got := cgroups.ParseStat([]byte("cache 4096\nhuge 99999999999999999999999\nlimit max\n\nMem 0: 7\nx -1\n"))
	want := cgroups.Stat{"cache": 4096, "huge": 1<<64 - 1, "limit": 1<<64 - 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("cache 4096\n"))
	f.Fuzz(func(_ *testing.T, data []byte) { cgroups.ParseStat(data) })
}

// On v2 the group has its limits and the leaf its processes, and the ancestors
// pass on every controller.
func TestCreateV2(t *testing.T) {
	g := cgrouptest.FakeV2(t, "/mesos/c1", nil)
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	dir := g.Tree().Hierarchies()[0].Dir
	if diff := cmp.Diff([]string{dir + "/mesos/c1/leaf/cgroup.procs"}, g.ProcsFiles()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{"/": "+pids", "/mesos": "+pids", "/mesos/c1": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, path, "cgroup.subtree_control")); err != nil || string(got) != want {
			t.Errorf("%s passes on %q, error %v", path, got, err)
		}
	}
	if _, err := os.Stat(dir + "/mesos/c1/leaf"); err != nil {
		t.Error(err)
	}
}

func TestMissing(t *testing.T) {
	g := cgrouptest.FakeV1(t, "/mesos/c1", map[string]string{"cpu/cpu.shares": "1024\n"}, "cpu")
	if _, err := g.Read("memory", "memory.stat"); !errors.Is(err, cgroups.ErrNoController) {
		t.Errorf("controller that is not there: %v", err)
	}
	if err := g.Write("cpu", "cpu.cfs_quota_us", "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file that is not there: %v", err)
	}
	if v, err := g.ReadUint("cpu", "cpu.shares"); err != nil || v != 1024 {
		t.Errorf("shares %v, error %v", v, err)
	}
	gone := g.Tree().Group("/mesos/c2")
	if pids, err := gone.Processes(); err != nil || len(pids) > 0 {
		t.Errorf("processes %v, error %v", pids, err)
	}
	if err := gone.Destroy(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestRootDestroy(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	g := tree.Group(root + "/c1")
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", "read go; (sleep 60 & setsid sleep 60) & while :; do sleep 0.001 & done")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := g.Join(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("go\n"))
	// It forks as fast as it can.
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if p, _, err := g.Count(); err != nil || p > 3 {
			break
		}
	}

	of, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(of)) {
		if !strings.Contains(line, ":"+g.Path()) {
			t.Errorf("not in this hierarchy: %s", line)
		}
	}
	if names, err := tree.List(root); err != nil || !cmp.Equal(names, []string{"c1"}) && tree.Version() == cgroups.V1 {
		t.Errorf("groups %v, error %v", names, err)
	}
	if p, _, err := g.Count(); err != nil || p < 3 {
		t.Errorf("%d processes, error %v", p, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.Destroy(ctx); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if g.Exists() {
		t.Error("the group still exists")
	}
}

// A container's processes that somebody froze still die.
func TestRootDestroyFrozen(t *testing.T) {
	tree, root := cgrouptest.Root(t)
	if !tree.Has("freezer") {
		t.Skip("needs the v1 freezer")
	}
	g := tree.Group(root + "/c1")
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Join(cmd.Process.Pid), g.Write("freezer", "freezer.state", "FROZEN")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.Destroy(ctx); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}
