package security

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// only allows a list's actions to ops, and nobody else.
func only(list, objects string) string {
	return fmt.Sprintf(`%q:[{"principals":{"values":["ops"]},%q:{"type":"ANY"}},{"principals":{"type":"ANY"},%q:{"type":"NONE"}}]`,
		list, objects, objects)
}

// TestOperatorCalls makes each call that an ACL guards, but for those about reservations
// and volumes, as who may and as who may not, in both encodings.
func TestOperatorCalls(t *testing.T) {
	m := secured(t, "--acls={"+strings.Join([]string{
		only("view_flags", "flags"), only("set_log_level", "level"), only("update_weights", "roles"), only("update_quotas", "roles"),
		only("teardown_frameworks", "framework_principals"),
		only("update_maintenance_schedules", "machines"), only("start_maintenances", "machines"), only("stop_maintenances", "machines"),
		only("drain_agents", "agents"), only("deactivate_agents", "agents"), only("reactivate_agents", "agents"), only("mark_agents_gone", "agents"),
	}, ",")+"}")
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	const agent = `"agent_id":{"value":"none"}`
	const machine = `[{"hostname":"h"}]`
	for call, body := range map[string]string{
		"GET_FLAGS":                   ``,
		"SET_LOGGING_LEVEL":           `{"level":0,"duration":{"nanoseconds":1000000000}}`,
		"UPDATE_WEIGHTS":              `{"weight_infos":[{"role":"r","weight":2}]}`,
		"UPDATE_QUOTA":                `{"quota_configs":[{"role":"r"}]}`,
		"SET_QUOTA":                   `{"quota_request":{"role":"r"}}`,
		"REMOVE_QUOTA":                `{"role":"r"}`,
		"TEARDOWN":                    `{"framework_id":{"value":"` + f.ID + `"}}`,
		"UPDATE_MAINTENANCE_SCHEDULE": `{"schedule":{}}`,
		"START_MAINTENANCE":           `{"machines":` + machine + `}`,
		"STOP_MAINTENANCE":            `{"machines":` + machine + `}`,
		"DRAIN_AGENT":                 `{` + agent + `}`,
		"DEACTIVATE_AGENT":            `{` + agent + `}`,
		"REACTIVATE_AGENT":            `{` + agent + `}`,
		"MARK_AGENT_GONE":             `{` + agent + `}`,
	} {
		t.Run(call, func(t *testing.T) {
			text := `{"type":"` + call + `"}`
			if body != "" {
				text = fmt.Sprintf(`{"type":%q,%q:%s}`, call, strings.ToLower(call), body)
			}
			forbidden(t, "viewer", as(t, m.Process, "viewer", http.MethodPost, "/api/v1", text))
			message := &mesosmaster.Call{}
			if err := protojson.Unmarshal([]byte(text), message); err != nil {
				t.Fatal(err)
			}
			forbidden(t, "viewer in protobuf", inProtobuf(t, m.Process, "viewer", message))
			if got := as(t, m.Process, "ops", http.MethodPost, "/api/v1", text); got.Status == http.StatusForbidden || got.Status == http.StatusUnauthorized {
				t.Errorf("ops: %d %s", got.Status, got.Text())
			}
		})
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPut, "/weights", `[{"role":"r","weight":2}]`}, {http.MethodPost, "/quota", `{"role":"r"}`},
		{http.MethodDelete, "/quota/r", ""}, {http.MethodPost, "/maintenance/schedule", `{}`},
		{http.MethodPost, "/machine/down", machine}, {http.MethodPost, "/machine/up", machine}, {http.MethodPost, "/teardown", "frameworkId=" + testbed.Subscribe(t, m, testbed.FrameworkOptions{}).ID}, {http.MethodGet, "/flags", ""},
	} {
		forbidden(t, c.method+" "+c.path, as(t, m.Process, "viewer", c.method, c.path, c.body))
	}
	expect(t, "POST /flags", as(t, m.Process, "ops", http.MethodPost, "/flags", ""), http.StatusMethodNotAllowed)
}

// forbidden expects a refusal in the words that clients of Mesos know.
func forbidden(t testing.TB, what string, got testbed.Answer) {
	t.Helper()
	expect(t, what, got, http.StatusForbidden)
	if got.Text() != "403 Forbidden." {
		t.Errorf("%s: the refusal is %q", what, got.Text())
	}
}

