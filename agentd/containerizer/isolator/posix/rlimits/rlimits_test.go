package rlimits

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestPrepare(t *testing.T) {
	nofile := mesos.RLimitInfo_RLimit_RLMT_NOFILE.Enum()
	tests := map[string]struct {
		limit *mesos.RLimitInfo_RLimit
		want  []specs.POSIXRlimit // nil for an error
	}{
		"both":             {&mesos.RLimitInfo_RLimit{Type: nofile, Soft: new(uint64(1)), Hard: new(uint64(2))}, []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 2}}},
		"neither":          {&mesos.RLimitInfo_RLimit{Type: nofile}, []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: infinity, Hard: infinity}}},
		"one":              {&mesos.RLimitInfo_RLimit{Type: nofile, Soft: new(uint64(1))}, nil},
		"the wrong way up": {&mesos.RLimitInfo_RLimit{Type: nofile, Soft: new(uint64(2)), Hard: new(uint64(1))}, nil},
		"unknown":          {&mesos.RLimitInfo_RLimit{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &isolator.Container{Config: containerizer.Config{Container: &mesos.ContainerInfo{
				RlimitInfo: &mesos.RLimitInfo{Rlimits: []*mesos.RLimitInfo_RLimit{tt.limit}},
			}}}
			spec := &specs.Spec{Process: &specs.Process{}}
			if err := New().Prepare(c, isolator.Demand{}, spec); (err != nil) != (tt.want == nil) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, spec.Process.Rlimits); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
