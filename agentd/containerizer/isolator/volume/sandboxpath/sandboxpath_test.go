package sandboxpath

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func shows(kind mesos.Volume_Source_SandboxPath_Type, path, at string) *mesos.Volume {
	return &mesos.Volume{
		ContainerPath: &at, Mode: mesos.Volume_RW.Enum(),
		Source: &mesos.Volume_Source{
			Type:        mesos.Volume_Source_SANDBOX_PATH.Enum(),
			SandboxPath: &mesos.Volume_Source_SandboxPath{Type: &kind, Path: &path},
		},
	}
}

const (
	self   = mesos.Volume_Source_SandboxPath_SELF
	parent = mesos.Volume_Source_SandboxPath_PARENT
)

func TestVolumes(t *testing.T) {
	here := t.TempDir() // stands for a directory of the node
	tests := map[string]struct {
		mounts bool
		top    bool // a container without a parent
		volume *mesos.Volume
		source string // relative to the parent's sandbox, or to "self"; "" for an error
	}{
		"of the parent":              {mounts: true, volume: shows(parent, "shared/a", "a"), source: "shared/a"},
		"of the parent, by link":     {volume: shows(parent, "shared/a", "a"), source: "shared/a"},
		"a persistent volume":        {mounts: true, volume: shows(parent, "data", "data"), source: "volumes/roles/web/v"},
		"somebody else's volume":     {mounts: true, volume: shows(parent, "stolen", "data")},
		"own":                        {mounts: true, volume: shows(self, "tmp", here), source: "self/tmp"},
		"own, legacy":                {mounts: true, volume: &mesos.Volume{HostPath: new("tmp"), ContainerPath: &here}, source: "self/tmp"},
		"own, by link":               {volume: shows(self, "tmp", here)},
		"own in the sandbox":         {mounts: true, volume: shows(self, "tmp", "a")},
		"above":                      {mounts: true, volume: shows(parent, "../x", "a")},
		"absolute":                   {mounts: true, volume: shows(parent, "/etc", "a")},
		"through a link out":         {mounts: true, volume: shows(parent, "out", "a")},
		"to above":                   {mounts: true, volume: shows(parent, "a", "../a")},
		"to above by link":           {volume: shows(parent, "a", "../a")},
		"parent of the topmost":      {mounts: true, top: true, volume: shows(parent, "a", "a")},
		"neither self nor of parent": {mounts: true, volume: shows(mesos.Volume_Source_SandboxPath_UNKNOWN, "a", "a")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			above, own := filepath.Join(dir, "parent"), filepath.Join(dir, "self")
			for _, d := range []string{above, own, filepath.Join(dir, "volumes/roles/web/v"), filepath.Join(dir, "volumes/roles/web/other")} {
				if err := os.MkdirAll(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for link, target := range map[string]string{
				"out": "/etc", "data": filepath.Join(dir, "volumes/roles/web/v"), "stolen": filepath.Join(dir, "volumes/roles/web/other"),
			} {
				if err := os.Symlink(target, filepath.Join(above, link)); err != nil {
					t.Fatal(err)
				}
			}
			i := New(Config{Mounts: tt.mounts, WorkDir: dir})
			held := []*mesos.Resource{{
				Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web")}},
				Disk:         &mesos.Resource_DiskInfo{Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v")}},
			}}
			if err := i.Attach(&isolator.Container{ID: "p", Config: containerizer.Config{Sandbox: above, Resources: held}}, false); err != nil {
				t.Fatal(err)
			}
			id := containerizer.ID("p.c")
			if tt.top {
				id = "c"
			}
			c := &isolator.Container{ID: id, Config: containerizer.Config{
				ID: id, Sandbox: own, Container: &mesos.ContainerInfo{Volumes: []*mesos.Volume{tt.volume}},
			}}
			spec := &specs.Spec{}
			err := i.Prepare(c, isolator.Demand{}, spec)
			if tt.source == "" {
				if err == nil {
					t.Errorf("it was accepted: %+v", spec.Mounts)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := filepath.Join(above, tt.source)
			for _, p := range []string{"self/", "volumes/"} {
				if len(tt.source) > len(p) && tt.source[:len(p)] == p {
					want = filepath.Join(dir, tt.source)
				}
			}
			if info, err := os.Stat(want); err != nil || !info.IsDir() {
				t.Errorf("%s is not there: %v", want, err)
			}
			got, _ := os.Readlink(filepath.Join(own, tt.volume.GetContainerPath()))
			if tt.mounts {
				got = spec.Mounts[0].Source
			}
			if got != want {
				t.Errorf("it shows %s, want %s", got, want)
			}
		})
	}
}
