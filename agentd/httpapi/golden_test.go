package httpapi

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/agentd/engine/enginetest"
	"github.com/mesos-operator/mesos-operator/agentd/state"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// The files in testdata/golden are answers of a real Mesos agent with a task
// group, a running command task, and two that ended. Tests rebuild the view of
// such an agent from its GET_STATE and expect the same answers.

// recorded returns the body of a recorded answer.
func recorded(t *testing.T, name string) json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Body json.RawMessage }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Body
}

func recordedCall(t *testing.T, name string) *agent.Response {
	t.Helper()
	out := &agent.Response{}
	if err := codec.Unmarshal(codec.JSON, recorded(t, "v1/"+name), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// v0Executor is what only the v0 endpoint tells of an executor.
type v0Executor struct{ ID, Container, Directory string }

// goldenView is the agent that gave the recorded answers.
func goldenView(t *testing.T) *state.View {
	t.Helper()
	var v0 struct {
		Frameworks []struct {
			Executors          []v0Executor
			CompletedExecutors []v0Executor `json:"completed_executors"`
		}
	}
	if err := json.Unmarshal(recorded(t, "busy_state"), &v0); err != nil {
		t.Fatal(err)
	}
	s := recordedCall(t, "GET_STATE").GetGetState()
	f := &state.Framework{
		ID:   s.GetGetFrameworks().GetFrameworks()[0].GetFrameworkInfo().GetId().GetValue(),
		Info: s.GetGetFrameworks().GetFrameworks()[0].GetFrameworkInfo(),
	}
	for _, e := range s.GetGetExecutors().GetExecutors() {
		f.Executors = append(f.Executors, goldenExecutor(f.ID, e.GetExecutorInfo(), v0.Frameworks[0].Executors, s.GetGetTasks()))
	}
	for _, e := range s.GetGetExecutors().GetCompletedExecutors() {
		f.Completed = append(f.Completed, goldenExecutor(f.ID, e.GetExecutorInfo(), v0.Frameworks[0].CompletedExecutors, s.GetGetTasks()))
	}
	v := &state.View{
		Phase: state.Running, Agent: recordedCall(t, "GET_AGENT").GetGetAgent().GetAgentInfo(),
		Master: "master@127.0.0.1:5050", Frameworks: []*state.Framework{f},
	}
	for _, c := range []mesos.AgentInfo_Capability_Type{1, 2, 3, 4, 5, 6, 7, 8} {
		v.Capabilities = append(v.Capabilities, &mesos.AgentInfo_Capability{Type: &c})
	}
	v.Total = goldenTotal(t)
	return v
}

// goldenTotal is what the agent has, with its reservation, from the full lists.
func goldenTotal(t *testing.T) []*mesos.Resource {
	t.Helper()
	var v0 struct {
		Reserved   map[string][]json.RawMessage `json:"reserved_resources_full"`
		Unreserved []json.RawMessage            `json:"unreserved_resources_full"`
	}
	if err := json.Unmarshal(recorded(t, "busy_state"), &v0); err != nil {
		t.Fatal(err)
	}
	var out []*mesos.Resource
	for _, raw := range append(slices.Clone(v0.Unreserved), v0.Reserved["prod/web"]...) {
		r := &mesos.Resource{}
		if err := codec.Unmarshal(codec.JSON, raw, r); err != nil {
			t.Fatal(err)
		}
		// The endpoint tells reservations twice; the new form is enough.
		r.Role, r.Reservation = nil, nil
		out = append(out, r)
	}
	return out
}

func goldenExecutor(
	framework string, info *mesos.ExecutorInfo, known []v0Executor, tasks *agent.Response_GetTasks,
) *state.Executor {
	e := &state.Executor{ID: info.GetExecutorId().GetValue(), FrameworkID: framework, Info: info, Phase: state.Active}
	for _, k := range known {
		if k.ID == e.ID {
			e.Container, e.Directory = k.Container, k.Directory
		}
	}
	mine := func(t *mesos.Task) bool {
		return t.GetExecutorId().GetValue() == e.ID || t.ExecutorId == nil && t.GetTaskId().GetValue() == e.ID
	}
	e.Resources = slices.Clone(info.GetResources())
	for _, t := range tasks.GetLaunchedTasks() {
		if mine(t) {
			e.Launched = append(e.Launched, t)
			e.Resources = append(e.Resources, t.GetResources()...)
		}
	}
	for _, t := range tasks.GetCompletedTasks() {
		if mine(t) {
			e.Completed = append(e.Completed, t)
		}
	}
	return e
}

// anyOrder compares JSON without regard to the order of lists.
var anyOrder = cmpopts.SortSlices(func(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) < string(y)
})

func jsonDiff(t *testing.T, want, got []byte, ignore ...string) string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	ignored := cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return slices.Contains(ignore, key) })
	return cmp.Diff(w, g, anyOrder, ignored, cmpopts.EquateApprox(0, 1e-9))
}

func goldenAPI(t *testing.T) *API {
	t.Helper()
	flags := map[string]string{}
	for _, f := range recordedCall(t, "GET_FLAGS").GetGetFlags().GetFlags() {
		flags[f.GetName()] = f.GetValue()
	}
	a := newAgent(t, enginetest.NewMaster(t), enginetest.NewContainers())
	a.api.cfg.Flags = flags
	a.api.cfg.MasterHostname = func(string) string { return "localhost" }
	a.api.cfg.Started = time.Now()
	return a.api
}

func TestGoldenState(t *testing.T) {
	a := goldenAPI(t)
	w := &writer{}
	w.element(func() { a.state(w, goldenView(t), nil) })
	if diff := jsonDiff(t, recorded(t, "busy_state"), w.b,
		"version", "git_sha", "git_branch", "build_date", "build_time", "build_user", "start_time", "pid"); diff != "" {
		t.Errorf("/state (-Mesos +ours):\n%s", diff)
	}
}

func TestGoldenCalls(t *testing.T) {
	v := goldenView(t)
	for _, name := range []string{
		"GET_AGENT", "GET_STATE", "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS", "GET_RESOURCE_PROVIDERS",
	} {
		t.Run(name, func(t *testing.T) {
			call := agent.Call_Type(agent.Call_Type_value[name])
			got := show(call, v)
			got.Type = agent.Response_Type(agent.Response_Type_value[name]).Enum()
			if diff := jsonDiff(t, recorded(t, "v1/"+name), appendResponse(nil, got)); diff != "" {
				t.Errorf("(-Mesos +ours):\n%s", diff)
			}
			encoded, err := codec.Marshal(codec.Protobuf, got)
			if err != nil {
				t.Fatal(err)
			}
			if back := (&agent.Response{}); proto.Unmarshal(encoded, back) != nil || !proto.Equal(got, back) {
				t.Error("protobuf differs from JSON")
			}
		})
	}
}

// keysOf is the shape of a JSON value: its keys, with the first of a list.
func keysOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = keysOf(x)
		}
		return out
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{keysOf(v[0])}
	case string:
		return "text"
	case float64:
		return "number"
	}
	return v
}

func shapeDiff(t *testing.T, want, got []byte, ignore ...string) string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	ignored := cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return slices.Contains(ignore, key) })
	return cmp.Diff(keysOf(w), keysOf(g), ignored)
}
