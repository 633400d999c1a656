package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// cluster is a master with an agent on which a task runs, one has finished, and
// a framework that has ended.
type cluster struct {
	master    *testbed.Master
	agent     *testbed.Agent
	framework *testbed.Framework
}

func startCluster(t *testing.T) cluster {
	t.Helper()
	c := cluster{master: testbed.StartMaster(t, "--cluster=golden")}
	c.agent = testbed.StartAgent(t, c.master.Address, testbed.Posix, "--attributes=rack:r1;zone:a")
	awaitAgents(t, c.master, 1)
	ended := testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{"name": "ended"}})
	ended.Call("TEARDOWN", nil)
	c.framework = testbed.Subscribe(t, c.master, testbed.FrameworkOptions{Info: object{
		"checkpoint": true, "principal": "me", "hostname": "fw.example", "webui_url": "http://fw.example:80",
		"labels": object{"labels": list{object{"key": "team", "value": "a"}}},
	}})
	c.framework.Run("t-done", "true")
	c.framework.Follow("t-done", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
	offer := c.framework.Offer()
	task := testbed.Task(offer, "t-sleep", testbed.NewSleeper().Command())
	task["labels"] = object{"labels": list{object{"key": "app", "value": "web"}}}
	task["discovery"] = object{"visibility": "CLUSTER", "name": "web",
		"ports": object{"ports": list{object{"number": 31005, "name": "http", "protocol": "tcp"}}}}
	c.framework.Accept(offer, testbed.Launch(task))
	c.framework.Follow("t-sleep", "TASK_STARTING", "TASK_RUNNING")
	testbed.Eventually(t, "an offer is outstanding", func() error {
		offers := c.master.Ask(object{"type": "GET_FRAMEWORKS"}).At("get_frameworks", "frameworks", 0, "offers")
		if len(offers.List()) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
	return c
}

// Members that a recording has, or hasn't, because of what had happened in that
// cluster: reservations, volumes, a task group, health checks, a fault domain.
func scenario(call string) []string {
	var out []string
	for _, prefix := range []string{"", "get_state."} {
		agents, frameworks := prefix+"get_agents.agents[].", prefix+"get_frameworks."
		out = append(out, agents+"agent_info.domain", agents+"reregistered_time", agents+"drain_info", agents+"estimated_drain_start_time",
			prefix+"get_executors.executors[]", prefix+"get_master.master_info.domain", frameworks+"completed_frameworks[]",
			frameworks+"frameworks[].framework_info", frameworks+"frameworks[].offers[]", frameworks+"frameworks[].reregistered_time",
			agents+"agent_info.resources[]")
		for _, set := range []string{"total_resources[]", "allocated_resources[]", "offered_resources[]"} {
			out = append(out, agents+set, frameworks+"frameworks[]."+set)
		}
		for _, tasks := range []string{"tasks[]", "completed_tasks[]"} {
			for _, member := range []string{
				"executor_id", "labels", "discovery", "container", "health_check", "user", "statuses[]", "resources[]",
			} {
				out = append(out, prefix+"get_tasks."+tasks+"."+member)
			}
		}
	}
	if call == "GET_VERSION" {
		out = append(out, "get_version.version_info.git_sha", "get_version.version_info.git_branch", "get_version.version_info.git_tag")
	}
	if call == "GET_MASTER" {
		out = append(out, "get_master.master_info.domain")
	}
	return out
}

// Every call that reads is answered in JSON as a real Mesos answers it, and in
// protobuf with the same content.
func TestReadCalls(t *testing.T) {
	c := startCluster(t)
	for _, call := range []string{
		"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_LOGGING_LEVEL", "GET_MASTER", "GET_STATE", "GET_AGENTS",
		"GET_FRAMEWORKS", "GET_EXECUTORS", "GET_TASKS",
	} {
		t.Run(call, func(t *testing.T) {
			answer := c.master.Operator(object{"type": call})
			if answer.Status != http.StatusOK || answer.Header.Get("Content-Type") != string(testbed.JSON) {
				t.Fatalf("%d %v %s", answer.Status, answer.Header, answer.Text())
			}
			checkShape(t, testbed.MustParse(t, answer.Body), recorded(t, call), nil, scenario(call)...)
			inProtobuf := client{t, c.master, testbed.Protobuf}.send(call, nil)
			if inProtobuf.Status != http.StatusOK {
				t.Fatalf("protobuf: %d %s", inProtobuf.Status, inProtobuf.Text())
			}
			same(t, answer.Body, inProtobuf.Body)
		})
	}
	t.Run("GET_OPERATIONS", func(t *testing.T) {
		for _, e := range encodings {
			if got := (client{t, c.master, e}).ask("GET_OPERATIONS").At("operations").List(); len(got) != 0 {
				t.Errorf("%s: %v", e, got)
			}
		}
	})
	t.Run("GET_METRICS", func(t *testing.T) { getMetrics(t, c) })
	t.Run("files", func(t *testing.T) { fileCalls(t, c) })
	t.Run("facts", func(t *testing.T) { facts(t, c) })
}

// same checks that two answers say the same. What changes by itself, or has no
// place in the v1 message, is left out.
func same(t *testing.T, inJSON, inProtobuf []byte) {
	t.Helper()
	a, b := &mesosmaster.Response{}, &mesosmaster.Response{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(inJSON, a); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(inProtobuf, b); err != nil {
		t.Fatal(err)
	}
	normal := func(m *mesosmaster.Response) string {
		for _, tasks := range []*mesosmaster.Response_GetFrameworks{m.GetGetFrameworks(), m.GetGetState().GetGetFrameworks()} {
			for _, f := range tasks.GetFrameworks() { // offers come and go between the two
				f.Offers, f.OfferedResources = nil, nil
			}
			for _, f := range append(tasks.GetFrameworks(), tasks.GetCompletedFrameworks()...) {
				f.FrameworkInfo.Checkpoint, f.FrameworkInfo.FailoverTimeout = nil, nil // JSON tells their defaults
			}
		}
		for _, agents := range []*mesosmaster.Response_GetAgents{m.GetGetAgents(), m.GetGetState().GetGetAgents()} {
			for _, agent := range agents.GetAgents() {
				agent.OfferedResources = nil
				agent.AgentInfo.ProtoReflect().SetUnknown(nil) // v0's field "checkpoint"
			}
		}
		text, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		text, _ = json.Marshal(withoutDefaults(v)) // it was read from JSON
		return string(text)
	}
	if one, other := normal(a), normal(b); one != other {
		t.Errorf("JSON and protobuf differ:\n%s\n%s", one, other)
	}
}

// withoutDefaults removes members that JSON tells although nobody set them.
func withoutDefaults(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			switch member {
			case false, "", 0.0, "*", true:
				delete(v, name)
				continue
			}
			v[name] = withoutDefaults(member)
		}
	case []any:
		for i := range v {
			v[i] = withoutDefaults(v[i])
		}
	}
	return v
}

func getMetrics(t *testing.T, c cluster) {
	answer := c.master.Operator(object{"type": "GET_METRICS"})
	if want := recordedStatus(t, "GET_METRICS"); answer.Status != want {
		t.Errorf("without get_metrics: %d %s, want %d", answer.Status, answer.Text(), want)
	}
	for _, body := range []object{{}, {"timeout": object{"nanoseconds": 5_000_000_000}}} {
		answer := c.master.Operator(object{"type": "GET_METRICS", "get_metrics": body})
		metrics := testbed.MustParse(t, answer.Body).At("get_metrics", "metrics")
		for name, want := range map[string]float64{
			"master/elected": 1, "master/slaves_active": 1, "master/tasks_running": 1, "master/tasks_finished": 1,
		} {
			if got := metrics.Find(name, "name").At("value"); got.Kind() != "double" || got.Number() != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
	}
}

func recordedStatus(t *testing.T, name string) int {
	t.Helper()
	return int(testbed.MustParse(t, readFile(t, name+".json")).At("status").Number())
}

// fileCalls lists and reads what a master shows: its log, if it writes one.
func fileCalls(t *testing.T, c cluster) {
	for name, test := range map[string]struct {
		call   object
		status int
	}{
		"no such directory": {object{"type": "LIST_FILES", "list_files": object{"path": "/nothing"}}, http.StatusNotFound},
		"no such file":      {object{"type": "READ_FILE", "read_file": object{"path": "/nothing", "offset": 0}}, http.StatusNotFound},
		"no path":           {object{"type": "LIST_FILES", "list_files": object{}}, http.StatusBadRequest},
		"no offset":         {object{"type": "READ_FILE", "read_file": object{"path": "/x"}}, http.StatusBadRequest},
		"no list_files":     {object{"type": "LIST_FILES"}, http.StatusBadRequest},
		"out of the root":   {object{"type": "READ_FILE", "read_file": object{"path": "/../../etc/passwd", "offset": 0}}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if answer := c.master.Operator(test.call); answer.Status != test.status {
				t.Errorf("%d %s, want %d", answer.Status, answer.Text(), test.status)
			}
		})
	}
}

// facts checks what answers say about this cluster.
func facts(t *testing.T, c cluster) {
	state := c.master.Ask(object{"type": "GET_STATE"}).At("get_state")
	if got := state.At("get_tasks", "tasks").List(); len(got) != 1 || got[0].At("task_id", "value").Text() != "t-sleep" ||
		got[0].At("state").Text() != "TASK_RUNNING" {
		t.Errorf("tasks: %v", got)
	}
	if got := state.At("get_tasks", "completed_tasks", 0, "task_id", "value").Text(); got != "t-done" {
		t.Errorf("completed task %q", got)
	}
	if got := state.At("get_frameworks", "completed_frameworks", 0, "framework_info", "name").Text(); got != "ended" {
		t.Errorf("completed framework %q", got)
	}
	if got := state.At("get_agents", "agents", 0, "agent_info", "checkpoint"); got.Kind() != "bool" {
		t.Errorf("agent_info.checkpoint is %v", got)
	}
	v0 := c.master.Get("/state")
	if got := v0.At("frameworks").Find(c.framework.ID, "id").At("tasks", 0, "id").Text(); got != "t-sleep" {
		t.Errorf("/state: task %q", got)
	}
	if got := v0.At("completed_frameworks", 0, "name").Text(); got != "ended" {
		t.Errorf("/state: completed framework %q", got)
	}
	if !strings.HasPrefix(v0.At("slaves", 0, "pid").Text(), "slave(1)@127.0.0.1:") || v0.At("leader").Text() != "master@"+c.master.Address {
		t.Errorf("/state: pid %v, leader %v", v0.At("slaves", 0, "pid"), v0.At("leader"))
	}
	if v0.At("frameworks").Find(c.framework.ID, "id").At("pid").Exists() {
		t.Error("/state: an HTTP framework has a pid")
	}
}

// Parameters of the v0 endpoints.
func TestParameters(t *testing.T) {
	c := startCluster(t)
	id := c.agent.Get("/state").At("id").Text()
	count := func(path, list string, want int) {
		t.Helper()
		answer := c.master.Get(path)
		if got := len(answer.At(list).List()); got != want || answer.At(list).Kind() != "array" {
			t.Errorf("GET %s: %d %s, want %d: %.300v", path, got, list, want, answer)
		}
	}
	count("/slaves", "slaves", 1)
	count("/slaves?slave_id="+id, "slaves", 1)
	count("/slaves/"+id, "slaves", 1)
	count("/slaves?slave_id=nobody", "slaves", 0)
	count("/frameworks?framework_id="+c.framework.ID, "frameworks", 1)
	count("/frameworks/?framework_id="+c.framework.ID, "completed_frameworks", 0)
	count("/master/frameworks", "completed_frameworks", 1)
	count("/frameworks?framework_id=nobody", "frameworks", 0)
	count("/tasks", "tasks", 2)
	count("/tasks?limit=1", "tasks", 1)
	count("/tasks?order=asc&limit=-1", "tasks", 2)
	count("/tasks?offset=1", "tasks", 1)
	count("/tasks?offset=5", "tasks", 0)
	count("/tasks?limit=0", "tasks", 0)
	count("/tasks?limit=many", "tasks", 2)
	count("/tasks?limit=99999999999", "tasks", 2) // does not fit 32 bits
	count("/tasks?limit=5&limit=1", "tasks", 1)
	count("/tasks?limit=5;offset=0X1", "tasks", 1)
	count("/tasks?task_id=t-done", "tasks", 1)
	count("/tasks?framework_id="+c.framework.ID+"&task_id=t-sleep", "tasks", 1)
	count("/tasks?framework_id=nobody", "tasks", 0)
	count("/tasks?framework_id=", "tasks", 0)
	for order, first := range map[string]string{"asc": "t-done", "des": "t-sleep", "": "t-sleep"} {
		if got := c.master.Get("/tasks?order="+order).At("tasks", 0, "id").Text(); got != first {
			t.Errorf("order %q: the first task is %q", order, got)
		}
	}
}

// TestRecoveredAgents: a new leader shows the agents that it awaits, apart from those that
// are there, until they come back. Before there is anything, nothing is shown.
func TestRecoveredAgents(t *testing.T) {
	eachEncoding(t, func(t *testing.T, c client) {
		for _, call := range []string{"GET_TASKS", "GET_EXECUTORS", "GET_FRAMEWORKS", "GET_AGENTS", "GET_OPERATIONS", "GET_ROLES", "GET_WEIGHTS"} {
			for name, got := range c.ask(call).Members() {
				if len(got.List()) != 0 || got.Kind() != "array" {
					t.Errorf("%s of an empty cluster: %s %v", call, name, got)
				}
			}
		}
		agent := testbed.StartAgent(t, c.master.Address, testbed.Posix)
		awaitAgents(t, c.master, 1)
		id := c.ask("GET_AGENTS").At("agents", 0, "agent_info", "id", "value").Text()
		testbed.Eventually(t, "the agent has its ID, on disk", func() error {
			if got := agent.Get("/state").At("id").Text(); got != id {
				return fmt.Errorf("ID %q", got)
			}
			return nil
		})
		agent.Kill()
		c.master.Kill()
		c.master.Start()
		for _, got := range []testbed.Value{c.ask("GET_AGENTS"), c.ask("GET_STATE").At("get_agents")} {
			if len(got.At("agents").List()) != 0 || got.At("recovered_agents", 0, "id", "value").Text() != id ||
				got.At("recovered_agents", 0, "hostname").Text() != "localhost" {
				t.Errorf("while it is away: %v", got)
			}
		}
		slaves := c.master.Get("/slaves")
		if len(slaves.At("slaves").List()) != 0 || slaves.At("recovered_slaves", 0, "id").Text() != id {
			t.Errorf("/slaves while it is away: %v", slaves)
		}
		agent.Start()
		awaitAgents(t, c.master, 1)
		if got := c.ask("GET_AGENTS"); len(got.At("recovered_agents").List()) != 0 || got.At("agents", 0, "agent_info", "id", "value").Text() != id {
			t.Errorf("when it is back: %v", got)
		}
	})
}
