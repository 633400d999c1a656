package security

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// guarded is an agent that knows the principals of these tests.
func guarded(t testing.TB, m *testbed.Master, acls string, flags ...string) *testbed.Agent {
	t.Helper()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, append([]string{
		"--http_credentials=" + credentials(t), "--authenticate_http_readonly", "--authenticate_http_readwrite", "--acls=" + acls,
	}, flags...)...)
	a.Username, a.Password = "ops", secret
	a.Start()
	return a
}

// onlyOnAgents are the rules of all that an agent alone guards, for ops and nobody else.
var onlyOnAgents = "{" + strings.Join([]string{
	only("view_flags", "flags"), only("set_log_level", "level"), only("prune_images", "images"),
	only("modify_resource_provider_configs", "resource_providers"), only("mark_resource_providers_gone", "resource_providers"),
	only("view_resource_providers", "resource_providers"),
	only("launch_nested_containers_as_user", "users"), only("launch_nested_containers_under_parent_with_user", "users"),
	only("launch_nested_container_sessions_as_user", "users"), only("launch_nested_container_sessions_under_parent_with_user", "users"),
	only("wait_nested_containers", "users"), only("kill_nested_containers", "users"), only("remove_nested_containers", "users"),
	only("launch_standalone_containers", "users"), only("wait_standalone_containers", "users"),
	only("kill_standalone_containers", "users"), only("remove_standalone_containers", "users"), only("view_standalone_containers", "users"),
	only("attach_containers_input", "users"), only("attach_containers_output", "users"), only("view_containers", "users"),
	only("get_endpoints", "paths"), only("access_mesos_logs", "logs"), only("access_sandboxes", "users"),
}, ",") + "}"

