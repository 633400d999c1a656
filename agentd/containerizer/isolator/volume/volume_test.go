package volume

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestKindOf(t *testing.T) {
	source := func(s mesos.Volume_Source_Type) *mesos.Volume {
		return &mesos.Volume{Source: &mesos.Volume_Source{Type: &s}}
	}
	tests := map[string]struct {
		volume *mesos.Volume
		want   Kind
	}{
		"legacy host path":    {&mesos.Volume{HostPath: new("/data")}, HostPath},
		"legacy sandbox path": {&mesos.Volume{HostPath: new("data")}, SandboxPath},
		"image":               {&mesos.Volume{Image: &mesos.Image{}}, Image},
		"host path":           {source(mesos.Volume_Source_HOST_PATH), HostPath},
		"sandbox path":        {source(mesos.Volume_Source_SANDBOX_PATH), SandboxPath},
		"secret":              {source(mesos.Volume_Source_SECRET), Secret},
		"docker":              {source(mesos.Volume_Source_DOCKER_VOLUME), Docker},
		"csi":                 {source(mesos.Volume_Source_CSI_VOLUME), CSI},
		"nothing":             {&mesos.Volume{}, Unknown},
		"two things":          {&mesos.Volume{HostPath: new("/data"), Image: &mesos.Image{}}, Unknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := KindOf(tt.volume); got != tt.want {
				t.Errorf("KindOf = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestMountPoint(t *testing.T) {
	here := t.TempDir()
	tests := map[string]struct {
		path  string
		isDir bool
		want  string // relative to the sandbox unless absolute; "" for an error
	}{
		"directory":         {"a/b", true, "a/b"},
		"file":              {"a/f", false, "a/f"},
		"exists":            {here, true, here},
		"does not exist":    {"/no/such/place", true, ""},
		"the sandbox":       {".", true, ""},
		"above":             {"../x", true, ""},
		"above by a detour": {"a/../../x", true, ""},
		"through a link":    {"out/x", true, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &isolator.Container{Config: containerizer.Config{Sandbox: t.TempDir()}}
			if err := os.Symlink(here, filepath.Join(c.Config.Sandbox, "out")); err != nil {
				t.Fatal(err)
			}
			got, err := MountPoint(c, "", tt.path, tt.isDir)
			if tt.want == "" {
				if !errors.Is(err, ErrMountPoint) {
					t.Errorf("MountPoint = %q, %v; want an error", got, err)
				}
				return
			}
			if !filepath.IsAbs(tt.want) {
				tt.want = filepath.Join(c.Config.Sandbox, tt.want)
			}
			if err != nil || got != tt.want {
				t.Fatalf("MountPoint = %q, %v; want %q", got, err, tt.want)
			}
			if info, err := os.Stat(got); err != nil || info.IsDir() != tt.isDir {
				t.Errorf("there is %v: %v", info, err)
			}
		})
	}
}