func inProtobuf(t testing.TB, p *testbed.Process, principal string, m proto.Message) testbed.Answer {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/x-protobuf"}, "Accept": {"application/x-protobuf"}}
	(&http.Request{Header: header}).SetBasicAuth(principal, secret)
	return testbed.Do(t, http.MethodPost, p.URL("/api/v1"), header, body)
}

// TestFrameworks: roles, users of tasks and reservations are what ACLs say.
func TestFrameworks(t *testing.T) {
	m := secured(t, `--acls={
		"register_frameworks":[{"principals":{"values":["ops"]},"roles":{"values":["web/%","*"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["root"]}},{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],
		"reserve_resources":[{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]}`)
	testbed.StartAgent(t, m.Address, testbed.Posix)
	for _, encoding := range []testbed.Encoding{testbed.JSON, testbed.Protobuf} {
		refused := testbed.NewFramework(t, m, testbed.Object{"user": "root", "name": "x", "roles": testbed.List{"web"},
			"capabilities": testbed.List{testbed.Object{"type": "MULTI_ROLE"}}})
		stream, answer := refused.TrySubscribe()
		expect(t, "a role that isn't allowed", answer, http.StatusOK)
		event := stream.Await("ERROR", testbed.Type("ERROR"))
		if text := event.At("error", "message").Text(); !strings.Contains(text, "Not authorized") {
			t.Errorf("error %q", text)
		}
		f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Encoding: encoding, Info: testbed.Object{"roles": testbed.List{"web/a"}}})
		offer := f.Offer()
		bad, good := testbed.Task(offer, "bad", "true"), testbed.Task(offer, "good", "true")
		bad["command"].(testbed.Object)["user"] = "nobody"
		f.Accept(offer, testbed.Launch(bad, good))
		status := f.Update("bad", "TASK_ERROR")
		if reason := status.At("reason").Text(); reason != "REASON_TASK_UNAUTHORIZED" {
			t.Errorf("reason %s", reason)
		}
		f.Follow("good", "TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED")
		f.Call("TEARDOWN", nil)
	}
}

// TestReadsAreFiltered looks at one cluster with the eyes of who sees all and of
// who sees nothing.
func TestReadsAreFiltered(t *testing.T) {
	hide := func(list, objects string) string {
		return fmt.Sprintf(`%q:[{"principals":{"values":["viewer"]},%q:{"type":"NONE"}}]`, list, objects)
	}
	acls := "{" + strings.Join([]string{hide("view_frameworks", "users"), hide("view_roles", "roles"), hide("access_mesos_logs", "logs"),
		hide("get_endpoints", "paths"), `"view_tasks":[{"principals":{"values":["marathon"]},"users":{"type":"NONE"}}]`}, ",") + "}"
	m := secured(t, "--acls="+acls, "--log_dir="+t.TempDir())
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--http_credentials="+credentials(t), "--authenticate_http_readonly",
		"--authenticate_http_readwrite", "--acls="+acls)
	a.Username, a.Password = "ops", secret
	a.Start()
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	f.Run("t", "sleep 1000")
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	for _, c := range []struct {
		process *testbed.Process
		path    string
		text    string // that viewer doesn't see
		task    bool   // nor marathon
	}{
		{m.Process, "/state", f.ID, false}, {m.Process, "/frameworks", f.ID, false}, {m.Process, "/tasks", `"id":"t"`, true},
		{m.Process, "/state-summary", f.ID, false}, {m.Process, "/roles", `"name":"*"`, false}, {a.Process, "/state", `"state":"TASK_RUNNING"`, true},
	} {
		for principal, sees := range map[string]bool{"ops": true, "viewer": false, "marathon": !c.task} {
			answer := as(t, c.process, principal, http.MethodGet, c.path, "")
			expect(t, c.path, answer, http.StatusOK)
			if strings.Contains(answer.Text(), c.text) != sees {
				t.Errorf("%s of %s as %s shows %s: %t", c.path, c.process.Name, principal, c.text, !sees)
			}
		}
	}
	for _, call := range []string{"GET_STATE", "GET_FRAMEWORKS", "GET_TASKS", "GET_EXECUTORS"} {
		for _, p := range []*testbed.Process{m.Process, a.Process} {
			if text := as(t, p, "viewer", http.MethodPost, "/api/v1", `{"type":"`+call+`"}`).Text(); strings.Contains(text, f.ID) {
				t.Errorf("%s of %s shows viewer the framework", call, p.Name)
			}
		}
	}
	answer := inProtobuf(t, m.Process, "viewer", &mesosmaster.Call{Type: mesosmaster.Call_GET_STATE.Enum()})
	response := &mesosmaster.Response{}
	if err := proto.Unmarshal(answer.Body, response); err != nil || len(response.GetState.GetFrameworks.Frameworks) != 0 ||
		len(response.GetState.GetTasks.Tasks) != 0 || len(response.GetState.GetAgents.Agents) != 1 {
		t.Errorf("GET_STATE in protobuf: %v %v", response, err)
	}
	for path, want := range map[string]string{
		"/files/read?path=/master/log": "", "/files/download?path=/master/log": "403 Forbidden.",
		"/metrics/snapshot": "403 Forbidden.", "/files/debug": "403 Forbidden.",
	} {
		refused := as(t, m.Process, "viewer", http.MethodGet, path, "")
		if expect(t, path, refused, http.StatusForbidden); refused.Text() != want {
			t.Errorf("%s: the refusal is %q, want %q", path, refused.Text(), want)
		}
		expect(t, path, as(t, m.Process, "ops", http.MethodGet, path, ""), http.StatusOK)
	}
}

