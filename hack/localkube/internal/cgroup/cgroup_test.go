package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []Hierarchy
	}{
		"v2": {
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate",
			[]Hierarchy{{Path: "/sys/fs/cgroup", V2: true}},
		},
		"v1 with joined controllers, a named hierarchy, and unified": {
			`24 23 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
25 24 0:21 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
26 24 0:22 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd
27 24 0:23 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
			[]Hierarchy{
				{Path: "/sys/fs/cgroup/cpu,cpuacct", Options: []string{"cpu", "cpuacct"}},
				{Path: "/sys/fs/cgroup/systemd", Options: []string{"name=systemd"}},
				{Path: "/sys/fs/cgroup/unified", V2: true},
			},
		},
		"a container's copy does not count": {
			"99 24 0:21 / /run/x/rootfs/sys/fs/cgroup rw - cgroup2 cgroup rw", nil,
		},
		"broken lines are skipped": {"\n1 2 3\n - cgroup\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(strings.NewReader(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("parse (-want +got):\n%s", d)
			}
		})
	}
}

func TestJoinAndRemove(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("making cgroups needs root")
	}
	group := fmt.Sprintf("localkube-test-%d", os.Getpid())
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := Remove(group, 5*time.Second); err != nil {
			t.Error(err)
		}
		if dirs, _ := Dirs(group); len(dirs) > 0 {
			t.Errorf("left behind: %v", dirs)
		}
	})
	if err := Join(group+"/inner", cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	pids, err := Procs(group)
	if err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
		t.Errorf("Procs() = %v, %v; want the joined process", pids, err)
	}
	hs, _ := Mounted()
	if dirs, _ := Dirs(group); len(dirs) != 2*len(hs) {
		t.Errorf("%d groups in %d hierarchies: %v", len(dirs), len(hs), dirs)
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", cmd.Process.Pid))
	for line := range strings.Lines(string(b)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "/"+group+"/inner") {
			t.Errorf("not moved in hierarchy %s", line)
		}
	}
}
