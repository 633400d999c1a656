package op

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/maintenance"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
)

func id(name string) *mesos.AgentID { return &mesos.AgentID{Value: &name} }

func info(name, host string) *mesos.AgentInfo {
	return &mesos.AgentInfo{Id: id(name), Hostname: &host}
}

func at(ns int64) *mesos.TimeInfo { return &mesos.TimeInfo{Nanoseconds: &ns} }

func machine(host string) *mesos.MachineID { return &mesos.MachineID{Hostname: &host} }

func schedule(hosts ...string) *maintenance.Schedule {
	var ids []*mesos.MachineID
	for _, h := range hosts {
		ids = append(ids, machine(h))
	}
	return &maintenance.Schedule{Windows: []*maintenance.Window{
		{MachineIds: ids, Unavailability: &mesos.Unavailability{Start: at(1)}},
	}}
}

func weight(role string, w float64) *mesos.WeightInfo {
	return &mesos.WeightInfo{Role: &role, Weight: &w}
}

func limit(role string, cpus float64) *quota.QuotaConfig {
	return &quota.QuotaConfig{Role: &role, Limits: map[string]*mesos.Value_Scalar{"cpus": {Value: &cpus}}}
}

func TestApply(t *testing.T) {
	type result struct {
		mutated bool
		err     error
	}
	tests := map[string]struct {
		ops  []Operation
		want []result
		// lists of IDs afterwards: admitted, unreachable, gone
		lists [3][]string
	}{
		"an agent is admitted once": {
			[]Operation{AdmitAgent{info("a", "h")}, AdmitAgent{info("a", "h")}},
			[]result{{true, nil}, {false, ErrAdmitted}},
			[3][]string{{"a"}, nil, nil},
		},
		"unreachable and back": {
			[]Operation{AdmitAgent{info("a", "h")}, MarkUnreachable{id("a"), at(1)}, MarkReachable{info("a", "h")}, MarkReachable{info("a", "h")}},
			[]result{{true, nil}, {true, nil}, {true, nil}, {false, nil}},
			[3][]string{{"a"}, nil, nil},
		},
		"the lists keep their order": {
			[]Operation{
				AdmitAgent{info("a", "h")}, AdmitAgent{info("b", "h")}, AdmitAgent{info("c", "h")},
				MarkUnreachable{id("c"), at(1)}, MarkUnreachable{id("a"), at(2)}, MarkUnreachable{id("b"), at(3)},
				MarkReachable{info("a", "h")},
			},
			[]result{{true, nil}, {true, nil}, {true, nil}, {true, nil}, {true, nil}, {true, nil}, {true, nil}},
			[3][]string{{"a"}, {"c", "b"}, nil},
		},
		"one that is not listed can't become unreachable": {
			[]Operation{MarkUnreachable{id("a"), at(1)}, RemoveAgent{id("a")}, UpdateAgent{info("a", "h")}, MarkGone{id("a"), at(1)}},
			[]result{{false, ErrUnknownAgent}, {false, ErrUnknownAgent}, {false, ErrUnknownAgent}, {false, ErrUnknownAgent}},
			[3][]string{},
		},
		"one that was swept is taken back": {
			[]Operation{MarkReachable{info("a", "h")}},
			[]result{{true, nil}},
			[3][]string{{"a"}, nil, nil},
		},
		"gone is for ever": {
			[]Operation{AdmitAgent{info("a", "h")}, MarkGone{id("a"), at(1)}, MarkReachable{info("a", "h")}, AdmitAgent{info("a", "h")}, MarkGone{id("a"), at(1)}},
			[]result{{true, nil}, {true, nil}, {false, ErrGone}, {false, ErrGone}, {false, ErrGone}},
			[3][]string{nil, nil, {"a"}},
		},
		"an unreachable one can go, too": {
			[]Operation{AdmitAgent{info("a", "h")}, MarkUnreachable{id("a"), at(1)}, MarkGone{id("a"), at(1)}},
			[]result{{true, nil}, {true, nil}, {true, nil}},
			[3][]string{nil, nil, {"a"}},
		},
		"an update that changes nothing": {
			[]Operation{AdmitAgent{info("a", "h")}, UpdateAgent{info("a", "h")}, UpdateAgent{info("a", "other")}},
			[]result{{true, nil}, {false, nil}, {true, nil}},
			[3][]string{{"a"}, nil, nil},
		},
		"pruning passes over what is not there": {
			[]Operation{
				AdmitAgent{info("a", "h")}, AdmitAgent{info("b", "h")}, MarkUnreachable{id("a"), at(1)}, MarkGone{id("b"), at(1)},
				Prune{[]*mesos.AgentID{id("a"), id("x")}, []*mesos.AgentID{id("b"), id("y")}},
				Prune{[]*mesos.AgentID{id("a")}, []*mesos.AgentID{id("b")}},
			},
			[]result{{true, nil}, {true, nil}, {true, nil}, {true, nil}, {true, nil}, {false, nil}},
			[3][]string{},
		},
		"removed": {
			[]Operation{AdmitAgent{info("a", "h")}, AdmitAgent{info("b", "h")}, RemoveAgent{id("a")}},
			[]result{{true, nil}, {true, nil}, {true, nil}},
			[3][]string{{"b"}, nil, nil},
		},
		"only a draining agent gets drained": {
			[]Operation{AdmitAgent{info("a", "h")}, MarkDrained{id("a")}, DrainAgent{ID: id("a")}, MarkDrained{id("a")}, ReactivateAgent{id("a")}},
			[]result{{true, nil}, {false, ErrNotDraining}, {true, nil}, {true, nil}, {true, nil}},
			[3][]string{{"a"}, nil, nil},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &registry.Registry{}
			results := Apply(r, NewIndex(r), test.ops)
			if len(results) != len(test.want) {
				t.Fatalf("%d results, want %d", len(results), len(test.want))
			}
			for i, got := range results {
				if want := test.want[i]; got.Mutated != want.mutated || !errors.Is(got.Err, want.err) || (want.err == nil) != (got.Err == nil) {
					t.Errorf("operation %d (%s): got %v, want %v", i, Name(test.ops[i]), got, want)
				}
			}
			if diff := cmp.Diff(test.lists, lists(r)); diff != "" {
				t.Errorf("lists (-want +got):\n%s", diff)
			}
		})
	}
}