// TestSandboxes: who may not see a user's sandboxes sees no file of theirs.
func TestSandboxes(t *testing.T) {
	m := testbed.StartMaster(t)
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--http_credentials="+credentials(t), "--authenticate_http_readonly",
		`--acls={"access_sandboxes":[{"principals":{"values":["ops"]},"users":{"values":["root"]}},{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}`)
	a.Username, a.Password = "ops", secret
	a.Start()
	f := testbed.Subscribe(t, m, testbed.FrameworkOptions{})
	f.Run("t", "echo hello && sleep 1000")
	f.Follow("t", "TASK_STARTING", "TASK_RUNNING")
	path := "/files/browse?path=" + a.Sandbox("t")
	expect(t, "ops", as(t, a.Process, "ops", http.MethodGet, path, ""), http.StatusOK)
	expect(t, "viewer", as(t, a.Process, "viewer", http.MethodGet, path, ""), http.StatusForbidden)
}

// TestAgentsNeedLeave: an agent that may not register, or may not reserve for a role what it
// says is that role's, is not there.
func TestAgentsNeedLeave(t *testing.T) {
	m := testbed.StartMaster(t, "--credentials="+credentials(t), "--authenticate_agents", `--acls={
		"register_agents":[{"principals":{"values":["agent"]},"agents":{"type":"ANY"}},{"principals":{"type":"ANY"},"agents":{"type":"NONE"}}],
		"reserve_resources":[{"principals":{"values":["agent"]},"roles":{"values":["web","*"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]}`)
	for principal, resources := range map[string]string{"viewer": "cpus:1", "agent": "cpus:1;cpus(db):1"} {
		bad := testbed.NewAgent(t, m.Address, testbed.Posix, `--credential={"principal":"`+principal+`","secret":"`+secret+`"}`, "--resources="+resources)
		bad.Start()
		testbed.Eventually(t, "the master refuses an agent", func() error {
			if !strings.Contains(m.Log(), "principal '"+principal+"' is not authorized to register") {
				return fmt.Errorf("nothing in its log")
			}
			return nil
		})
	}
	if n := len(m.Get("/slaves").At("slaves").List()); n != 0 {
		t.Errorf("%d agents", n)
	}
	good := testbed.NewAgent(t, m.Address, testbed.Posix, `--credential={"principal":"agent","secret":"`+secret+`"}`, "--resources=cpus:1;cpus(web):1")
	good.Start()
	awaitAgents(t, m, 1)
	if got := m.Get("/slaves").At("slaves", 0, "reserved_resources", "web", "cpus").Number(); got != 1 {
		t.Errorf("%v cpus are reserved for web", got)
	}
}
