package gpu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// cards is a specification in which /dev/null, zero and full are the GPUs, and with
// the other names that real ones have.
const cards = `{
"cdiVersion": "0.6.0", "kind": "vendor.example/gpu",
"containerEdits": {
  "env": ["VENDOR_DRIVER=1.2"],
  "deviceNodes": [{"path": "/dev/vendor-control", "hostPath": "/dev/urandom"}],
  "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/etc/hostname", "options": ["ro", "bind"]}],
  "hooks": [{"hookName": "createContainer", "path": "/bin/true", "args": ["true"]}]
},
"devices": [
  {"name": "0", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor0", "hostPath": "/dev/null", "permissions": "rw"}]}},
  {"name": "1", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor1", "hostPath": "/dev/zero", "permissions": "rw"}]}},
  {"name": "2", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor2", "hostPath": "/dev/full", "permissions": "rw"}]}},
  {"name": "UUID-1", "containerEdits": {"deviceNodes": [{"path": "/dev/vendor0", "hostPath": "/dev/null"}]}},
  {"name": "0:1", "containerEdits": {"env": ["PART=1"]}},
  {"name": "all", "containerEdits": {"env": ["ALL=1"]}}
]}`

func config(t *testing.T, indices ...uint) Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vendor.json"), []byte(cards), 0o644); err != nil {
		t.Fatal(err)
	}
	return Config{SpecDirs: []string{"/no/such/directory", dir}, Kind: "vendor.example/gpu", Indices: indices, Dir: t.TempDir(),
		Base: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
}

