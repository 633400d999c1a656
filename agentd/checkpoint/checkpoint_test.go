package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/agentd/paths"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

const testAgent = "m-S0"

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// life makes the records of an agent with two frameworks, and what they add up to.
func life() ([]state.Record, *state.Snapshot) {
	agent := &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: new(testAgent)}}
	volume := &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(64.0)},
		Reservations: []*mesos.Resource_ReservationInfo{{
			Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("prod/web"),
		}},
		Disk: &mesos.Resource_DiskInfo{Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v1")}},
	}
	operation := &mesos.Operation{
		Uuid:         &mesos.UUID{Value: []byte("0123456789abcdef")},
		Info:         &mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE.Enum()},
		LatestStatus: &mesos.OperationStatus{State: mesos.OperationState_OPERATION_FINISHED.Enum()},
	}
	drain := &mesos.DrainConfig{MarkGone: new(true)}
	snapshot := &state.Snapshot{
		Agent: agent, Drain: drain, Resources: []*mesos.Resource{volume}, Operations: []*mesos.Operation{operation},
		Providers: providersNamed("a", "b"), GoneProviders: providersNamed("c"),
	}
	records := []state.Record{
		state.AgentRecord{Info: agent},
		state.DrainRecord{AgentID: testAgent, Config: drain},
		state.ProvidersRecord{AgentID: testAgent, Known: snapshot.Providers, Gone: snapshot.GoneProviders},
		state.ResourcesRecord{Resources: snapshot.Resources, Operations: snapshot.Operations, Target: true},
		state.VolumesRecord{Create: snapshot.Resources},
		state.ResourcesRecord{Resources: snapshot.Resources, Operations: snapshot.Operations},
	}
	for i := range 2 {
		f := state.FrameworkSnapshot{
			Info: &mesos.FrameworkInfo{
				Id: &mesos.FrameworkID{Value: new(fmt.Sprintf("f%d", i))}, User: new("u"), Name: new("n"),
			},
			PID: []string{"", "scheduler-1@10.0.0.9:40000"}[i],
		}
		records = append(records, state.FrameworkRecord{AgentID: testAgent, Info: f.Info, PID: f.PID})
		for j := range 2 {
			e, more := executorLife(f.Info.GetId().GetValue(), fmt.Sprintf("e%d", j), j == 0)
			f.Executors = append(f.Executors, e)
			records = append(records, more...)
		}
		snapshot.Frameworks = append(snapshot.Frameworks, f)
	}
	return records, snapshot
}

func executorLife(framework, id string, generated bool) (state.ExecutorSnapshot, []state.Record) {
	e := state.ExecutorSnapshot{
		Info:      &mesos.ExecutorInfo{ExecutorId: &mesos.ExecutorID{Value: &id}},
		Container: framework + "-" + id, Generated: generated, Completed: !generated,
	}
	run := state.RunID{AgentID: testAgent, FrameworkID: framework, ExecutorID: id, Container: e.Container}
	records := []state.Record{state.ExecutorRecord{
		AgentID: testAgent, FrameworkID: framework, Container: e.Container, Info: e.Info, Generated: generated,
	}}
	for k := range 2 {
		name := fmt.Sprintf("t%d", k)
		t := state.TaskSnapshot{Task: &mesos.Task{
			Name: &name, TaskId: &mesos.TaskID{Value: &name}, FrameworkId: &mesos.FrameworkID{Value: &framework},
			AgentId: &mesos.AgentID{Value: new(testAgent)}, State: mesos.TaskState_TASK_STAGING.Enum(),
		}}
		records = append(records, state.TaskRecord{Run: run, Task: t.Task})
		for n := range 3 {
			u := testUpdate(framework, name, byte(n))
			t.Updates = append(t.Updates, u)
			records = append(records, state.UpdateRecord{Run: run, TaskID: name, Update: u})
			if n < 2 {
				t.Acknowledged = append(t.Acknowledged, u.Uuid)
				records = append(records, state.AcknowledgementRecord{Run: run, TaskID: name, UUID: u.Uuid})
			}
		}
		e.Tasks = append(e.Tasks, t)
	}
	if e.Completed {
		records = append(records, state.CompletedRecord{Run: run})
	}
	return e, records
}

