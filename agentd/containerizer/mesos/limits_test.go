package mesos

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/posix/rlimits"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime/posix"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// privileged runs a test on the variants with cgroups.
func privileged(t *testing.T, test func(t *testing.T, cfg Config)) {
	for _, v := range variants[1:] {
		t.Run(v.name, func(t *testing.T) { test(t, config(t, v)) })
	}
}

func scalar(name string, v float64) *mesos.Resource {
	return &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
}

// files reads what the kernel holds of a container's limits.
func files(t *testing.T, m *Containerizer, id containerizer.ID) map[string]string {
	t.Helper()
	g := m.tree.Group(m.groupPath(id))
	names := map[string]string{"cpu.shares": "cpu", "cpu.cfs_quota_us": "cpu", "memory.limit_in_bytes": "memory", "memory.soft_limit_in_bytes": "memory"}
	if m.tree.Version() == cgroups.V2 {
		names = map[string]string{"cpu.weight": "cpu", "cpu.max": "cpu", "memory.max": "memory", "memory.low": "memory"}
	}
	out := map[string]string{}
	for file, controller := range names {
		v, err := g.Read(controller, file)
		if err != nil {
			t.Fatal(err)
		}
		out[file] = v
	}
	return out
}

func TestLimits(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		cfg.CPU.EnableCFS = true
		m := agent(t, cfg)
		if m.tree.Version() != cgroups.V1 {
			t.Skip("the expectations are of cgroup v1")
		}
		c := sh(t, cfg, "c1", "echo up > up; sleep 60")
		launch(t, m, c)
		waitFor(t, c, "up")
		expect := func(want map[string]string) {
			t.Helper()
			got := files(t, m, c.ID)
			for file, v := range want {
				if got[file] != v {
					t.Errorf("%s is %s, want %s", file, got[file], v)
				}
			}
		}
		expect(map[string]string{"cpu.shares": "512", "cpu.cfs_quota_us": "50000",
			"memory.limit_in_bytes": "67108864", "memory.soft_limit_in_bytes": "67108864"})

		// More is given at once; memory is not taken away.
		err := m.Update(deadline(t), c.ID, []*mesos.Resource{scalar("cpus", 1), scalar("mem", 128)},
			map[string]*mesos.Value_Scalar{"cpus": {Value: new(2.0)}, "mem": {Value: new(256.0)}})
		if err != nil {
			t.Fatal(err)
		}
		expect(map[string]string{"cpu.shares": "1024", "cpu.cfs_quota_us": "200000",
			"memory.limit_in_bytes": "268435456", "memory.soft_limit_in_bytes": "134217728"})
		if err := m.Update(deadline(t), c.ID, []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)}, nil); err != nil {
			t.Fatal(err)
		}
		expect(map[string]string{"cpu.shares": "102", "cpu.cfs_quota_us": "10000",
			"memory.limit_in_bytes": "268435456", "memory.soft_limit_in_bytes": "33554432"})

		u, err := m.Usage(deadline(t), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if u.GetCpusLimit() != 0.1 || u.GetCpusSoftLimit() != 0.1 || u.GetMemLimitBytes() != 32<<20 ||
			u.CpusUserTimeSecs == nil || u.CpusNrPeriods == nil || u.GetMemTotalBytes() == 0 || u.MemLowPressureCounter == nil {
			t.Errorf("usage %v", u)
		}
		if err := m.Update(deadline(t), c.ID, []*mesos.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
			map[string]*mesos.Value_Scalar{"cpus": {Value: new(math.Inf(1))}, "mem": {Value: new(math.Inf(1))}}); err != nil {
			t.Fatal(err)
		}
		expect(map[string]string{"cpu.cfs_quota_us": "-1", "memory.limit_in_bytes": "9223372036854771712"})
	})
}

