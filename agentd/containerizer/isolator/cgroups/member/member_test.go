package member

import (
	"errors"
	"testing"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
)

func TestNew(t *testing.T) {
	v1 := cgrouptest.FakeV1(t, "/c", nil, "cpuset", "pids").Tree()
	v2 := cgrouptest.FakeV2(t, "/c", nil).Tree() // cpu, memory, pids
	tests := map[string]struct {
		tree *cgroups.Tree
		name string
		ok   bool
	}{
		"there":         {v1, CPUSet, true},
		"not there":     {v1, HugeTLB, false},
		"v2":            {v2, PIDs, true},
		"v2, not there": {v2, NetPrio, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i, err := New(tt.name, tt.tree)
			if tt.ok && (err != nil || i.Name() != tt.name) || !tt.ok && !errors.Is(err, cgroups.ErrNoController) {
				t.Errorf("New: %v, %v", i, err)
			}
		})
	}
}
