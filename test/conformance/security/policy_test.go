package security

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// operatorEndpoints are the v0 endpoints that change something, or read policy, each with
// a body that would do.
var operatorEndpoints = []struct{ method, path, body string }{
	{http.MethodPost, "/reserve", "slaveId=x&resources=[]"}, {http.MethodPost, "/unreserve", "slaveId=x&resources=[]"},
	{http.MethodPost, "/create-volumes", "slaveId=x&volumes=[]"}, {http.MethodPost, "/destroy-volumes", "slaveId=x&volumes=[]"},
	{http.MethodGet, "/quota", ""}, {http.MethodPost, "/quota", "{}"}, {http.MethodDelete, "/quota/x", ""},
	{http.MethodGet, "/weights", ""}, {http.MethodPut, "/weights", "[]"},
	{http.MethodGet, "/maintenance/schedule", ""}, {http.MethodPost, "/maintenance/schedule", "{}"}, {http.MethodGet, "/maintenance/status", ""},
	{http.MethodPost, "/machine/down", "[]"}, {http.MethodPost, "/machine/up", "[]"}, {http.MethodPost, "/teardown", "frameworkId=x"},
	{http.MethodGet, "/roles", ""}, {http.MethodGet, "/state", ""}, {http.MethodGet, "/state-summary", ""}, {http.MethodGet, "/tasks", ""},
	{http.MethodGet, "/frameworks", ""}, {http.MethodGet, "/slaves", ""}, {http.MethodGet, "/flags", ""}, {http.MethodGet, "/metrics/snapshot", ""},
	{http.MethodGet, "/logging/toggle", ""}, {http.MethodGet, "/files/debug", ""}, {http.MethodGet, "/files/browse", ""},
	{http.MethodGet, "/files/read", ""}, {http.MethodGet, "/files/download", ""},
	{http.MethodGet, "/registrar(1)/registry", ""}, {http.MethodGet, "/profiler/start", ""}, {http.MethodPost, "/api/v1", `{"type":"GET_VERSION"}`},
	{http.MethodPost, "/api/v1/scheduler", "{}"},
}

// TestBadCredentials: who shows no secret, or a wrong one, is 401 everywhere, before anything
// else is looked at.
func TestBadCredentials(t *testing.T) {
	m := secured(t)
	for _, e := range operatorEndpoints {
		for name, header := range map[string]http.Header{
			"no header": {}, "a wrong secret": basic("ops", "wrong"), "a stranger": basic("stranger", secret), "nobody": basic("", ""),
			"another scheme": {"Authorization": {"Bearer x"}}, "nonsense": {"Authorization": {"Basic ###"}},
		} {
			header.Set("Content-Type", "application/json")
			answer := testbed.Do(t, e.method, m.URL(e.path), header, []byte(e.body))
			realm := "mesos-master-"
			if got := answer.Header.Get("WWW-Authenticate"); answer.Status != http.StatusUnauthorized || !strings.HasPrefix(got, `Basic realm="`+realm) {
				t.Errorf("%s %s with %s: %d, challenge %q", e.method, e.path, name, answer.Status, got)
			}
		}
	}
	for _, path := range []string{"/health", "/version", "/system/stats.json", "/help"} { // these are open
		expect(t, path, as(t, m.Process, "", http.MethodGet, path, ""), http.StatusOK)
	}
}

func basic(principal, secret string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(principal, secret)
	return r.Header
}

// reserved is a resource reserved by a principal, "" for none named.
func reserved(name string, amount float64, role, principal string, labels ...string) testbed.Object {
	reservation := testbed.Object{"type": "DYNAMIC", "role": role}
	if principal != "" {
		reservation["principal"] = principal
	}
	if len(labels) > 0 {
		reservation["labels"] = testbed.Object{"labels": testbed.List{testbed.Object{"key": labels[0], "value": labels[1]}}}
	}
	r := testbed.Scalar(name, amount)
	r["reservations"] = testbed.List{reservation}
	return r
}

// volume is one made by a principal on disk that another reserved.
func volume(id string, amount float64, role, reserver, creator string) testbed.Object {
	r := reserved("disk", amount, role, reserver)
	persistence := testbed.Object{"id": id}
	if creator != "" {
		persistence["principal"] = creator
	}
	r["disk"] = testbed.Object{"persistence": persistence, "volume": testbed.Object{"container_path": "d", "mode": "RW"}}
	return r
}

