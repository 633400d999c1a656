package oci

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/runtime"
)

func container(t *testing.T, change func(*runtime.Container)) *runtime.Container {
	c := &runtime.Container{
		ID: "c1", Dir: "/c1", Executable: "/bin/sh",
		Group: cgrouptest.FakeV1(t, "/mesos/c1", nil, "cpu"),
		Spec: &specs.Spec{
			Process: &specs.Process{Args: []string{"sh", "-c", "true"}, Env: []string{"A=1"}},
			Linux:   &specs.Linux{CgroupsPath: "/mesos/c1", Resources: &specs.LinuxResources{CPU: &specs.LinuxCPU{}}},
		},
	}
	if change != nil {
		change(c)
	}
	return c
}

func TestComplete(t *testing.T) {
	c := container(t, nil)
	spec := complete(c)
	if diff := cmp.Diff([]string{"/bin/sh", "-c", "true"}, spec.Process.Args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if !slices.ContainsFunc(spec.Process.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=/") }) {
		t.Errorf("environment %v", spec.Process.Env)
	}
	if spec.Linux.CgroupsPath != "/mesos/c1/oci" || spec.Linux.Resources.CPU != nil || !spec.Linux.Resources.Devices[0].Allow {
		t.Errorf("cgroup %s, resources %+v", spec.Linux.CgroupsPath, spec.Linux.Resources)
	}
	if diff := cmp.Diff([]specs.LinuxNamespace{{Type: specs.MountNamespace}}, spec.Linux.Namespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	// Without this mount runtimes change the node's /dev.
	if len(spec.Mounts) != 1 || spec.Mounts[0].Destination != "/dev" || spec.Mounts[0].Type != "bind" {
		t.Errorf("mounts %v", spec.Mounts)
	}
	// What was given is not changed: it is the isolators'.
	if c.Spec.Process.Args[0] != "sh" || len(c.Spec.Process.Env) != 1 || len(c.Spec.Linux.Namespaces) > 0 || len(c.Spec.Mounts) > 0 {
		t.Errorf("changed: %+v", c.Spec)
	}
}

func TestCompleteWithRoot(t *testing.T) {
	spec := complete(container(t, func(c *runtime.Container) {
		c.Spec.Root = &specs.Root{Path: "/image"}
		c.Spec.Process.Env = []string{"PATH=/p"}
	}))
	if len(spec.Mounts) > 0 || len(spec.Process.Env) != 1 {
		t.Errorf("mounts %v, environment %v", spec.Mounts, spec.Process.Env)
	}
}

func TestCapabilities(t *testing.T) {
	if diff := cmp.Diff([]string{"CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"}, granted(1|1<<21|1<<40|1<<63)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c := capabilities(1000); len(c.Effective)+len(c.Permitted)+len(c.Inheritable)+len(c.Ambient) > 0 {
		t.Errorf("a user without privileges has %+v", c)
	}
}

func TestConfig(t *testing.T) {
	for command, ok := range map[string]bool{"runc": true, "/usr/bin/crun": true, "": false, "runc --debug": false} {
		if err := (Config{Command: command, StateDir: "/s"}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", command, err)
		}
	}
	if err := (Config{Command: "runc", StateDir: "s"}).Validate(); err == nil {
		t.Error("a relative directory is accepted")
	}
}

func TestCommand(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/runx"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{Command: "runx", StateDir: "/s", Root: root}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Looked for behind the prefix, executed without it.
	if got, err := r.command("/c1"); err != nil || got[0] != "/usr/bin/runx" {
		t.Errorf("%v, error %v", got, err)
	}
	r.cfg.Command = "runy"
	if _, err := r.command("/c1"); err == nil || !strings.Contains(err.Error(), `"runy" is in none of`) {
		t.Errorf("error %v", err)
	}
}

func TestExplain(t *testing.T) {
	r, dir, failed := &Runtime{}, t.TempDir(), errors.New("failed")
	if err := r.explain(dir, failed); err != failed {
		t.Errorf("without a log: %v", err)
	}
	log := `{"level":"warning","msg":"w","time":"t"}
not JSON
{"level":"error","msg":"no such file","time":"t"}
{"level":"warning","msg":"w","time":"t"}
`
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.explain(dir, failed); !errors.Is(err, failed) || err.Error() != "failed: no such file" {
		t.Errorf("%v", err)
	}
}