func testUpdate(framework, task string, n byte) *messages.StatusUpdate {
	return &messages.StatusUpdate{
		FrameworkId: &mesos.FrameworkID{Value: &framework}, Timestamp: new(float64(n)),
		Uuid: bytes.Repeat([]byte{n + 1}, 16),
		Status: &mesos.TaskStatus{
			TaskId: &mesos.TaskID{Value: &task}, State: mesos.TaskState_TASK_RUNNING.Enum(),
		},
	}
}

func diff(want, got any) string {
	return cmp.Diff(want, got, protocmp.Transform(), cmpopts.EquateEmpty())
}

// TestRoundTrip applies records in batches of any size, and recovers what they say.
func TestRoundTrip(t *testing.T) {
	records, want := life()
	for _, size := range []int{1, 3, 10, len(records)} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := open(t, t.TempDir())
			defer s.Close()
			for batch := range slices.Chunk(records, size) {
				if err := s.Apply(batch); err != nil {
					t.Fatal(err)
				}
			}
			got, problems, err := s.Recover("boot", true)
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			if d := diff(want, got); d != "" {
				t.Fatalf("recovered (-want +got):\n%s", d)
			}
		})
	}
}

func TestReplacesAndRemoves(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	records, want := life()
	volume := want.Resources[0]
	path, err := paths.PersistentVolume(dir, volume)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(rs ...state.Record) {
		t.Helper()
		if err := s.Apply(rs); err != nil {
			t.Fatal(err)
		}
	}
	apply(records...)
	if _, err := os.Stat(path); err != nil {
		t.Error("volume was not made:", err)
	}
	apply(
		state.DrainRecord{AgentID: testAgent},
		state.ResourcesRecord{Target: true},
		state.VolumesRecord{Destroy: want.Resources},
	)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("volume was not removed:", err)
	}
	got, _, err := s.Recover("", false)
	if err != nil {
		t.Fatal(err)
	}
	if got.Drain != nil || got.Target == nil || len(got.Target) != 0 || len(got.Resources) != 1 {
		t.Errorf("drain %v, target %v, resources %v: the change is under way", got.Drain, got.Target, got.Resources)
	}
	apply(state.ResourcesRecord{}, state.ForgetAgentRecord{})
	if got, _, err = s.Recover("", false); err != nil || got.Agent != nil || got.Target != nil || len(got.Resources) != 0 {
		t.Errorf("recovered %v, %v", got, err)
	}
}

// TestTaskIDIsUsedAgain launches a task with the ID of one that is over: of the
// first one's updates none may be taken for the second's, wherever a crash comes.
func TestTaskIDIsUsedAgain(t *testing.T) {
	first, records := executorLife("m-0000", "e1", false)
	run := state.RunID{AgentID: "m-S0", FrameworkID: "m-0000", ExecutorID: "e1", Container: first.Container}
	old := first.Tasks[0]
	id := old.Task.GetTaskId().GetValue()
	next := proto.CloneOf(old.Task)
	next.Name = new("second")
	again, update := state.TaskRecord{Run: run, Task: next}, testUpdate("m-0000", id, 9)
	info := &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: new("m-S0")}}
	framework := &mesos.FrameworkInfo{User: new("u"), Name: new("n"), Id: &mesos.FrameworkID{Value: new("m-0000")}}
	before := append([]state.Record{state.AgentRecord{Info: info}, state.FrameworkRecord{AgentID: "m-S0", Info: framework}}, records...)
	for name, batches := range map[string][][]state.Record{
		"later":              {before, {again}, {state.UpdateRecord{Run: run, TaskID: id, Update: update}}},
		"with its update":    {before, {again, state.UpdateRecord{Run: run, TaskID: id, Update: update}}},
		"all in one batch":   {append(slices.Clone(before), again, state.UpdateRecord{Run: run, TaskID: id, Update: update})},
		"twice, then update": {before, {again}, {again}, {state.UpdateRecord{Run: run, TaskID: id, Update: update}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			for _, b := range batches {
				if err := s.Apply(b); err != nil {
					t.Fatal(err)
				}
			}
			got, problems, err := s.Recover("", true)
			if err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			tasks := got.Frameworks[0].Executors[0].Tasks
			i := slices.IndexFunc(tasks, func(s state.TaskSnapshot) bool { return s.Task.GetTaskId().GetValue() == id })
			want := state.TaskSnapshot{Task: next, Updates: []*messages.StatusUpdate{update}}
			if d := diff(want, tasks[i]); d != "" {
				t.Errorf("recovered (-want +got):\n%s", d)
			}
		})
	}
}

