package blkio

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

func TestUsage(t *testing.T) {
	v2, err := cgroups.NewTree([]cgroups.Hierarchy{{Dir: t.TempDir(), Controllers: []string{"cpu"}, Unified: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(v2); !errors.Is(err, cgroups.ErrNoController) {
		t.Errorf("a machine without the controller: %v", err)
	}

	g := cgrouptest.FakeV1(t, "/c", map[string]string{
		"blkio/blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 512\n8:0 Total 4608\nTotal 4608\n",
		"blkio/blkio.throttle.io_serviced":      "8:0 Read 1\n8:0 Discard 3\n8:16 Read 2\nsomething new\nTotal 6\n",
	}, "blkio")
	i, err := New(g.Tree())
	if err != nil {
		t.Fatal(err)
	}
	got := &mesos.ResourceStatistics{}
	if err := i.Usage(&isolator.Container{Group: g}, got); err != nil {
		t.Fatal(err)
	}
	want := &mesos.ResourceStatistics{}
	const text = `blkio_statistics {
		throttling {
			device { major_number: 8 minor_number: 0 }
			io_service_bytes { op: READ value: 4096 } io_service_bytes { op: WRITE value: 512 } io_service_bytes { op: TOTAL value: 4608 }
			io_serviced { op: READ value: 1 } io_serviced { op: DISCARD value: 3 }
		}
		throttling { device { major_number: 8 minor_number: 16 } io_serviced { op: READ value: 2 } }
		throttling { io_service_bytes { op: TOTAL value: 4608 } io_serviced { op: TOTAL value: 6 } }
		cfq {} cfq_recursive {}
	}`
	if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestV2(t *testing.T) {
	var tab table
	tab.addV2("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:1\n")
	want := &statistics{}
	const text = `device { major_number: 8 minor_number: 0 }
		io_service_bytes { op: READ value: 1 } io_service_bytes { op: WRITE value: 2 } io_service_bytes { op: DISCARD value: 5 }
		io_serviced { op: READ value: 3 } io_serviced { op: WRITE value: 4 } io_serviced { op: DISCARD value: 6 }`
	if err := prototext.Unmarshal([]byte(text), want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*statistics{want}, tab.rows, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
