package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func container(t *testing.T, s *mesos.Secret) *isolator.Container {
	return &isolator.Container{ID: "c", Config: containerizer.Config{
		ID: "c", Sandbox: t.TempDir(),
		Container: &mesos.ContainerInfo{Volumes: []*mesos.Volume{{
			ContainerPath: new("keys/token"), Mode: mesos.Volume_RO.Enum(),
			Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SECRET.Enum(), Secret: s},
		}}},
	}}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	i := New(Config{RuntimeDir: dir})
	c := container(t, &mesos.Secret{Type: mesos.Secret_VALUE.Enum(), Value: &mesos.Secret_Value{Data: []byte("s3cret")}})
	spec := &specs.Spec{Process: &specs.Process{User: specs.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}}}
	if err := i.Prepare(c, isolator.Demand{}, spec); err != nil {
		t.Fatal(err)
	}
	if len(spec.Mounts) != 1 || spec.Mounts[0].Destination != filepath.Join(c.Config.Sandbox, "keys/token") {
		t.Fatalf("mounts %+v", spec.Mounts)
	}
	file := spec.Mounts[0].Source
	if data, err := os.ReadFile(file); err != nil || string(data) != "s3cret" {
		t.Errorf("the file has %q: %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o400 {
		t.Errorf("the file is %v: %v", info.Mode(), err)
	}
	// The sandbox has only an empty file to mount on.
	if data, err := os.ReadFile(spec.Mounts[0].Destination); err != nil || len(data) != 0 {
		t.Errorf("the sandbox has %q: %v", data, err)
	}
	if err := i.Cleanup(c); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the secret is still there: %v", err)
	}
}

func TestReference(t *testing.T) {
	i := New(Config{RuntimeDir: t.TempDir()})
	c := container(t, &mesos.Secret{Type: mesos.Secret_REFERENCE.Enum(), Reference: &mesos.Secret_Reference{Name: new("x")}})
	err := i.Prepare(c, isolator.Demand{}, &specs.Spec{Process: &specs.Process{}})
	if !errors.Is(err, containerizer.ErrUnsupported) {
		t.Errorf("Prepare: %v", err)
	}
}