func TestBootID(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	for i, tt := range []struct {
		boot     string
		rebooted bool
	}{{"a", false}, {"a", false}, {"b", true}} {
		got, _, err := s.Recover(tt.boot, true)
		if err != nil || got.Rebooted != tt.rebooted {
			t.Errorf("start %d: rebooted = %v, %v", i, got.Rebooted, err)
		}
		if err := s.SaveBootID(tt.boot); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenExcludesOthers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v", err)
	}
	s.Close()
	open(t, dir).Close()
}

// TestDamage truncates or changes a file at any byte. Recovery must say so, and
// what it still returns must be what was written.
func TestDamage(t *testing.T) {
	records, want := life()
	base := t.TempDir()
	s := open(t, base)
	if err := s.Apply(records); err != nil {
		t.Fatal(err)
	}
	s.Close()
	files := regularFiles(t, base)
	rapid.Check(t, func(rt *rapid.T) {
		file := filepath.Join(base, rapid.SampledFrom(files).Draw(rt, "file"))
		defer damage(rt, file)()
		s := open(t, base)
		defer s.Close()
		got, problems, err := s.Recover("", false)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				rt.Fatal(err)
			}
			return
		}
		if len(problems) == 0 && !boundary(want, got) {
			rt.Fatalf("nothing is reported of damage to %s:\n%s", file, diff(want, got))
		}
		within(rt, want, got)
		again, problems, err := s.Recover("", false)
		if err != nil || size(got) != size(again) {
			rt.Fatalf("recovering once more: %v %v", err, problems)
		}
	})
}

// boundary says whether the damage cut a stream between two records, which can't
// be told from one that was never longer.
func boundary(want, got *state.Snapshot) bool {
	w, g := size(want), size(got)
	return g.tasks == w.tasks && g.records < w.records
}

// sizes count what a snapshot has.
type sizes struct{ frameworks, executors, tasks, records int }

func size(s *state.Snapshot) (out sizes) {
	out.frameworks = len(s.Frameworks)
	for _, f := range s.Frameworks {
		out.executors += len(f.Executors)
		for _, e := range f.Executors {
			out.tasks += len(e.Tasks)
			for _, t := range e.Tasks {
				out.records += len(t.Updates) + len(t.Acknowledged)
			}
		}
	}
	return out
}

func regularFiles(t *testing.T, dir string) []string {
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// damage changes a file and returns how to take that back.
func damage(rt *rapid.T, file string) (repair func()) {
	whole, err := os.ReadFile(file)
	if err != nil {
		rt.Fatal(err)
	}
	data := slices.Clone(whole)
	at := rapid.IntRange(0, len(data)-1).Draw(rt, "at")
	if rapid.Bool().Draw(rt, "truncate") {
		data = data[:at]
	} else {
		data[at] ^= byte(rapid.IntRange(1, 255).Draw(rt, "flip"))
	}
	write := func(data []byte) {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			rt.Fatal(err)
		}
	}
	write(data)
	return func() { write(whole) }
}

