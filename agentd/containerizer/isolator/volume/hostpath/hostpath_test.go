package hostpath

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func container(t *testing.T, volumes ...*mesos.Volume) *isolator.Container {
	return &isolator.Container{Config: containerizer.Config{
		Sandbox: t.TempDir(), Container: &mesos.ContainerInfo{Volumes: volumes},
	}}
}

func source(path string) *mesos.Volume_Source {
	return &mesos.Volume_Source{
		Type: mesos.Volume_Source_HOST_PATH.Enum(), HostPath: &mesos.Volume_Source_HostPath{Path: &path},
	}
}

func TestMounts(t *testing.T) {
	host := t.TempDir()
	file := filepath.Join(host, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ro, rw := mesos.Volume_RO.Enum(), mesos.Volume_RW.Enum()
	tests := map[string]struct {
		volume      *mesos.Volume
		source      string
		destination string // relative to the sandbox; "none" for no mount
		readOnly    bool
		fails       bool
	}{
		"directory":          {volume: &mesos.Volume{Source: source(host), ContainerPath: new("a/b"), Mode: rw}, source: host, destination: "a/b"},
		"file, read-only":    {volume: &mesos.Volume{Source: source(file), ContainerPath: new("f"), Mode: ro}, source: file, destination: "f", readOnly: true},
		"legacy":             {volume: &mesos.Volume{HostPath: &host, ContainerPath: new("d"), Mode: rw}, source: host, destination: "d"},
		"to itself":          {volume: &mesos.Volume{Source: source(host), ContainerPath: &host, Mode: rw}, destination: "none"},
		"relative":           {volume: &mesos.Volume{Source: source("a"), ContainerPath: new("d"), Mode: rw}, fails: true},
		"doesn't exist":      {volume: &mesos.Volume{Source: source(host + "/no"), ContainerPath: new("d"), Mode: rw}, fails: true},
		"outside of sandbox": {volume: &mesos.Volume{Source: source(host), ContainerPath: new("../d"), Mode: rw}, fails: true},
		"somebody else's":    {volume: &mesos.Volume{HostPath: new("rel"), ContainerPath: new("d"), Mode: rw}, destination: "none"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := container(t, tt.volume)
			spec := &specs.Spec{Linux: &specs.Linux{}}
			err := New(Config{}).Prepare(c, isolator.Demand{}, spec)
			switch {
			case tt.fails:
				if err == nil {
					t.Error("it was accepted")
				}
			case err != nil:
				t.Fatal(err)
			case tt.destination == "none":
				if len(spec.Mounts) != 0 {
					t.Errorf("mounts %+v", spec.Mounts)
				}
			case len(spec.Mounts) != 1 || spec.Mounts[0].Source != tt.source ||
				spec.Mounts[0].Destination != filepath.Join(c.Config.Sandbox, tt.destination) ||
				slices.Contains(spec.Mounts[0].Options, "ro") != tt.readOnly:
				t.Errorf("mounts %+v", spec.Mounts)
			}
		})
	}
}

func TestCreation(t *testing.T) {
	allowed := t.TempDir()
	i := New(Config{Create: []string{allowed}})
	prepare := func(path string) error {
		v := &mesos.Volume{Source: source(path), ContainerPath: new("d"), Mode: mesos.Volume_RW.Enum()}
		return i.Prepare(container(t, v), isolator.Demand{}, &specs.Spec{Linux: &specs.Linux{}})
	}
	if err := prepare(filepath.Join(allowed, "a/b")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(allowed, "a/b")); err != nil {
		t.Error(err)
	}
	if err := prepare(filepath.Join(allowed, "../elsewhere")); err == nil {
		t.Error("a directory elsewhere was made")
	}
}

func TestDebugContainer(t *testing.T) {
	c := container(t, &mesos.Volume{HostPath: new("/"), ContainerPath: new("d"), Mode: mesos.Volume_RW.Enum()})
	c.Config.Class = containerizer.ClassDebug
	if err := New(Config{}).Prepare(c, isolator.Demand{}, &specs.Spec{Linux: &specs.Linux{}}); err == nil {
		t.Error("a debug container got a volume of its own")
	}
}