// TestReservationsOfPrincipals: who may reserve, unreserve, create and destroy goes by roles
// and by who did the former, at the endpoints as in calls.
func TestReservationsOfPrincipals(t *testing.T) {
	m := secured(t, `--acls={
		"reserve_resources":[{"principals":{"values":["ops"]},"roles":{"values":["web","db","static"]}},{"principals":{"values":["viewer"]},"roles":{"values":["web"]}},
			{"principals":{"values":["agent"]},"roles":{"values":["static","*"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"unreserve_resources":[{"principals":{"values":["ops"]},"reserver_principals":{"values":["ops"]}},{"principals":{"values":["viewer"]},"reserver_principals":{"values":["viewer"]}},
			{"principals":{"type":"ANY"},"reserver_principals":{"type":"NONE"}}],
		"create_volumes":[{"principals":{"values":["ops"]},"roles":{"values":["web","static"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"resize_volumes":[{"principals":{"values":["ops"]},"roles":{"values":["web"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"destroy_volumes":[{"principals":{"values":["ops"]},"creator_principals":{"values":["ops"]}},{"principals":{"type":"ANY"},"creator_principals":{"type":"NONE"}}]}`)
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--resources=cpus:8;mem:1024;disk:1024;disk(static):64",
		`--credential={"principal":"agent","secret":"`+secret+`"}`)
	a.Start()
	awaitAgents(t, m, 1)
	id := m.Get("/slaves").At("slaves", 0, "id").Text()
	static := testbed.Scalar("disk", 32)
	static["reservations"] = testbed.List{testbed.Object{"type": "STATIC", "role": "static"}}
	static["disk"] = testbed.Object{"persistence": testbed.Object{"id": "s", "principal": "ops"}, "volume": testbed.Object{"container_path": "d", "mode": "RW"}}
	list := func(rs ...testbed.Object) []testbed.Object { return rs }
	for _, step := range []struct {
		name, who, path string
		resources       []testbed.Object
		status          int
	}{
		{"a role that isn't allowed", "viewer", "/reserve", list(reserved("cpus", 1, "db", "viewer")), 403},
		{"one of two roles", "viewer", "/reserve", list(reserved("cpus", 1, "web", "viewer"), reserved("mem", 64, "db", "viewer")), 403},
		{"who may nothing", "marathon", "/reserve", list(reserved("cpus", 1, "web", "marathon")), 403},
		{"in another's name", "ops", "/reserve", list(reserved("cpus", 1, "web", "viewer")), 400},
		{"in nobody's name", "ops", "/reserve", list(reserved("cpus", 1, "web", "")), 400},
		{"two roles", "ops", "/reserve", list(reserved("cpus", 1, "web", "ops"), reserved("mem", 64, "db", "ops")), 202},
		{"the role of another, too", "viewer", "/reserve", list(reserved("cpus", 1, "web", "viewer")), 202},
		{"more than there is", "ops", "/reserve", list(reserved("cpus", 100, "web", "ops")), 409},
		{"with a label", "ops", "/reserve", list(reserved("cpus", 2, "web", "ops", "k", "v")), 202},
		{"without its label", "ops", "/unreserve", list(reserved("cpus", 2, "web", "ops")), 409},
		{"with another label", "ops", "/unreserve", list(reserved("cpus", 2, "web", "ops", "k", "w")), 409},
		{"with its label", "ops", "/unreserve", list(reserved("cpus", 2, "web", "ops", "k", "v")), 202},
		{"what another reserved", "viewer", "/unreserve", list(reserved("cpus", 1, "web", "ops")), 403},
		{"one's own", "viewer", "/unreserve", list(reserved("cpus", 1, "web", "viewer")), 202},
		{"what isn't reserved", "ops", "/unreserve", list(testbed.Scalar("cpus", 1)), 400},
		{"disk", "ops", "/reserve", list(reserved("disk", 128, "web", "ops")), 202},
		{"a volume of who may not", "viewer", "/create-volumes", list(volume("v", 64, "web", "ops", "viewer")), 403},
		{"a volume for another role", "ops", "/create-volumes", list(volume("v", 64, "db", "ops", "ops")), 403},
		{"one of two roles' volumes", "ops", "/create-volumes", list(volume("v", 64, "web", "ops", "ops"), volume("w", 8, "db", "ops", "ops")), 403},
		{"a volume in another's name", "ops", "/create-volumes", list(volume("v", 64, "web", "ops", "viewer")), 400},
		{"a volume of disk that is reserved otherwise", "ops", "/create-volumes", list(volume("v", 64, "static", "ops", "ops")), 409},
		{"a volume that is too large", "ops", "/create-volumes", list(volume("v", 129, "web", "ops", "ops")), 409},
		{"a volume without a reservation", "ops", "/create-volumes", list(func() testbed.Object {
			v := volume("v", 64, "web", "ops", "ops")
			delete(v, "reservations")
			return v
		}()), 400},
		{"a volume", "ops", "/create-volumes", list(volume("v", 64, "web", "ops", "ops")), 202},
		{"a volume on a static reservation", "ops", "/create-volumes", list(static), 202},
		{"volumes of two roles", "ops", "/destroy-volumes", list(volume("v", 64, "web", "ops", "ops"), static), 202},
		{"volumes of two roles", "ops", "/create-volumes", list(volume("v", 64, "web", "ops", "ops"), static), 202},
		{"the disk of a volume", "ops", "/unreserve", list(reserved("disk", 128, "web", "ops")), 409},
		{"destroying who may not", "viewer", "/destroy-volumes", list(volume("v", 64, "web", "ops", "ops")), 403},
		{"destroying another volume", "ops", "/destroy-volumes", list(volume("x", 64, "web", "ops", "ops")), 400},
		{"destroying", "ops", "/destroy-volumes", list(volume("v", 64, "web", "ops", "ops")), 202},
		{"destroying that on the static reservation", "ops", "/destroy-volumes", list(static), 202},
		{"the disk", "ops", "/unreserve", list(reserved("disk", 128, "web", "ops")), 202},
	} {
		t.Run(step.path[1:]+" "+step.name, func(t *testing.T) {
			text, err := json.Marshal(step.resources)
			if err != nil {
				t.Fatal(err)
			}
			field := "resources"
			if strings.HasSuffix(step.path, "-volumes") {
				field = "volumes"
			}
			form := url.Values{"slaveId": {id}, field: {string(text)}}
			answer := testbed.Do(t, http.MethodPost, m.URL(step.path), basic(step.who, secret), []byte(form.Encode()))
			expect(t, step.who, answer, step.status)
			if step.status != http.StatusForbidden {
				return
			}
			// The call is the same thing, in both encodings.
			kind := map[string]string{"/reserve": "RESERVE_RESOURCES", "/unreserve": "UNRESERVE_RESOURCES",
				"/create-volumes": "CREATE_VOLUMES", "/destroy-volumes": "DESTROY_VOLUMES"}[step.path]
			call := fmt.Sprintf(`{"type":%q,%q:{"agent_id":{"value":%q},%q:%s}}`, kind, strings.ToLower(kind), id, field, text)
			expect(t, kind, as(t, m.Process, step.who, http.MethodPost, "/api/v1", call), http.StatusForbidden)
			message := &mesosmaster.Call{}
			if err := protojson.Unmarshal([]byte(call), message); err != nil {
				t.Fatal(err)
			}
			expect(t, kind+" in protobuf", inProtobuf(t, m.Process, step.who, message), http.StatusForbidden)
		})
	}
	// Volumes are resized by role, through calls only.
	resize := func(who, kind, more string, size float64, status int) {
		t.Helper()
		text, err := json.Marshal(volume("z", size, "web", "ops", "ops"))
		if err != nil {
			t.Fatal(err)
		}
		call := fmt.Sprintf(`{"type":%q,%q:{"agent_id":{"value":%q},"volume":%s,%s}}`, kind, strings.ToLower(kind), id, text, more)
		expect(t, kind, as(t, m.Process, who, http.MethodPost, "/api/v1", call), status)
	}
	post := func(path, field string, r testbed.Object) {
		t.Helper()
		text, err := json.Marshal([]testbed.Object{r})
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"slaveId": {id}, field: {string(text)}}
		expect(t, path, testbed.Do(t, http.MethodPost, m.URL(path), basic("ops", secret), []byte(form.Encode())), http.StatusAccepted)
	}
	post("/reserve", "resources", reserved("disk", 128, "web", "ops"))
	post("/create-volumes", "volumes", volume("z", 64, "web", "ops", "ops"))
	addition, err := json.Marshal(reserved("disk", 8, "web", "ops"))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"viewer", "ops"} {
		status := map[string]int{"viewer": http.StatusForbidden, "ops": http.StatusAccepted}[who]
		resize(who, "GROW_VOLUME", `"addition":`+string(addition), 64, status)
		if who == "ops" {
			resize("viewer", "SHRINK_VOLUME", `"subtract":{"value":8}`, 72, http.StatusForbidden)
			resize("ops", "SHRINK_VOLUME", `"subtract":{"value":8}`, 72, http.StatusAccepted)
		}
	}
	// What is reserved is shown in full by the master, and by the agent.
	slave := m.Get("/slaves").At("slaves", 0)
	if slave.At("reserved_resources", "web", "cpus").Number() != 1 || slave.At("reserved_resources_full", "web", 0, "reservations", 0, "principal").Text() != "ops" ||
		slave.At("unreserved_resources", "cpus").Number() != 7 || slave.At("reserved_resources", "static", "disk").Number() != 64 {
		t.Errorf("/slaves: %v", slave)
	}
	testbed.Eventually(t, "the agent shows it", func() error {
		state := a.Get("/state")
		if state.At("reserved_resources", "web", "cpus").Number() != 1 || state.At("reserved_resources_full", "db", 0, "name").Text() != "mem" {
			return fmt.Errorf("%v", state.At("reserved_resources_full"))
		}
		return nil
	})
}

