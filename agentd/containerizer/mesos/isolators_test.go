package mesos

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func linuxInfo(info *mesos.LinuxInfo) *mesos.ContainerInfo {
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), LinuxInfo: info}
}

func volumes(vs ...*mesos.Volume) *mesos.ContainerInfo {
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Volumes: vs}
}

// isolation is one isolator at work: what a script sees with it.
type isolation struct {
	name   string // of the isolator
	config func(t *testing.T, c *Config)
	change func(t *testing.T, cfg Config, c *containerizer.Config)
	script string
	// want are the script's lines. "*" is any line.
	want []string
}

var isolations = map[string]isolation{
	"capabilities of the agent": {
		name: "linux/capabilities",
		config: func(_ *testing.T, c *Config) {
			c.Capabilities.Bounding = &mesos.CapabilityInfo{Capabilities: []mesos.CapabilityInfo_Capability{mesos.CapabilityInfo_CHOWN, mesos.CapabilityInfo_KILL}}
		},
		script: "grep CapBnd /proc/self/status; grep CapEff /proc/self/status",
		want:   []string{"CapBnd:\t0000000000000021", "CapEff:\t0000000000000021"},
	},
	"capabilities asked for": {
		name: "linux/capabilities",
		change: func(_ *testing.T, _ Config, c *containerizer.Config) {
			c.Container = linuxInfo(&mesos.LinuxInfo{EffectiveCapabilities: &mesos.CapabilityInfo{
				Capabilities: []mesos.CapabilityInfo_Capability{mesos.CapabilityInfo_NET_BIND_SERVICE},
			}})
		},
		script: "grep CapPrm /proc/self/status",
		want:   []string{"CapPrm:\t0000000000000400"},
	},
	"no new privileges": {
		name:   "linux/nnp",
		script: "grep NoNewPrivs /proc/self/status",
		want:   []string{"NoNewPrivs:\t1"},
	},
	"seccomp": {
		name: "linux/seccomp",
		config: func(t *testing.T, c *Config) {
			c.Seccomp.Dir, c.Seccomp.Default = t.TempDir(), "no-mkdir.json"
			const profile = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}`
			if err := os.WriteFile(filepath.Join(c.Seccomp.Dir, c.Seccomp.Default), []byte(profile), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		script: "mkdir x 2>/dev/null || echo refused; touch y && echo touched",
		want:   []string{"refused", "touched"},
	},
	"IPC namespace with a /dev/shm of its own": {
		name: "namespaces/ipc",
		change: func(_ *testing.T, _ Config, c *containerizer.Config) {
			c.Container = linuxInfo(&mesos.LinuxInfo{IpcMode: mesos.LinuxInfo_PRIVATE.Enum(), ShmSize: new(uint32(3))})
		},
		script: "df -Pk /dev/shm | tail -1 | awk '{print $2}'; ls /dev/shm | wc -l; ipcs -m | grep -c 0x || true",
		want:   []string{"3072", "0", "0"},
	},
	"devices": {
		name:   "cgroups/devices",
		script: "head -c1 /dev/zero | wc -c; head -c1 /dev/kmsg 2>/dev/null || head -c1 /dev/mem 2>/dev/null || echo refused",
		want:   []string{"1", "refused"},
	},
	"host path": {
		name: "filesystem/linux",
		change: func(t *testing.T, _ Config, c *containerizer.Config) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte("of the node\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			c.Container = volumes(
				&mesos.Volume{HostPath: &dir, ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
				&mesos.Volume{HostPath: &dir, ContainerPath: new("frozen"), Mode: mesos.Volume_RO.Enum()},
			)
		},
		script: "cat data/f; echo more > data/g; cat frozen/g; touch frozen/h 2>/dev/null || echo read-only",
		want:   []string{"of the node", "more", "read-only"},
	},
	"a directory of the sandbox elsewhere": {
		name: "filesystem/linux",
		change: func(t *testing.T, _ Config, c *containerizer.Config) {
			at := t.TempDir()
			c.Command.Value = new(strings.ReplaceAll(c.Command.GetValue(), "AT", at))
			c.Container = volumes(&mesos.Volume{HostPath: new("own"), ContainerPath: &at, Mode: mesos.Volume_RW.Enum()})
		},
		script: "echo hello > AT/f; cat own/f",
		want:   []string{"hello"},
	},
	"a directory of the sandbox elsewhere, read-only": {
		name: "filesystem/linux",
		change: func(t *testing.T, _ Config, c *containerizer.Config) {
			at := t.TempDir()
			c.Command.Value = new(strings.ReplaceAll(c.Command.GetValue(), "AT", at))
			c.Container = volumes(&mesos.Volume{HostPath: new("own"), ContainerPath: &at, Mode: mesos.Volume_RO.Enum()})
		},
		script: "echo hello > own/f; cat AT/f; touch AT/g 2>/dev/null || echo read-only",
		want:   []string{"hello", "read-only"},
	},
	"resource limits": {
		name: "posix/rlimits",
		change: func(_ *testing.T, _ Config, c *containerizer.Config) {
			c.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), RlimitInfo: &mesos.RLimitInfo{Rlimits: []*mesos.RLimitInfo_RLimit{
				{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE.Enum(), Soft: new(uint64(20)), Hard: new(uint64(30))},
				{Type: mesos.RLimitInfo_RLimit_RLMT_FSIZE.Enum(), Soft: new(uint64(4096)), Hard: new(uint64(4096))},
			}}}
		},
		script: "ulimit -Sn; ulimit -Hn; (head -c 5000 /dev/zero > big) 2>/dev/null; stat -c %s big",
		want:   []string{"20", "30", "4096"},
	},
	"persistent volume, read-only": {
		name: "filesystem/linux",
		change: func(t *testing.T, cfg Config, c *containerizer.Config) {
			dir := filepath.Join(cfg.WorkDir, "volumes/roles/web/v")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte("kept\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			c.Resources = append(c.Resources, &mesos.Resource{
				Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(1.0)},
				Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web")}},
				Disk: &mesos.Resource_DiskInfo{
					Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v")},
					Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RO.Enum()},
				},
			})
		},
		script: "cat data/f; touch data/g 2>/dev/null || echo read-only",
		want:   []string{"kept", "read-only"},
	},
	"secret": {
		name: "volume/secret",
		change: func(_ *testing.T, _ Config, c *containerizer.Config) {
			c.Container = volumes(&mesos.Volume{
				ContainerPath: new("keys/token"), Mode: mesos.Volume_RO.Enum(),
				Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SECRET.Enum(), Secret: &mesos.Secret{
					Type: mesos.Secret_VALUE.Enum(), Value: &mesos.Secret_Value{Data: []byte("s3cret\n")},
				}},
			})
		},
		script: "cat keys/token; stat -c %a keys/token",
		want:   []string{"s3cret", "400"},
	},
	"hierarchies": {
		name:   "cgroups/pids",
		script: "grep -c mesos-test /proc/self/cgroup | grep -qv '^0$' && echo in",
		want:   []string{"in"},
	},
}

// TestIsolators shows each isolator to a process in a container of the OCI runtime.
func TestIsolators(t *testing.T) {
	for name, tt := range isolations {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, variants[2])
			var err error
			if cfg.Isolation, err = Isolators("cgroups/cpu,cgroups/mem," + tt.name); err != nil {
				t.Fatal(err)
			}
			if tt.config != nil {
				tt.config(t, &cfg)
			}
			m := agent(t, cfg)
			c := sh(t, cfg, "c1", tt.script)
			if tt.change != nil {
				tt.change(t, cfg, &c)
			}
			launch(t, m, c)
			wait(t, m, c.ID)
			if got, want := read(t, c, "stdout"), strings.Join(tt.want, "\n")+"\n"; got != want {
				t.Errorf("it printed %q, want %q; stderr %s", got, want, read(t, c, "stderr"))
			}
			if left, err := os.ReadDir(filepath.Join(cfg.RuntimeDir, "secrets")); err == nil && len(left) > 0 {
				t.Errorf("secrets are left: %v", left)
			}
		})
	}
}

// TestDiskQuota ends a container that takes more than it has, on both runtimes.
func TestDiskQuota(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Isolation = append(cfg.Isolation, "disk/du")
		cfg.Disk.Interval, cfg.Disk.Enforce = 10*time.Millisecond, true
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", "dd if=/dev/zero of=big bs=1M count=3 2>/dev/null; sleep 60")
		c.Resources = append(c.Resources, scalar("disk", 2))
		launch(t, m, c)
		end := wait(t, m, c.ID)
		if len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_CONTAINER_LIMITATION_DISK || !strings.Contains(end.Message, "exceeds quota (2MB)") {
			t.Errorf("it ended with %v: %s", end.Reasons, end.Message)
		}
	})
}

// TestForeignPort ends a container that listens where it may not.
func TestForeignPort(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		cfg.Isolation = append(cfg.Isolation, "network/ports")
		cfg.Ports.Interval, cfg.Ports.Enforce = 50*time.Millisecond, true
		m := agent(t, cfg)
		c := sh(t, cfg, "c1", `exec perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die; sleep 60'`)
		launch(t, m, c)
		end := wait(t, m, c.ID)
		if len(end.Reasons) != 1 || end.Reasons[0] != mesos.TaskStatus_REASON_CONTAINER_LIMITATION {
			t.Errorf("it ended with %v: %s", end.Reasons, end.Message)
		}
	})
}

// TestAllCgroups takes what the machine has.
func TestAllCgroups(t *testing.T) {
	privileged(t, func(t *testing.T, cfg Config) {
		cfg.Isolation = []string{"cgroups/all"}
		m := agent(t, cfg)
		var names []string
		for _, i := range m.isolators {
			names = append(names, i.Name())
		}
		for controller, name := range map[string]string{"memory": "cgroups/mem", "cpu": "cgroups/cpu", "pids": "cgroups/pids", "hugetlb": "cgroups/hugetlb"} {
			if got, want := slices.Contains(names, name), m.tree.Has(controller); got != want {
				t.Errorf("%s: used %v, there %v", name, got, want)
			}
		}
	})
}