// The agent's own group weighs what it is told, and else what groups weigh.
func TestRootWeight(t *testing.T) {
	for weight, want := range map[float64]string{0: "1024", 2.5: "2560"} {
		cfg := config(t, variant{"", rooted})
		cfg.Weight = weight
		m := agent(t, cfg)
		if m.tree.Version() != cgroups.V1 {
			t.Skip("the expectations are of cgroup v1")
		}
		if got, err := m.tree.Group(cfg.CgroupsRoot).Read("cpu", "cpu.shares"); err != nil || got != want {
			t.Errorf("weight %v: %s, error %v", weight, got, err)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "head -c 200000000 /dev/zero | tail -c 190000000 | wc -c; sleep 60")
		launch(t, m, c)
		end := wait(t, m, c.ID)
		if len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY ||
			end.State == nil || *end.State != mesos.TaskState_TASK_FAILED ||
			!strings.HasPrefix(end.Message, "Memory limit exceeded: Requested: 64MB Maximum Used: ") {
			t.Fatalf("ended %+v", end)
		}
		if used := end.LimitedResources[0]; used.GetName() != "mem" || used.GetScalar().GetValue() < 60 {
			t.Errorf("limited %v", used)
		}
	})
}

// Memory that ran out while there was no agent is told by the next one.
func TestOutOfMemoryMeanwhile(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		c := sh(t, cfg, "c1", "while ! test -e stop; do sleep 0.01; done; head -c 200000000 /dev/zero | tail -c 190000000; echo up > up; sleep 60")
		killedAgent(t, cfg, c)
		stop(t, c)
		waitFor(t, c, "up")
		m := agent(t, cfg)
		if _, err := m.Recover(deadline(t), []containerizer.Recovered{{Config: c}}); err != nil {
			t.Fatal(err)
		}
		if end := wait(t, m, c.ID); len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY {
			t.Fatalf("ended %+v", end)
		}
	})
}

// Every process is in the container's group in every hierarchy: one that is left
// out of one would die with the agent's pod.
func TestHierarchies(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "cat /proc/self/cgroup > groups; echo up > up; sleep 60")
		launch(t, m, c)
		waitFor(t, c, "up")
		for line := range strings.Lines(read(t, c, "groups")) {
			if !strings.Contains(line, ":"+m.groupPath(c.ID)) {
				t.Errorf("elsewhere: %s", line)
			}
		}
	})
}

func TestUser(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		dir, err := os.MkdirTemp("/tmp", "containerizer") // others may not enter t.TempDir
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cfg.WorkDir, cfg.Isolation = dir, append(cfg.Isolation, rlimits.Name)
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "id -un; id -gn; ulimit -n; grep CapEff /proc/self/status; touch mine")
		c.User = "nobody"
		c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), RlimitInfo: &mesos.RLimitInfo{Rlimits: []*mesos.RLimitInfo_RLimit{
			{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE.Enum(), Soft: new(uint64(77)), Hard: new(uint64(99))}}}}
		if err := os.Chown(c.Sandbox, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		launch(t, m, c)
		end := wait(t, m, c.ID)
		if out, want := read(t, c, "stdout"), "nobody\nnogroup\n77\nCapEff:\t0000000000000000\n"; out != want || end.Status.ExitStatus() != 0 {
			t.Errorf("stdout %q, want %q; ended %+v, stderr %s", out, want, end, read(t, c, "stderr"))
		}
		for _, name := range []string{"stdout", "mine"} {
			info, err := os.Stat(filepath.Join(c.Sandbox, name))
			if err != nil || info.Sys().(*syscall.Stat_t).Uid != 65534 {
				t.Errorf("%s: %v, error %v", name, info, err)
			}
		}
		c2 := sh(t, cfg, "c2", "true")
		c2.User = "no-such-user"
		if _, err := m.Launch(deadline(t), c2); err == nil || !strings.Contains(err.Error(), "no-such-user") {
			t.Errorf("error %v", err)
		}
	})
}

// A sandbox whose owner put a link where stdout belongs leads nowhere.
func TestHostileSandbox(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "true")
		victim := filepath.Join(cfg.WorkDir, "victim")
		if err := os.WriteFile(victim, []byte("untouched"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, filepath.Join(c.Sandbox, "stdout")); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Launch(deadline(t), c); err == nil {
			t.Error("no error")
		}
		if got, err := os.ReadFile(victim); err != nil || string(got) != "untouched" {
			t.Errorf("%q, error %v", got, err)
		}
	})
}