func lists(r *registry.Registry) (l [3][]string) {
	for _, s := range r.GetSlaves().GetSlaves() {
		l[0] = append(l[0], s.GetInfo().GetId().GetValue())
	}
	for _, s := range r.GetUnreachable().GetSlaves() {
		l[1] = append(l[1], s.GetId().GetValue())
	}
	for _, s := range r.GetGone().GetSlaves() {
		l[2] = append(l[2], s.GetId().GetValue())
	}
	return l
}

// TestDutySurvives: what operators decided about an agent stays with it while
// it is unreachable, and asks for masters that know it.
func TestDutySurvives(t *testing.T) {
	r := &registry.Registry{}
	ix := NewIndex(r)
	config := &mesos.DrainConfig{MarkGone: new(true)}
	Apply(r, ix, []Operation{
		AdmitAgent{info("a", "h")}, AdmitAgent{info("b", "h")}, DrainAgent{id("a"), config}, DeactivateAgent{id("b")},
		MarkUnreachable{id("a"), at(1)},
	})
	u := r.GetUnreachable().GetSlaves()[0]
	if u.GetDrainInfo().GetState() != mesos.DrainState_DRAINING || !u.GetDrainInfo().GetConfig().GetMarkGone() || !u.GetDeactivated() {
		t.Errorf("the unreachable agent lost its duty: %v", u)
	}
	if got := Missing(r, nil); !slices.Equal(got, []string{"AGENT_DRAINING"}) {
		t.Errorf("missing capabilities: %v", got)
	}
	Apply(r, ix, []Operation{MarkReachable{info("a", "h")}, ReactivateAgent{id("a")}})
	if len(r.MinimumCapabilities) == 0 {
		t.Error("the capability is needed as long as one agent is deactivated")
	}
	Apply(r, ix, []Operation{ReactivateAgent{id("b")}})
	if len(r.MinimumCapabilities) != 0 {
		t.Errorf("the capability is not needed any more: %v", r.MinimumCapabilities)
	}
}