// TestAgentCalls makes each call of the agent that an ACL guards, as who may and
// as who may not, in both encodings.
func TestAgentCalls(t *testing.T) {
	m := testbed.StartMaster(t)
	a := guarded(t, m, onlyOnAgents, "--log_dir="+t.TempDir())
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	f.Run("t", "sleep 1000")
	root := f.Follow("t", "TASK_STARTING", "TASK_RUNNING").At("container_status", "container_id", "value").Text()
	nested := fmt.Sprintf(`"container_id":{"value":"n","parent":{"value":%q}}`, root)
	const alone, below = `"container_id":{"value":"alone"}`, `"container_id":{"value":"n","parent":{"value":"alone"}}`
	const command = `,"command":{"value":"sleep 1000"}`
	const provider = `"info":{"type":"org.apache.mesos.rp.local.storage","name":"x"}`
	for _, c := range []struct{ name, call, body string }{
		{"", "GET_FLAGS", ""},
		{"", "SET_LOGGING_LEVEL", `"level":0,"duration":{"nanoseconds":1000000000}`},
		{"", "PRUNE_IMAGES", `"excluded_images":[]`},
		{"", "ADD_RESOURCE_PROVIDER_CONFIG", provider},
		{"", "UPDATE_RESOURCE_PROVIDER_CONFIG", provider},
		{"", "REMOVE_RESOURCE_PROVIDER_CONFIG", `"type":"org.apache.mesos.rp.local.storage","name":"x"`},
		{"", "MARK_RESOURCE_PROVIDER_GONE", `"resource_provider_id":{"value":"x"}`},
		{"of an executor", "LAUNCH_NESTED_CONTAINER", nested + command},
		{"of an executor", "LAUNCH_CONTAINER", nested + command},
		{"of an executor", "LAUNCH_NESTED_CONTAINER_SESSION", nested + command},
		{"of an executor", "ATTACH_CONTAINER_OUTPUT", nested},
		{"of an executor", "KILL_NESTED_CONTAINER", nested},
		{"of an executor", "KILL_CONTAINER", nested},
		{"of an executor", "WAIT_NESTED_CONTAINER", nested},
		{"of an executor", "WAIT_CONTAINER", nested},
		{"of an executor", "REMOVE_NESTED_CONTAINER", nested},
		{"of an executor", "REMOVE_CONTAINER", nested},
		{"alone", "LAUNCH_CONTAINER", alone + command},
		{"below one that is alone", "LAUNCH_CONTAINER", below + command},
		{"below one that is alone", "LAUNCH_NESTED_CONTAINER", below + command},
		{"below one that is alone", "KILL_NESTED_CONTAINER", below},
		{"below one that is alone", "WAIT_CONTAINER", below},
		{"alone", "KILL_CONTAINER", alone},
		{"alone", "WAIT_CONTAINER", alone},
		{"alone", "REMOVE_CONTAINER", alone},
		{"that an executor is in", "KILL_CONTAINER", fmt.Sprintf(`"container_id":{"value":%q}`, root)},
	} {
		t.Run(strings.TrimSpace(c.call+" "+c.name), func(t *testing.T) {
			text := fmt.Sprintf(`{"type":%q}`, c.call)
			if c.body != "" {
				text = fmt.Sprintf(`{"type":%q,%q:{%s}}`, c.call, strings.ToLower(c.call), c.body)
			}
			forbidden(t, "viewer", as(t, a.Process, "viewer", http.MethodPost, "/api/v1", text))
			message := &agent.Call{}
			if err := protojson.Unmarshal([]byte(text), message); err != nil {
				t.Fatal(err)
			}
			forbidden(t, "viewer in protobuf", inProtobuf(t, a.Process, "viewer", message))
			if c.call == "LAUNCH_NESTED_CONTAINER_SESSION" || strings.HasPrefix(c.name, "that") {
				return // would last, or end the task
			}
			if got := as(t, a.Process, "ops", http.MethodPost, "/api/v1", text); got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized {
				t.Errorf("ops: %d %s", got.Status, got.Text())
			}
		})
	}
	for _, c := range []struct{ name, container string }{
		{"a task", fmt.Sprintf(`{"value":%q}`, root)}, {"a nested container", fmt.Sprintf(`{"value":"n","parent":{"value":%q}}`, root)},
	} {
		t.Run("ATTACH_CONTAINER_INPUT of "+c.name, func(t *testing.T) {
			expect(t, "viewer", attachInput(t, a, "viewer", c.container), http.StatusForbidden)
			expect(t, "ops", attachInput(t, a, "ops", c.container), http.StatusInternalServerError) // it has none
		})
	}
	// Only what executors run can be attached to.
	for _, who := range []string{"ops", "viewer"} {
		expect(t, who, attachInput(t, a, who, `{"value":"alone"}`), http.StatusNotFound)
		expect(t, who, as(t, a.Process, who, http.MethodPost, "/api/v1",
			`{"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"alone"}}}`), http.StatusNotFound)
	}
	sandbox := a.Sandbox("t")
	for path, forbidden := range map[string]bool{
		"/flags": true, "/containers": true, "/monitor/statistics": true, "/containerizer/debug": true, "/metrics/snapshot": true, "/metrics": true,
		"/logging/toggle": true, "/files/debug": true, "/files/read?path=/slave/log": true, "/files/download?path=/slave/log": true,
		"/files/browse?path=" + sandbox: true, "/files/read?path=" + sandbox + "/stdout": true, "/files/download?path=" + sandbox + "/stdout": true,
		"/slave(1)/flags": true, "/slave(1)/containers": true, "/slave(1)/monitor/statistics": true, "/monitor/statistics.json": true,
		"/state": false, "/health": false, "/version": false,
	} {
		want := http.StatusOK
		if forbidden {
			want = http.StatusForbidden
		}
		expect(t, "viewer "+path, as(t, a.Process, "viewer", http.MethodGet, path, ""), want)
		expect(t, "ops "+path, as(t, a.Process, "ops", http.MethodGet, path, ""), http.StatusOK)
	}
	if testbed.MustParse(t, as(t, a.Process, "viewer", http.MethodGet, "/state", "").Body).At("flags").Exists() {
		t.Error("/state shows viewer the flags")
	}
	for path, want := range map[string]int{"/flags": 405, "/containers": 405, "/monitor/statistics": 405, "/containerizer/debug": 405, "/state": 200} {
		expect(t, "POST "+path, as(t, a.Process, "ops", http.MethodPost, path, "x"), want)
	}
}