func open(t *testing.T, cfg Config) *Isolator {
	t.Helper()
	i, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func container(id string) *isolator.Container {
	return &isolator.Container{ID: containerizer.ID(id), Config: containerizer.Config{ID: containerizer.ID(id)}}
}

func demand(gpus float64) isolator.Demand {
	return isolator.DemandOf([]*mesos.Resource{{
		Name: new("gpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &gpus},
	}}, nil)
}

func imaged() *specs.Spec {
	return &specs.Spec{Root: &specs.Root{Path: "/r"}, Process: &specs.Process{},
		Linux: &specs.Linux{Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}}}
}

func TestInventory(t *testing.T) {
	v, err := Open(config(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint{0, 1, 2}, v.Indices()); diff != "" {
		t.Errorf("only what is named by a number is a GPU (-want +got):\n%s", diff)
	}
	names, err := v.Names([]uint{2, 0})
	if err != nil || cmp.Diff([]string{"vendor.example/gpu=2", "vendor.example/gpu=0"}, names) != "" {
		t.Errorf("names %v, %v", names, err)
	}
	if _, err := v.Names([]uint{3}); !errors.Is(err, ErrNoGPU) {
		t.Errorf("a GPU that isn't there: %v", err)
	}
}

func TestNoInventory(t *testing.T) {
	bad := config(t)
	if err := os.WriteFile(filepath.Join(bad.SpecDirs[1], "vendor.json"), []byte(`{"kind": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	other := config(t)
	other.Kind = DefaultKind
	noKind := config(t)
	noKind.Kind = "gpu"
	for want, cfg := range map[string]Config{
		"failed to load": bad, "no device of the kind nvidia.com/gpu": other, "want vendor/class": noKind,
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want one with %q", err, want)
		}
	}
}

// TestInjected: what the specification says of one GPU is in the container's.
func TestInjected(t *testing.T) {
	i := open(t, config(t, 0, 1))
	spec := imaged()
	if err := i.Prepare(container("c"), demand(1), spec); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, d := range spec.Linux.Devices {
		paths = append(paths, d.Path)
	}
	if diff := cmp.Diff([]string{"/dev/vendor-control", "/dev/vendor0"}, paths); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	rules := spec.Linux.Resources.Devices
	if len(rules) != 3 || rules[0].Allow || *rules[2].Major != 1 || *rules[2].Minor != 3 || rules[2].Access != "rw" {
		t.Errorf("rules %+v", rules)
	}
	if len(spec.Mounts) != 1 || len(spec.Process.Env) != 1 || len(spec.Hooks.CreateContainer) != 1 {
		t.Errorf("mounts %v, variables %v, hooks %+v", spec.Mounts, spec.Process.Env, spec.Hooks)
	}
}

// TestNone: without GPUs nothing of the vendor's is in the container.
func TestNone(t *testing.T) {
	i := open(t, config(t, 0))
	spec := imaged()
	if err := i.Prepare(container("c"), demand(0), spec); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(imaged(), spec); diff != "" {
		t.Error(diff)
	}
}

// TestNodesFiles: without an image, what is in its place on the node is not mounted.
func TestNodesFiles(t *testing.T) {
	i := open(t, config(t, 0))
	spec := imaged()
	spec.Root = nil
	spec.Mounts = []specs.Mount{{Source: "/a", Destination: "/b"}}
	if err := i.Prepare(container("c"), demand(1), spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Mounts) != 1 || len(spec.Linux.Devices) != 0 || len(spec.Linux.Resources.Devices) != 3 {
		t.Errorf("mounts %v, devices %v, rules %v", spec.Mounts, spec.Linux.Devices, spec.Linux.Resources.Devices)
	}
	if _, err := i.onNode(nil, []specs.Mount{{Source: "/etc/hostname", Destination: "/no/such/file"}}); err == nil {
		t.Error("a file was to be made on the node")
	}
}

func TestWhole(t *testing.T) {
	i := open(t, config(t, 0, 1))
	for _, n := range []float64{0.5, 1.001} {
		if err := i.Prepare(container("c"), demand(n), imaged()); err == nil {
			t.Errorf("%v GPUs were given", n)
		}
	}
}

// TestAlone: a GPU is one container's until that has ended, and the agent's next
// life knows whose it is.
func TestAlone(t *testing.T) {
	cfg := config(t, 0, 1, 2)
	i := open(t, cfg)
	a, b := container("a"), container("b")
	prepare := func(c *isolator.Container, n float64) error { return i.Prepare(c, demand(n), imaged()) }
	if err := prepare(a, 2); err != nil {
		t.Fatal(err)
	}
	if err := prepare(b, 2); !errors.Is(err, ErrExhausted) {
		t.Errorf("a third and a fourth of three: %v", err)
	}
	if err := prepare(b, 1); err != nil {
		t.Fatal(err)
	}
	assigned := func() string {
		return strings.Join(i.Assigned("a"), " ") + "|" + strings.Join(i.Assigned("b"), " ")
	}
	const want = "vendor.example/gpu=0 vendor.example/gpu=1|vendor.example/gpu=2"
	if got := assigned(); got != want {
		t.Errorf("assigned %s", got)
	}
	i = open(t, cfg)
	for _, c := range []*isolator.Container{a, b} {
		if err := i.Attach(c, true); err != nil {
			t.Fatal(err)
		}
	}
	if got := assigned(); got != want {
		t.Errorf("after a restart: assigned %s", got)
	}
	if err := i.Cleanup(a); err != nil {
		t.Fatal(err)
	}
	if err := prepare(container("c"), 2); err != nil {
		t.Errorf("what was released is not there: %v", err)
	}
	for _, id := range []string{"b", "c"} {
		if err := i.Cleanup(container(id)); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(cfg.Dir); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
}

// TestGrows: an executor gets GPUs with its tasks, and loses them with them. What it
// has, all its tasks have.
func TestGrows(t *testing.T) {
	i := open(t, config(t, 0, 1))
	c := container("c")
	if err := i.Prepare(c, demand(0), imaged()); err != nil {
		t.Fatal(err)
	}
	rules := func(n float64) (int, []string) {
		t.Helper()
		var r specs.LinuxResources
		if err := i.Update(c, demand(n), &r); err != nil {
			t.Fatal(err)
		}
		return len(r.Devices), i.Assigned("c")
	}
	if n, names := rules(2); n != 4 || len(names) != 2 { // none, control, and one for each
		t.Errorf("%d rules, GPUs %v", n, names)
	}
	nested := imaged()
	if err := i.Prepare(container("c.n"), isolator.Demand{}, nested); err != nil {
		t.Fatal(err)
	}
	if len(nested.Linux.Devices) != 3 {
		t.Errorf("nested has %v", nested.Linux.Devices)
	}
	if err := i.Cleanup(container("c.n")); err != nil {
		t.Fatal(err)
	}
	if n, names := rules(2); n != 0 || len(names) != 2 {
		t.Errorf("nothing changed, but %d rules, GPUs %v", n, names)
	}
	if n, names := rules(0); n != 1 || len(names) != 0 {
		t.Errorf("%d rules, GPUs %v", n, names)
	}
}