func TestPolicies(t *testing.T) {
	r := &registry.Registry{Quotas: []*registry.Registry_Quota{{Info: &quota.QuotaInfo{Role: new("old")}}}}
	ix := NewIndex(r)
	mutated := func(o Operation) bool { return Apply(r, ix, []Operation{o})[0].Mutated }
	for name, test := range map[string]struct{ got, want bool }{
		"1 a new weight":            {mutated(UpdateWeights{[]*mesos.WeightInfo{weight("a", 2)}}), true},
		"2 the same weight":         {mutated(UpdateWeights{[]*mesos.WeightInfo{weight("a", 2)}}), false},
		"3 another weight":          {mutated(UpdateWeights{[]*mesos.WeightInfo{weight("a", 3)}}), true},
		"4 no weight":               {mutated(UpdateWeights{}), false},
		"5 start what is scheduled": {mutated(UpdateSchedule{schedule("h", "i")}) && mutated(StartMaintenance{[]*mesos.MachineID{machine("h")}}), true},
		"6 start what is not":       {mutated(StartMaintenance{[]*mesos.MachineID{machine("x")}}), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: mutated %t", name, test.got)
		}
	}
}

func TestQuota(t *testing.T) {
	r := &registry.Registry{Quotas: []*registry.Registry_Quota{{Info: &quota.QuotaInfo{Role: new("a")}}}}
	ix := NewIndex(r)
	Apply(r, ix, []Operation{UpdateQuota{[]*quota.QuotaConfig{limit("a", 1), limit("b", 2)}}})
	Apply(r, ix, []Operation{UpdateQuota{[]*quota.QuotaConfig{limit("a", 3)}}})
	if len(r.Quotas) != 0 || len(r.QuotaConfigs) != 2 || r.QuotaConfigs[0].GetLimits()["cpus"].GetValue() != 3 {
		t.Errorf("got %v and %v", r.Quotas, r.QuotaConfigs)
	}
	if got := Missing(r, nil); !slices.Equal(got, []string{"QUOTA_V2"}) {
		t.Errorf("missing capabilities: %v", got)
	}
	Apply(r, ix, []Operation{UpdateQuota{[]*quota.QuotaConfig{{Role: new("a")}, {Role: new("b")}}}})
	if len(r.QuotaConfigs) != 0 || len(r.MinimumCapabilities) != 0 {
		t.Errorf("after the last quota: %v, %v", r.QuotaConfigs, r.MinimumCapabilities)
	}
}

func TestMaintenance(t *testing.T) {
	r := &registry.Registry{}
	ix := NewIndex(r)
	Apply(r, ix, []Operation{UpdateSchedule{schedule("h", "i")}, StartMaintenance{[]*mesos.MachineID{machine("h")}}})
	Apply(r, ix, []Operation{UpdateSchedule{schedule("h", "j")}})
	var modes []string
	for _, m := range r.GetMachines().GetMachines() {
		modes = append(modes, m.GetInfo().GetId().GetHostname()+" "+m.GetInfo().GetMode().String())
	}
	if diff := cmp.Diff([]string{"h DOWN", "j DRAINING"}, modes); diff != "" {
		t.Errorf("a machine that stays keeps its mode (-want +got):\n%s", diff)
	}
	Apply(r, ix, []Operation{StopMaintenance{[]*mesos.MachineID{machine("h"), machine("j")}}})
	if len(r.GetMachines().GetMachines()) != 0 || len(r.GetSchedules()) != 0 {
		t.Errorf("machines that are up: %v", r)
	}
}

// anyOperation draws an operation on few agents, so that they meet.
func anyOperation() *rapid.Generator[Operation] {
	return rapid.Custom(func(t *rapid.T) Operation {
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "agent")
		i, n := info(name, rapid.SampledFrom([]string{"h", "i"}).Draw(t, "host")), id(name)
		ids := []*mesos.AgentID{n}
		return rapid.SampledFrom([]Operation{
			AdmitAgent{i}, UpdateAgent{i}, MarkUnreachable{n, at(7)}, MarkReachable{i}, RemoveAgent{n}, MarkGone{n, at(8)},
			Prune{Unreachable: ids}, Prune{Gone: ids}, DrainAgent{n, &mesos.DrainConfig{MarkGone: new(true)}}, DrainAgent{ID: n},
			MarkDrained{n}, DeactivateAgent{n}, ReactivateAgent{n},
			UpdateWeights{[]*mesos.WeightInfo{weight(name, 2)}}, UpdateQuota{[]*quota.QuotaConfig{limit(name, 2)}},
			UpdateQuota{[]*quota.QuotaConfig{{Role: &name}}}, UpdateSchedule{schedule(name)},
			StartMaintenance{[]*mesos.MachineID{machine(name)}}, StopMaintenance{[]*mesos.MachineID{machine(name)}},
		}).Draw(t, "operation")
	})
}