// attachInput sends the first record of a container's input.
func attachInput(t testing.TB, a *testbed.Agent, principal, container string) testbed.Answer {
	t.Helper()
	header := http.Header{"Content-Type": {codec.RecordIO}, "Message-Content-Type": {codec.JSON}}
	(&http.Request{Header: header}).SetBasicAuth(principal, secret)
	return testbed.Do(t, http.MethodPost, a.URL("/api/v1"), header, recordio.AppendRecord(nil, []byte(
		`{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"CONTAINER_ID","container_id":`+container+`}}`)))
}

// TestAgentWithoutACLs: without rules every method and everybody who is somebody will do.
func TestAgentWithoutACLs(t *testing.T) {
	m := testbed.StartMaster(t)
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--http_credentials="+credentials(t), "--authenticate_http_readonly")
	a.Username, a.Password = "ops", secret
	a.Start()
	for _, path := range []string{"/flags", "/containers", "/monitor/statistics", "/monitor/statistics.json"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			expect(t, method+" "+path, as(t, a.Process, "viewer", method, path, ""), http.StatusOK)
		}
		expect(t, path+" by nobody", as(t, a.Process, "", http.MethodGet, path, ""), http.StatusUnauthorized)
	}
}

// TestAgentReadsAreFiltered: what an agent shows of containers, roles and operations
// is what the rules of each say, and nothing else decides.
func TestAgentReadsAreFiltered(t *testing.T) {
	hide := func(principal, list, objects, what string) string {
		return fmt.Sprintf(`%q:[{"principals":{"values":[%q]},%q:{%s}}]`, list, principal, objects, what)
	}
	m := testbed.StartMaster(t)
	a := guarded(t, m, "{"+strings.Join([]string{
		hide("viewer", "view_containers", "users", `"type":"NONE"`), hide("marathon", "view_frameworks", "users", `"type":"NONE"`),
		`"view_roles":[{"principals":{"values":["viewer"]},"roles":{"values":["*","static"]}},{"principals":{"values":["viewer"]},"roles":{"type":"NONE"}}]`,
	}, ",")+"}", "--resources=cpus:2;mem:512;disk:512;cpus(static):1;cpus(hidden):1")
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"principal": "p", "roles": testbed.List{"secret"}}})
	offer := f.Offer()
	reserved := testbed.Scalar("cpus", 0.5)
	reserved["allocation_info"] = testbed.Object{"role": "secret"}
	reserved["reservations"] = testbed.List{testbed.Object{"type": "DYNAMIC", "role": "secret", "principal": "p"}}
	task := testbed.Task(offer, "t", "sleep 1000")
	f.Accept(offer, testbed.Object{"type": "RESERVE", "id": testbed.Object{"value": "op"},
		"reserve": testbed.Object{"resources": testbed.List{reserved}}}, testbed.Launch(task))
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	ask := func(who, call string) testbed.Value {
		answer := as(t, a.Process, who, http.MethodPost, "/api/v1", fmt.Sprintf(`{"type":%q,%q:{}}`, call, strings.ToLower(call)))
		expect(t, call, answer, http.StatusOK)
		return testbed.MustParse(t, answer.Body)
	}
	for who, want := range map[string]struct{ containers, frameworks, operations int }{
		"ops": {1, 1, 1}, "viewer": {0, 1, 0}, "marathon": {1, 0, 1},
	} {
		t.Run(who, func(t *testing.T) {
			if got := len(ask(who, "GET_CONTAINERS").At("get_containers", "containers").List()); got != want.containers {
				t.Errorf("GET_CONTAINERS: %d, want %d", got, want.containers)
			}
			if got := len(testbed.MustParse(t, as(t, a.Process, who, http.MethodGet, "/containers", "").Body).List()); got != want.containers {
				t.Errorf("/containers: %d, want %d", got, want.containers)
			}
			if got := len(ask(who, "GET_FRAMEWORKS").At("get_frameworks", "frameworks").List()); got != want.frameworks {
				t.Errorf("GET_FRAMEWORKS: %d, want %d", got, want.frameworks)
			}
			testbed.Eventually(t, "the agent has the operation", func() error {
				if got := len(ask(who, "GET_OPERATIONS").At("get_operations", "operations").List()); got != want.operations {
					return fmt.Errorf("GET_OPERATIONS: %d, want %d", got, want.operations)
				}
				return nil
			})
			// As in Mesos the agent's own description is not filtered.
			if got := ask(who, "GET_AGENT").String(); !strings.Contains(got, "hidden") {
				t.Errorf("GET_AGENT lacks resources: %s", got)
			}
			answer := testbed.MustParse(t, as(t, a.Process, who, http.MethodGet, "/state", "").Body)
			for _, key := range []string{"reserved_resources", "reserved_resources_full"} {
				if !answer.At(key, "static").Exists() || answer.At(key, "hidden").Exists() != (who != "viewer") {
					t.Errorf("%s: %s", key, answer.At(key).String())
				}
			}
			if answer.At("reserved_resources_allocated", "secret").Exists() {
				t.Error("the task uses unreserved resources")
			}
		})
	}
	whole := &agent.Response{}
	if err := proto.Unmarshal(inProtobuf(t, a.Process, "marathon", &agent.Call{Type: agent.Call_GET_STATE.Enum()}).Body, whole); err != nil ||
		len(whole.GetState.GetFrameworks.Frameworks) != 0 || len(whole.GetState.GetExecutors.Executors) != 0 || len(whole.GetState.GetTasks.LaunchedTasks) != 0 {
		t.Errorf("GET_STATE shows marathon %v %v", whole, err)
	}
}

