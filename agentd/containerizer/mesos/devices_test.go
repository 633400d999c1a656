package mesos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator/gpu"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ownRoot gives every container a root file system of its own, as an image would:
// the node's programs, and a /dev in which there is what the runtime makes.
type ownRoot struct {
	isolator.Nop
	t *testing.T
}

func (ownRoot) Name() string { return "test/own-root" }

func (o ownRoot) Prepare(c *isolator.Container, _ isolator.Demand, spec *specs.Spec) error {
	dir := o.t.TempDir()
	spec.Root = &specs.Root{Path: dir}
	bind := func(path string) {
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
			target, _ := os.Readlink(path)
			if err := os.Symlink(target, filepath.Join(dir, path)); err != nil {
				o.t.Error(err)
			}
			return
		}
		spec.Mounts = append(spec.Mounts, specs.Mount{Destination: path, Source: path, Type: "bind", Options: []string{"rbind"}})
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: "/dev", Source: "tmpfs", Type: "tmpfs", Options: []string{"mode=755"}},
		specs.Mount{Destination: "/proc", Source: "proc", Type: "proc"})
	for _, path := range []string{"/bin", "/lib", "/lib64", "/usr", c.Config.Sandbox} {
		bind(path)
	}
	return nil
}

// imaged are containers with roots of their own, of the isolators named.
func imaged(t *testing.T, isolation string, change func(c *Config)) (*Containerizer, Config) {
	t.Helper()
	cfg := config(t, variants[2])
	var err error
	if cfg.Isolation, err = Isolators("cgroups/cpu,cgroups/mem,filesystem/linux," + isolation); err != nil {
		t.Fatal(err)
	}
	change(&cfg)
	return imagedAgent(t, cfg), cfg
}

func imagedAgent(t *testing.T, cfg Config) *Containerizer {
	t.Helper()
	m := agent(t, cfg)
	m.isolators = slices.Insert(m.isolators, 0, isolator.Isolator(ownRoot{t: t}))
	return m
}

// TestRootLinuxDevices: of the agent's devices those that are allowed are in /dev, as far as
// they are.
func TestRootLinuxDevices(t *testing.T) {
	tun, loop := "/dev/net/tun", "/dev/loop-control"
	for _, path := range []string{tun, loop} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("needs the device: %v", err)
		}
	}
	m, cfg := imaged(t, "cgroups/devices,linux/devices", func(c *Config) {
		c.AllowedDevices = &mesos.DeviceWhitelist{AllowedDevices: []*mesos.DeviceAccess{
			{Device: &mesos.Device{Path: &loop}, Access: &mesos.DeviceAccess_Access{Read: new(true)}},
			{Device: &mesos.Device{Path: &tun}, Access: &mesos.DeviceAccess_Access{Read: new(true), Write: new(true)}},
		}}
	})
	c := sh(t, cfg, "c1", `stat -c '%n %a %F' /dev/loop-control /dev/net/tun
		(: < /dev/loop-control) && echo read; (: >> /dev/loop-control) 2>&- || echo not written; ls /dev/kmsg 2>&- || echo no others`)
	launch(t, m, c)
	wait(t, m, c.ID)
	want := "/dev/loop-control 644 character special file\n/dev/net/tun 666 character special file\nread\nnot written\nno others\n"
	if got := read(t, c, "stdout"); got != want {
		t.Errorf("it printed %q, want %q; stderr %s", got, want, read(t, c, "stderr"))
	}
}