// within checks that everything recovered was written.
func within(rt *rapid.T, want, got *state.Snapshot) {
	for _, f := range got.Frameworks {
		i := slices.IndexFunc(want.Frameworks, func(w state.FrameworkSnapshot) bool {
			return w.Info.GetId().GetValue() == f.Info.GetId().GetValue()
		})
		if i < 0 || !proto.Equal(want.Frameworks[i].Info, f.Info) || want.Frameworks[i].PID != f.PID {
			rt.Fatalf("framework %v was never written", f.Info)
		}
		for _, e := range f.Executors {
			executorWithin(rt, want.Frameworks[i], e)
		}
	}
}

func executorWithin(rt *rapid.T, f state.FrameworkSnapshot, e state.ExecutorSnapshot) {
	i := slices.IndexFunc(f.Executors, func(w state.ExecutorSnapshot) bool { return w.Container == e.Container })
	if i < 0 || !proto.Equal(f.Executors[i].Info, e.Info) {
		rt.Fatalf("executor %v was never written", e.Info)
	}
	for _, t := range e.Tasks {
		j := slices.IndexFunc(f.Executors[i].Tasks, func(w state.TaskSnapshot) bool { return proto.Equal(w.Task, t.Task) })
		if j < 0 {
			rt.Fatalf("task %v was never written", t.Task)
		}
		w := f.Executors[i].Tasks[j]
		equal := func(a, b *messages.StatusUpdate) bool { return proto.Equal(a, b) }
		if n := len(t.Updates); n > len(w.Updates) || !slices.EqualFunc(w.Updates[:n], t.Updates, equal) {
			rt.Fatalf("updates are no beginning of what was written: %v", t.Updates)
		}
		if n := len(t.Acknowledged); n > len(w.Acknowledged) || !slices.EqualFunc(w.Acknowledged[:n], t.Acknowledged, bytes.Equal) {
			rt.Fatalf("acknowledgements are no beginning of what was written: %v", t.Acknowledged)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(header)
	f.Add(appendFrame(slices.Clone(header), kindEnd, nil))
	f.Add(appendFrame(appendFrame(slices.Clone(header), kindAcknowledgement, []byte("uuid")), kindEnd, nil))
	f.Add([]byte("mck\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, good, err := parse(data)
		if err == nil && good != len(data) || good > len(data) {
			t.Fatalf("%d of %d bytes are good, %v", good, len(data), err)
		}
		out := slices.Clone(header)
		for _, r := range records {
			out = appendFrame(out, r.kind, r.payload)
		}
		if good > 0 && !bytes.Equal(out, data[:good]) {
			t.Errorf("records don't add up to the bytes they came from")
		}
	})
}

func BenchmarkApply(b *testing.B) {
	s := open(b, b.TempDir())
	defer s.Close()
	run := state.RunID{AgentID: testAgent, FrameworkID: "f", ExecutorID: "e", Container: "c"}
	for n := 0; b.Loop(); n++ {
		err := s.Apply([]state.Record{state.UpdateRecord{Run: run, TaskID: "t", Update: testUpdate("f", "t", byte(n))}})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func providersNamed(names ...string) []*mesos.ResourceProviderInfo {
	var out []*mesos.ResourceProviderInfo
	for _, name := range names {
		out = append(out, &mesos.ResourceProviderInfo{
			Id: &mesos.ResourceProviderID{Value: new("id-" + name)}, Type: new("dev.mesos.rp.test"), Name: &name,
		})
	}
	return out
}

// TestDamagedProviders: an agent that forgot its resource providers would lock them
// out, and let those in that are gone.
func TestDamagedProviders(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	if err := s.Apply([]state.Record{
		state.AgentRecord{Info: &mesos.AgentInfo{Hostname: new("h"), Id: &mesos.AgentID{Value: new(testAgent)}}},
		state.ProvidersRecord{AgentID: testAgent, Known: providersNamed("a")},
	}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(paths.Agent(s.meta, testAgent), providersFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if err := os.WriteFile(path, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Recover("", false); err == nil {
			t.Fatalf("the first %d bytes of %d are taken for all", n, len(data))
		}
	}
}
