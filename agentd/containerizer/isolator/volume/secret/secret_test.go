package secret

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	"github.com/mesos-operator/mesos-operator/agentd/secrets"
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
	reference := &mesos.Secret{Type: mesos.Secret_REFERENCE.Enum(), Reference: &mesos.Secret_Reference{Name: new("db"), Key: new("password")}}
	spec := func() *specs.Spec {
		return &specs.Spec{Process: &specs.Process{User: specs.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}}}
	}
	err := New(Config{RuntimeDir: t.TempDir()}).Prepare(container(t, reference), isolator.Demand{}, spec())
	if !errors.Is(err, secrets.ErrReference) {
		t.Errorf("without a resolver: %v", err)
	}
	i := New(Config{RuntimeDir: t.TempDir(), Resolve: func(_ context.Context, s *mesos.Secret) ([]byte, error) {
		return []byte(s.GetReference().GetName() + "'s " + s.GetReference().GetKey()), nil
	}})
	resolved := spec()
	if err := i.Prepare(container(t, reference), isolator.Demand{}, resolved); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(resolved.Mounts[0].Source); err != nil || string(data) != "db's password" {
		t.Errorf("the file has %q: %v", data, err)
	}
}
