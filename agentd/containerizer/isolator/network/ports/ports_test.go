package ports

import (
	"context"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/cgroups/cgrouptest"
	"github.com/mesos-operator/mesos-operator/agentd/containerizer/isolator"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// self is a container that consists of the test's process.
func self(t *testing.T) *isolator.Container {
	g := cgrouptest.FakeV1(t, "/mesos/c", map[string]string{"cpu/cgroup.procs": strconv.Itoa(os.Getpid())}, "cpu")
	return &isolator.Container{ID: "c", PID: os.Getpid(), Group: g}
}

func given(ports ...uint64) isolator.Demand {
	r := &mesos.Resource{Name: new("ports"), Type: mesos.Value_RANGES.Enum(), Ranges: &mesos.Value_Ranges{}}
	for _, p := range ports {
		r.Ranges.Range = append(r.Ranges.Range, &mesos.Value_Range{Begin: &p, End: &p})
	}
	return isolator.DemandOf([]*mesos.Resource{r}, nil)
}

func TestLook(t *testing.T) {
	var ports []uint64
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Skipf("needs %s: %v", address, err)
		}
		defer l.Close()
		ports = append(ports, uint64(l.Addr().(*net.TCPAddr).Port))
	}
	v4, v6 := ports[0], ports[1]
	within := resources.RangesOf(resources.Range{Begin: v6, End: v6})
	tests := map[string]struct {
		cfg     Config
		demand  isolator.Demand
		foreign []uint64
	}{
		"none given":        {demand: given(), foreign: ports},
		"one given":         {demand: given(v4), foreign: []uint64{v6}},
		"all given":         {demand: given(v4, v6)},
		"only some matter":  {cfg: Config{Within: &within}, demand: given(), foreign: []uint64{v6}},
		"no port matters":   {cfg: Config{Within: &resources.Ranges{}}, demand: given()},
		"others don't harm": {demand: given(v4, v6, 1, 2)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			i := New(tt.cfg)
			c := self(t)
			if l, err := i.look(c); l != nil || err != nil {
				t.Fatalf("before ports are known: %v, %v", l, err)
			}
			if err := i.Prepare(c, tt.demand, &specs.Spec{}); err != nil {
				t.Fatal(err)
			}
			l, err := i.look(c)
			if err != nil {
				t.Fatal(err)
			}
			var got, want resources.Ranges
			for _, p := range tt.foreign {
				want = want.Add(resources.RangesOf(resources.Range{Begin: p, End: p}))
			}
			if l != nil {
				got = resources.RangesFromProto(l.Resources[0].GetRanges())
			}
			if !got.Equal(want) {
				t.Errorf("it listens on %v that it wasn't given, want %v", got, want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, enforce := range []bool{true, false} {
		i := New(Config{Interval: time.Millisecond, Enforce: enforce, Log: logr.Discard()})
		c := self(t)
		if err := i.Prepare(c, given(), &specs.Spec{}); err != nil {
			t.Fatal(err)
		}
		limit := 10 * time.Second
		if !enforce {
			limit = 100 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		got, _ := i.Watch(ctx, c)
		if (got != nil) != enforce {
			t.Errorf("enforced: %v; limitation: %+v", enforce, got)
		}
		if got != nil && !strings.HasPrefix(got.Message, "Container c is listening on unallocated port(s): [") {
			t.Errorf("message %q", got.Message)
		}
	}
}

func TestParse(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000000000000000 20 4 30 10 -1
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 333 1
`
	got := map[string]uint64{}
	if err := parse(strings.NewReader(table), got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]uint64{"111": 8080, "333": 80}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMeanwhile: after a restart a container isn't looked at before the agent knows what its
// tasks have, and then what is nested in it has the same.
func TestMeanwhile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint64(l.Addr().(*net.TCPAddr).Port)
	i := New(Config{Interval: time.Millisecond, Enforce: true, Log: logr.Discard()})
	c, nested := self(t), self(t)
	nested.ID = "c.task"
	looks := func(want bool) {
		t.Helper()
		for _, one := range []*isolator.Container{c, nested} {
			if got, err := i.look(one); err != nil || (got != nil) != want {
				t.Errorf("%s: %+v, %v; want a limitation: %v", one.ID, got, err, want)
			}
		}
	}
	for _, one := range []*isolator.Container{c, nested} {
		if err := i.Attach(one, true); err != nil {
			t.Fatal(err)
		}
	}
	looks(false)
	if err := i.Update(c, given(port), nil); err != nil {
		t.Fatal(err)
	}
	looks(false)
	if err := i.Update(c, given(), nil); err != nil {
		t.Fatal(err)
	}
	looks(true)
}