// TestPolicyOfPrincipals: quotas and weights are set and seen by role.
func TestPolicyOfPrincipals(t *testing.T) {
	m := secured(t, `--acls={
		"update_quotas":[{"principals":{"values":["ops"]},"roles":{"values":["web"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"get_quotas":[{"principals":{"values":["ops"]},"roles":{"type":"ANY"}},{"principals":{"values":["marathon"]},"roles":{"values":["web"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"update_weights":[{"principals":{"values":["ops"]},"roles":{"values":["web","db"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}],
		"view_roles":[{"principals":{"values":["ops"]},"roles":{"type":"ANY"}},{"principals":{"values":["marathon"]},"roles":{"values":["web"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]}`,
		"--registry=in_memory")
	quota := func(role string) string {
		return fmt.Sprintf(`{"role":%q,"force":true,"guarantee":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}]}`, role)
	}
	update := func(roles ...string) string {
		var configs []string
		for _, role := range roles {
			configs = append(configs, fmt.Sprintf(`{"role":%q,"limits":{"cpus":{"value":2}}}`, role))
		}
		return `{"type":"UPDATE_QUOTA","update_quota":{"quota_configs":[` + strings.Join(configs, ",") + `]}}`
	}
	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"ops", "POST", "/quota", quota("web"), 200}, {"ops", "POST", "/quota", quota("db"), 403}, {"viewer", "POST", "/quota", quota("web"), 403},
		{"viewer", "DELETE", "/quota/web", "", 403}, {"ops", "DELETE", "/quota/web", "", 200}, {"", "POST", "/quota", quota("web"), 401},
		{"ops", "POST", "/api/v1", update("web"), 200}, {"ops", "POST", "/api/v1", update("web", "db"), 403}, {"marathon", "POST", "/api/v1", update("web"), 403},
		{"ops", "PUT", "/weights", `[{"role":"web","weight":2},{"role":"db","weight":3}]`, 200},
		{"ops", "PUT", "/weights", `[{"role":"web","weight":4},{"role":"other","weight":3}]`, 403},
		{"viewer", "PUT", "/weights", `[{"role":"web","weight":2}]`, 403}, {"viewer", "PUT", "/weights", `[{"role":" web ","weight":2}]`, 403},
		{"ops", "PUT", "/weights", `[{"role":" web ","weight":2}]`, 200}, {"", "PUT", "/weights", `[{"role":"web","weight":2}]`, 401},
	} {
		expect(t, c.who+" "+c.method+" "+c.path+" "+c.body, as(t, m.Process, c.who, c.method, c.path, c.body), c.status)
	}
	for who, want := range map[string]struct{ quotas, weights int }{"ops": {1, 2}, "marathon": {1, 1}, "viewer": {0, 0}} {
		answer := testbed.MustParse(t, as(t, m.Process, who, "GET", "/weights", "").Body)
		if got := len(answer.List()); got != want.weights {
			t.Errorf("%s sees %d weights, want %d", who, got, want.weights)
		}
		answer = testbed.MustParse(t, as(t, m.Process, who, "POST", "/api/v1", `{"type":"GET_WEIGHTS"}`).Body)
		if got := len(answer.At("get_weights", "weight_infos").List()); got != want.weights {
			t.Errorf("%s is told %d weights, want %d", who, got, want.weights)
		}
		answer = testbed.MustParse(t, as(t, m.Process, who, "GET", "/quota", "").Body)
		if got := len(answer.At("configs").List()); got != want.quotas {
			t.Errorf("%s sees %d quotas, want %d", who, got, want.quotas)
		}
		roles := testbed.MustParse(t, as(t, m.Process, who, "GET", "/roles", "").Body).At("roles")
		if web, db := roles.Find("web", "name").Exists(), roles.Find("db", "name").Exists(); web != (who != "viewer") || db != (who == "ops") {
			t.Errorf("%s sees roles %v", who, roles)
		}
	}
	for _, c := range []struct{ role, weight string }{{"web", "-1"}, {"web", "0"}, {"web", `"x"`}, {"web", "null"}} {
		expect(t, "weight "+c.weight, as(t, m.Process, "ops", "PUT", "/weights", fmt.Sprintf(`[{"role":%q,"weight":%s}]`, c.role, c.weight)), http.StatusBadRequest)
	}
	expect(t, "no role", as(t, m.Process, "ops", "PUT", "/weights", `[{"weight":1}]`), http.StatusBadRequest)
	expect(t, "an empty role", as(t, m.Process, "ops", "PUT", "/weights", `[{"role":" ","weight":1}]`), http.StatusBadRequest)
}
