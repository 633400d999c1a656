package pid

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestPrepare(t *testing.T) {
	for share, want := range map[bool][]specs.LinuxNamespace{
		false: {{Type: specs.PIDNamespace}},
		true:  nil,
	} {
		spec := &specs.Spec{Linux: &specs.Linux{}}
		c := &isolator.Container{Config: containerizer.Config{
			Container: &mesos.ContainerInfo{LinuxInfo: &mesos.LinuxInfo{SharePidNamespace: &share}}}}
		if err := New(Config{}).Prepare(c, isolator.Demand{}, spec); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, spec.Linux.Namespaces); diff != "" || len(spec.Mounts) != len(want) {
			t.Errorf("share %v: mounts %v (-want +got):\n%s", share, spec.Mounts, diff)
		}
	}
}

func TestForbidSharing(t *testing.T) {
	share := containerizer.Config{Container: &mesos.ContainerInfo{LinuxInfo: &mesos.LinuxInfo{SharePidNamespace: new(true)}}}
	for id, fails := range map[containerizer.ID]bool{"c": true, "p.c": false} {
		spec := &specs.Spec{Linux: &specs.Linux{}}
		err := New(Config{ForbidSharing: true}).Prepare(&isolator.Container{ID: id, Config: share}, isolator.Demand{}, spec)
		if (err != nil) != fails {
			t.Errorf("container %s: %v", id, err)
		}
	}
}
