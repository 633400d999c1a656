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
		if err := New().Prepare(c, isolator.Demand{}, spec); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, spec.Linux.Namespaces); diff != "" || len(spec.Mounts) != len(want) {
			t.Errorf("share %v: mounts %v (-want +got):\n%s", share, spec.Mounts, diff)
		}
	}
}