// With a PID namespace the first process is 1 and sees only its own.
func TestPIDNamespace(t *testing.T) {
	v := variants[len(variants)-1]
	t.Run(v.name, func(t *testing.T) {
		cfg := config(t, v)
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "echo $$; ls -d /proc/[0-9]* | wc -l")
		launch(t, m, c)
		wait(t, m, c.ID)
		lines := strings.Fields(read(t, c, "stdout"))
		if len(lines) != 2 || lines[0] != "1" {
			t.Fatalf("stdout %q", lines)
		}
		if n, err := strconv.Atoi(lines[1]); err != nil || n > 4 {
			t.Errorf("%d processes are seen, error %v", n, err)
		}
	})
}

func TestConfigErrors(t *testing.T) {
	valid := DefaultConfig()
	valid.WorkDir, valid.RuntimeDir = "/w", "/r"
	valid.Launcher = LauncherLinux
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"relative work directory": {func(c *Config) { c.WorkDir = "w" }, "absolute path"},
		"launcher":                {func(c *Config) { c.Launcher = "windows" }, `launcher "windows"`},
		"runtime":                 {func(c *Config) { c.Runtime = "x" }, `runtime "x"`},
		"oci without cgroups":     {func(c *Config) { c.Runtime, c.Launcher = "oci", LauncherPosix }, "needs the launcher linux"},
		"isolator":                {func(c *Config) { c.Isolation = []string{"x"} }, `Unknown or unsupported isolator 'x': modules can't be loaded; want some of filesystem/posix, `},
		"isolator we don't have":  {func(c *Config) { c.Isolation = []string{"network/cni"} }, `Unknown or unsupported isolator 'network/cni': containers have the network of their node`},
		"cgroups without cgroups": {func(c *Config) { c.Isolation, c.Launcher = []string{"cgroups/cpu"}, LauncherPosix }, "needs the launcher linux"},
		"namespace":               {func(c *Config) { c.Isolation, c.Runtime = []string{"namespaces/pid"}, posix.Name }, "needs the runtime oci"},
		"cgroups root":            {func(c *Config) { c.CgroupsRoot = "/" }, "cgroups root"},
		"mount namespace":         {func(c *Config) { c.MountNamespace = "host" }, "/proc/1/ns/mnt"},
		"timeout":                 {func(c *Config) { c.DestroyTimeout = 0 }, "destroy timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := valid
			test.change(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	for flag, want := range map[string][]string{
		"":                          {"filesystem/posix", "environment_secret"},
		"cgroups":                   {"cgroups/cpu", "cgroups/mem", "filesystem/posix", "environment_secret"},
		"process, filesystem/posix": {"posix/cpu", "posix/mem", "filesystem/posix", "environment_secret"},
		"filesystem/linux":          {"filesystem/linux", "volume/host_path", "volume/sandbox_path", "volume/image", "environment_secret"},
		"posix/disk":                {"disk/du", "filesystem/posix", "environment_secret"},
		"cgroups,cgroups/mem":       {"cgroups/cpu", "cgroups/mem", "filesystem/posix", "environment_secret"},
		"cgroups/mem,cgroups/mem":   nil,
	} {
		if got, err := Isolators(flag); !slices.Equal(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%q: %v, error %v", flag, got, err)
		}
	}
}

func TestUnsupported(t *testing.T) {
	cfg := config(t, variants[0])
	m := agent(t, cfg)
	tests := map[string]func(*containerizer.Config){
		"image": func(c *containerizer.Config) {
			c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{}}}
		},
		"docker": func(c *containerizer.Config) {
			c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum()}
		},
		"volumes": func(c *containerizer.Config) {
			c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: []*mesos.Volume{{HostPath: new("/usr"), ContainerPath: new("usr")}}}
		},
		"no command": func(c *containerizer.Config) { c.Command = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c := sh(t, cfg, "c1", "true")
			change(&c)
			if _, err := m.Launch(deadline(t), c); err == nil || !strings.Contains(err.Error(), containerizer.ErrUnsupported.Error()) {
				t.Errorf("error %v", err)
			}
		})
	}
}