// cards writes a specification of two GPUs that are devices of the kernel which
// no container has otherwise: 0 is /dev/loop-control, 1 is /dev/fuse.
func cards(t *testing.T) gpu.Config {
	t.Helper()
	dir := t.TempDir()
	for name, minor := range map[string]uint32{"loop-control": 237, "fuse": 229} {
		if err := unix.Mknod(filepath.Join(dir, name), unix.S_IFCHR|0o666, int(unix.Mkdev(10, minor))); err != nil {
			t.Skipf("needs to make devices: %v", err)
		}
	}
	lib := filepath.Join(dir, "libvendor.so")
	if err := os.WriteFile(lib, []byte("library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := fmt.Sprintf(`{"cdiVersion": "0.6.0", "kind": "vendor.example/gpu",
"containerEdits": {"env": ["VENDOR_DRIVER=1.2"],
  "mounts": [{"hostPath": %[2]q, "containerPath": "/opt/vendor/lib.so", "options": ["ro", "bind"]}],
  "hooks": [{"hookName": "createRuntime", "path": "/bin/touch", "args": ["touch", %[3]q]}]},
"devices": [{"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor0", "hostPath": "%[1]s/loop-control", "permissions": "rw"}]}},
  {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor1", "hostPath": "%[1]s/fuse", "permissions": "rw"}]}}]}`,
		dir, lib, filepath.Join(dir, "hooked"))
	if err := os.WriteFile(filepath.Join(dir, "vendor.json"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	return gpu.Config{SpecDirs: []string{dir}, Kind: "vendor.example/gpu", Indices: []uint{0, 1}}
}

// TestRootGPU runs containers with the GPUs of a made-up specification: the first has
// one, with all that belongs to it, the second the other one, and the third has to wait.
func TestRootGPU(t *testing.T) {
	var vendor gpu.Config
	m, cfg := imaged(t, "cgroups/devices,gpu/nvidia", func(c *Config) {
		vendor = cards(t)
		c.GPU = vendor
	})
	const script = `echo $VENDOR_DRIVER; cat /opt/vendor/lib.so; ls /dev | grep vendor; for d in /dev/vendor*; do (: < $d) && echo opened; done; sleep 600`
	gpus := func(id string) containerizer.Config {
		c := sh(t, cfg, id, script)
		c.Resources = append(c.Resources, scalar("gpus", 1))
		return c
	}
	a, b := gpus("a"), gpus("b")
	launch(t, m, a)
	launch(t, m, b)
	for c, device := range map[string]string{a.Sandbox: "vendor0", b.Sandbox: "vendor1"} {
		want := "1.2\nlibrary\n" + device + "\nopened\n"
		if got := printed(t, c, want); got != want {
			t.Errorf("it printed %q, want %q", got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(vendor.SpecDirs[0], "hooked")); err != nil {
		t.Errorf("the hook wasn't run: %v", err)
	}
	if _, err := m.Launch(deadline(t), gpus("c")); err == nil || !strings.Contains(err.Error(), gpu.ErrExhausted.Error()) {
		t.Errorf("a third of two GPUs: %v", err)
	}

	// A task below shares what its executor has, and not more.
	child := below(a, "child", `(: < /dev/vendor0) && echo opened; mknod other c 10 229; (: < other) 2>&- || echo refused`)
	launch(t, m, child)
	wait(t, m, child.ID)
	if got, want := read(t, child, "stdout"), "opened\nrefused\n"; got != want {
		t.Errorf("nested: it printed %q, want %q; stderr %s", got, want, read(t, child, "stderr"))
	}

	// The next life of the agent knows whose they are.
	again := imagedAgent(t, cfg)
	if _, err := again.Recover(deadline(t), []containerizer.Recovered{{Config: a}, {Config: b}}); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Launch(deadline(t), gpus("d")); err == nil || !strings.Contains(err.Error(), gpu.ErrExhausted.Error()) {
		t.Errorf("after a restart, a third of two GPUs: %v", err)
	}
	if err := again.Destroy(deadline(t), a.ID); err != nil {
		t.Fatal(err)
	}
	d := sh(t, cfg, "d", "true")
	d.Resources = append(d.Resources, scalar("gpus", 1))
	launch(t, again, d)
	wait(t, again, d.ID)
}

// TestRootGPUGrows: an executor that runs gets GPUs with its tasks, and loses them
// with them.
func TestRootGPUGrows(t *testing.T) {
	m, cfg := imaged(t, "cgroups/devices,gpu/nvidia", func(c *Config) { c.GPU = cards(t) })
	c := sh(t, cfg, "c", `mknod card c 10 237; echo made
		for i in 1 2 3; do
			while [ ! -e go ]; do sleep 0.05; done; rm go
			if (: < card) 2>&-; then echo opened; else echo refused; fi
		done; sleep 600`)
	launch(t, m, c)
	want := "made\n"
	for _, step := range []struct {
		gpus float64
		said string
	}{{0, "refused"}, {1, "opened"}, {0, "refused"}} {
		if err := m.Update(deadline(t), c.ID, append(slices.Clone(c.Resources), scalar("gpus", step.gpus)), nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.Sandbox, "go"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		want += step.said + "\n"
		if got := printed(t, c.Sandbox, want); got != want {
			t.Fatalf("with %v GPUs it printed %q, want %q", step.gpus, got, want)
		}
	}
}

// printed waits for a container to have printed as much as is wanted.
func printed(t *testing.T, sandbox, want string) (got string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(filepath.Join(sandbox, "stdout"))
		if err != nil {
			t.Fatal(err)
		}
		if got = string(data); len(got) >= len(want) {
			return got
		}
	}
	return got
}
