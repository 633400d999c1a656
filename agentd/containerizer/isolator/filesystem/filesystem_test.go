package filesystem

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func persistent(id, name string, mode mesos.Volume_Mode) *mesos.Resource {
	return &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(1.0)},
		Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web")}},
		Disk: &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id},
			Volume:      &mesos.Volume{ContainerPath: &name, Mode: &mode},
		},
	}
}

type rig struct {
	*testing.T
	work      string
	isolator  *Isolator
	container *isolator.Container
}

func newRig(t *testing.T, name string, volumes ...string) *rig {
	work := t.TempDir()
	for _, v := range volumes {
		if err := os.MkdirAll(filepath.Join(work, "volumes/roles/web", v), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &rig{T: t, work: work, isolator: New(name, Config{WorkDir: work}), container: &isolator.Container{
		ID: "c", Config: containerizer.Config{ID: "c", Sandbox: t.TempDir()},
	}}
}

func (r *rig) prepare(rs ...*mesos.Resource) (*specs.Spec, error) {
	spec := &specs.Spec{Linux: &specs.Linux{}}
	return spec, r.isolator.Prepare(r.container, isolator.DemandOf(rs, nil), spec)
}

func (r *rig) update(rs ...*mesos.Resource) {
	r.Helper()
	if err := r.isolator.Update(r.container, isolator.DemandOf(rs, nil), &specs.LinuxResources{}); err != nil {
		r.Fatal(err)
	}
}

// links lists what the sandbox has, with the volumes that names lead to.
func (r *rig) links() []string {
	var out []string
	entries, err := os.ReadDir(r.container.Config.Sandbox)
	if err != nil {
		r.Fatal(err)
	}
	for _, e := range entries {
		target, _ := os.Readlink(filepath.Join(r.container.Config.Sandbox, e.Name()))
		out = append(out, e.Name()+"="+strings.TrimPrefix(target, r.work+"/volumes/roles/web/"))
	}
	return out
}

func TestLinks(t *testing.T) {
	for _, name := range []string{Posix, Linux} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, name, "v1", "v2")
			if _, err := r.prepare(persistent("v1", "data", mesos.Volume_RW)); err != nil {
				t.Fatal(err)
			}
			steps := []struct {
				volumes []*mesos.Resource
				want    []string
			}{
				{[]*mesos.Resource{persistent("v1", "data", mesos.Volume_RW)}, []string{"data=v1"}},
				{[]*mesos.Resource{persistent("v1", "data", mesos.Volume_RW), persistent("v2", "logs", mesos.Volume_RW)},
					[]string{"data=v1", "logs=v2"}},
				{[]*mesos.Resource{persistent("v2", "logs", mesos.Volume_RW)}, []string{"logs=v2"}},
			}
			for n, step := range steps {
				r.update(step.volumes...)
				if got := r.links(); !slices.Equal(got, step.want) {
					t.Errorf("step %d: the sandbox has %q, want %q", n, got, step.want)
				}
			}

			// A new life of the agent goes on where the last was.
			r.container.Config.Resources = []*mesos.Resource{persistent("v2", "logs", mesos.Volume_RW)}
			r.isolator = New(name, Config{WorkDir: r.work})
			if err := r.isolator.Attach(r.container, true); err != nil {
				t.Fatal(err)
			}
			r.update()
			if got := r.links(); len(got) != 0 {
				t.Errorf("the sandbox still has %q", got)
			}
		})
	}
}

func TestNestedName(t *testing.T) {
	r := newRig(t, Linux, "v")
	if _, err := r.prepare(persistent("v", "a/b/c", mesos.Volume_RW)); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(r.container.Config.Sandbox, "a/b/c")); err != nil || filepath.Base(target) != "v" {
		t.Errorf("a/b/c leads to %q: %v", target, err)
	}
}

func TestNameIsTaken(t *testing.T) {
	r := newRig(t, Posix, "v")
	if err := os.WriteFile(filepath.Join(r.container.Config.Sandbox, "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := r.prepare(persistent("v", "data", mesos.Volume_RW)); err == nil {
		t.Error("a file of the sandbox was taken for a volume")
	}
}

func TestNoEscape(t *testing.T) {
	r := newRig(t, Linux, "v")
	if err := os.Symlink(t.TempDir(), filepath.Join(r.container.Config.Sandbox, "out")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../data", "out/data"} {
		if _, err := r.prepare(persistent("v", name, mesos.Volume_RW)); err == nil {
			t.Errorf("%s was linked outside of the sandbox", name)
		}
	}
}

func TestMounts(t *testing.T) {
	here := t.TempDir()
	tests := map[string]struct {
		isolator, name string
		mode           mesos.Volume_Mode
		destination    string // "" for no mount; "self" for the volume
		readOnly       bool
	}{
		"writable":               {Linux, "data", mesos.Volume_RW, "", false},
		"read-only":              {Linux, "data", mesos.Volume_RO, "self", true},
		"absolute":               {Linux, here, mesos.Volume_RW, here, false},
		"absolute and read-only": {Linux, here, mesos.Volume_RO, here, true},
		"posix":                  {Posix, "data", mesos.Volume_RO, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tt.isolator, "v")
			spec, err := r.prepare(persistent("v", tt.name, tt.mode))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(r.work, "volumes/roles/web/v")
			if tt.destination == "self" {
				tt.destination = path
			}
			if tt.destination == "" {
				if len(spec.Mounts) > 0 {
					t.Errorf("it is mounted: %v", spec.Mounts)
				}
				return
			}
			if len(spec.Mounts) != 1 || spec.Mounts[0].Source != path || spec.Mounts[0].Destination != tt.destination ||
				slices.Contains(spec.Mounts[0].Options, "ro") != tt.readOnly {
				t.Errorf("mounts are %+v", spec.Mounts)
			}
		})
	}
	r := newRig(t, Linux, "v")
	if _, err := r.prepare(persistent("v", "/does/not/exist", mesos.Volume_RW)); err == nil {
		t.Error("an absolute name that doesn't exist was taken")
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: changes owners")
	}
	const somebody, another = 12345, 12346
	owner := func(t *testing.T, path string) int {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return uid(info)
	}
	r := newRig(t, Posix, "own", "shared")
	shared := persistent("shared", "shared", mesos.Volume_RW)
	shared.Shared = &mesos.Resource_SharedInfo{}
	if err := os.Chown(r.container.Config.Sandbox, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	if _, err := r.prepare(persistent("own", "own", mesos.Volume_RW), shared); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"own", "shared"} {
		if got := owner(t, filepath.Join(r.work, "volumes/roles/web", v)); got != somebody {
			t.Errorf("volume %s belongs to %d", v, got)
		}
	}

	// The second user of a shared volume doesn't take it from the first.
	second := &isolator.Container{ID: "c2", Config: containerizer.Config{ID: "c2", Sandbox: t.TempDir()}}
	if err := os.Chown(second.Config.Sandbox, another, another); err != nil {
		t.Fatal(err)
	}
	if err := r.isolator.Prepare(second, isolator.DemandOf([]*mesos.Resource{shared}, nil), &specs.Spec{}); err != nil {
		t.Fatal(err)
	}
	if got := owner(t, filepath.Join(r.work, "volumes/roles/web/shared")); got != somebody {
		t.Errorf("the shared volume was given to %d", got)
	}
}
