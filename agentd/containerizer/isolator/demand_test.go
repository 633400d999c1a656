package isolator

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func scalar(name string, v float64, revocable bool) *mesos.Resource {
	r := &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}
	if revocable {
		r.Revocable = &mesos.Resource_RevocableInfo{}
	}
	return r
}

func TestDemandOf(t *testing.T) {
	requests := []*mesos.Resource{
		scalar("cpus", 0.1, false), scalar("mem", 32, false), scalar("disk", 10, false),
		scalar("cpus", 0.2, true), scalar("mem", 0.5, false),
	}
	got := DemandOf(requests, map[string]*mesos.Value_Scalar{"cpus": {Value: new(math.Inf(1))}})
	want := Demand{CPUs: 0.3, RevocableCPUs: true, Mem: 32<<20 + 1<<19, CPULimit: new(math.Inf(1)), Resources: requests}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBytes(t *testing.T) {
	for mb, want := range map[float64]uint64{0: 0, -1: 0, 1: 1 << 20, math.Inf(1): math.MaxInt64, math.NaN(): 0} {
		if got := Bytes(mb); got != want {
			t.Errorf("%v MB are %d bytes", mb, got)
		}
	}
}