// TestReplicas: a replica that reads the log, in whatever batches, has the same
// registry; an index that lives on equals a new one; and a snapshot that was
// taken before is not changed.
func TestReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SliceOfN(anyOperation(), 0, 40).Draw(t, "operations")
		one := &registry.Registry{}
		Apply(one, NewIndex(one), ops)

		log, err := Append(nil, ops)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Unmarshal(log)
		if err != nil {
			t.Fatal(err)
		}
		two := &registry.Registry{}
		ix := NewIndex(two)
		for len(read) > 0 {
			n := rapid.IntRange(1, len(read)).Draw(t, "batch")
			snapshot := shallow(two)
			before := proto.CloneOf(snapshot)
			results := Apply(two, ix, read[:n])
			if !proto.Equal(snapshot, before) {
				t.Fatal("a snapshot was changed")
			}
			checkUnchanged(t, before, two, results)
			read = read[n:]
		}
		if diff := cmp.Diff(one, two, protocmp.Transform()); diff != "" {
			t.Fatalf("replicas differ:\n%s", diff)
		}
		if diff := cmp.Diff(NewIndex(two), ix, cmp.AllowUnexported(Index{})); diff != "" {
			t.Fatalf("the index is wrong (-new +kept):\n%s", diff)
		}
		checkDisjoint(t, two)
	})
}

// shallow is a snapshot as stores take them.
func shallow(r *registry.Registry) *registry.Registry {
	s := &registry.Registry{
		Schedules: r.Schedules, Quotas: r.Quotas, Weights: r.Weights,
		MinimumCapabilities: r.MinimumCapabilities, QuotaConfigs: r.QuotaConfigs, Machines: r.Machines,
	}
	if r.Slaves != nil {
		s.Slaves = &registry.Registry_Slaves{Slaves: r.Slaves.Slaves}
	}
	if r.Unreachable != nil {
		s.Unreachable = &registry.Registry_UnreachableSlaves{Slaves: r.Unreachable.Slaves}
	}
	if r.Gone != nil {
		s.Gone = &registry.Registry_GoneSlaves{Slaves: r.Gone.Slaves}
	}
	return s
}

func checkUnchanged(t *rapid.T, before, after *registry.Registry, results []Result) {
	for _, r := range results {
		if r.Mutated {
			return
		}
	}
	if a, b := lists(before), lists(after); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Fatalf("nothing mutated, yet %v became %v", a, b)
	}
}

func checkDisjoint(t *rapid.T, r *registry.Registry) {
	seen := map[string]bool{}
	for _, list := range lists(r) {
		for _, name := range list {
			if seen[name] {
				t.Fatalf("agent %s is listed twice: %v", name, lists(r))
			}
			seen[name] = true
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	log, err := Append(nil, []Operation{AdmitAgent{info("a", "h")}, MarkUnreachable{id("a"), at(1)}, UpdateSchedule{schedule("h")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(log)
	f.Add([]byte{0xff, 0x01, 0x00})
	f.Add([]byte{codeAdmitAgent, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		ops, err := Unmarshal(data)
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Errorf("error %v is no ErrEncoding", err)
			}
			return
		}
		r := &registry.Registry{}
		Apply(r, NewIndex(r), ops)
		if _, err := Append(nil, ops); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}

func BenchmarkMarkReachable(b *testing.B) {
	const agents = 20_000
	var down, up []Operation
	for i := range agents {
		name := fmt.Sprintf("agent-%d", i)
		down = append(down, AdmitAgent{info(name, "h")}, MarkUnreachable{id(name), at(1)})
		up = append(up, MarkReachable{info(name, "h")})
	}
	for b.Loop() {
		b.StopTimer()
		r := &registry.Registry{}
		ix := NewIndex(r)
		Apply(r, ix, down)
		b.StartTimer()
		Apply(r, ix, up)
	}
	b.ReportMetric(float64(agents), "agents/op")
}