// TestAgentAuthorizesTasks: an agent's own rules about users hold whatever the
// master allowed, for whole groups.
func TestAgentAuthorizesTasks(t *testing.T) {
	m := testbed.StartMaster(t)
	testbed.StartAgent(t, m.Address, testbed.Posix, `--acls={"run_tasks":[{"principals":{"values":["p"]},"users":{"values":["root"]}},
		{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}`)
	for principal, allowed := range map[string]bool{"p": true, "q": false} {
		f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Info: testbed.Object{"principal": principal}})
		offer := f.Offer()
		bad, good := testbed.Task(offer, "bad", "true"), testbed.Task(offer, "good", "true")
		bad["command"].(testbed.Object)["user"] = "nobody"
		f.Accept(offer, testbed.Launch(bad, good))
		if got := f.Update("bad", "TASK_ERROR").At("reason").Text(); got != "REASON_TASK_UNAUTHORIZED" {
			t.Errorf("reason %s", got)
		}
		if allowed {
			f.Follow("good", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		} else {
			f.Update("good", "TASK_ERROR")
		}
		offer = f.Offer()
		one, two := testbed.Task(offer, "one", "true"), testbed.Task(offer, "two", "true")
		two["command"].(testbed.Object)["user"] = "nobody"
		f.Accept(offer, testbed.Object{"type": "LAUNCH_GROUP", "launch_group": testbed.Object{
			"executor": testbed.Object{"type": "DEFAULT", "executor_id": testbed.Object{"value": "e"}, "framework_id": testbed.Object{"value": f.ID},
				"resources": testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("disk", 32)}},
			"task_group": testbed.Object{"tasks": testbed.List{one, two}},
		}})
		for _, task := range []string{"one", "two"} {
			if got := f.Update(task, "TASK_ERROR").At("reason").Text(); got != "REASON_TASK_GROUP_UNAUTHORIZED" {
				t.Errorf("reason %s", got)
			}
		}
		f.Call("TEARDOWN", nil)
	}
}
