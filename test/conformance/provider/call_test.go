package provider

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// What is not well-formed, or not from who is subscribed, is refused.
func TestRefusals(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	p := newProvider(t, agent, testbed.JSON)
	stream := p.Header.Get("Mesos-Stream-Id")
	as := func(kind, rest string) string {
		return fmt.Sprintf(`{"type":%q,"resource_provider_id":{"value":%q}%s}`, kind, p.id, rest)
	}
	uuid := `{"value":"AAAAAAAAQACAAAAAAAAAAQ=="}`
	subscribe := `{"type":"SUBSCRIBE","subscribe":{"resource_provider_info":{"type":"t","name":"n"}}}`
	status := func(by string) string {
		return as("UPDATE_OPERATION_STATUS", `,"update_operation_status":{"operation_uuid":`+uuid+
			`,"status":{"state":"OPERATION_FINISHED"`+by+`}}`)
	}
	state := func(resources string) string {
		return as("UPDATE_STATE", `,"update_state":{"resource_version_uuid":`+uuid+`,"resources":[`+resources+`]}`)
	}
	cpus := func(more string) string {
		return `{"name":"cpus","type":"SCALAR","scalar":{"value":1}` + more + `}`
	}
	own := `,"provider_id":{"value":"` + p.id + `"}`
	json := http.Header{"Content-Type": {"application/json"}, "Mesos-Stream-Id": {stream}}
	with := func(changes ...string) http.Header {
		h := json.Clone()
		for i := 0; i < len(changes); i += 2 {
			h.Set(changes[i], changes[i+1])
			if changes[i+1] == "" {
				h.Del(changes[i])
			}
		}
		return h
	}
	tests := map[string]struct {
		method string
		header http.Header
		body   string
		status int
		text   string
	}{
		"GET":                      {method: http.MethodGet, status: 405, text: "POST"},
		"no content type":          {header: with("Content-Type", ""), status: 400, text: "Expecting 'Content-Type' to be present"},
		"unknown content type":     {header: with("Content-Type", "text/plain"), status: 415, text: "application/x-protobuf"},
		"no JSON":                  {body: "{", status: 400},
		"JSON of something else":   {body: `{"type":17}`, status: 400},
		"no protobuf":              {header: with("Content-Type", "application/x-protobuf"), body: "{", status: 400},
		"no type":                  {body: "{}", status: 400, text: "Expecting 'type' to be present"},
		"no ID":                    {body: `{"type":"UPDATE_STATE"}`, status: 400, text: "Expecting 'resource_provider_id' to be present"},
		"SUBSCRIBE without":        {body: `{"type":"SUBSCRIBE"}`, status: 400, text: "Expecting 'subscribe' to be present"},
		"SUBSCRIBE without a name": {body: strings.Replace(subscribe, `,"name":"n"`, "", 1), status: 400, text: "name"},
		"UPDATE_STATE without":     {body: as("UPDATE_STATE", ""), status: 400, text: "Expecting 'update_state' to be present"},
		"UPDATE_OPERATION_STATUS without": {body: as("UPDATE_OPERATION_STATUS", ""), status: 400,
			text: "Expecting 'update_operation_status' to be present"},
		"UPDATE_PUBLISH_RESOURCES_STATUS without": {body: as("UPDATE_PUBLISH_RESOURCES_STATUS", ""), status: 400,
			text: "Expecting 'update_publish_resources_status' to be present"},
		"nothing acceptable": {header: with("Mesos-Stream-Id", "", "Accept", "text/plain"), body: subscribe, status: 406},
		"SUBSCRIBE of a stream": {body: subscribe, status: 400,
			text: "Subscribe calls should not include the 'Mesos-Stream-Id' header"},
		"not subscribed": {body: strings.ReplaceAll(state(""), p.id, "nobody"), status: 400, text: "Resource provider is not subscribed"},
		"no stream ID":   {header: with("Mesos-Stream-Id", ""), body: state(""), status: 400, text: "Mesos-Stream-Id"},
		"another stream": {header: with("Mesos-Stream-Id", "x"), body: state(""), status: 400, text: "The stream ID 'x'"},
		"status of nobody": {body: status(""), status: 400,
			text: "Inconsistent resource provider ID in 'update_operation_status'"},
		"status of another": {body: status(`,"resource_provider_id":{"value":"x"}`), status: 400,
			text: "Inconsistent resource provider ID in 'update_operation_status'"},
		"resources of nobody":  {body: state(cpus("")), status: 400, text: "Inconsistent resource provider ID in 'update_state'"},
		"resources of another": {body: state(cpus(`,"provider_id":{"value":"x"}`)), status: 400, text: "Inconsistent resource provider ID"},
		"bad resources":        {body: state(strings.Replace(cpus(own), "1}", "-1}", 1)), status: 400},
		"bad UUID":             {body: strings.Replace(state(""), "AAAAAAAAQACAAAAAAAAAAQ==", "AAAA", 1), status: 400, text: "UUID"},
		"unknown type":         {body: as("UNKNOWN", ""), status: 501},
		"answer to nothing": {body: as("UPDATE_PUBLISH_RESOURCES_STATUS", `,"update_publish_resources_status":{"uuid":`+uuid+
			`,"status":"OK"}`), status: 202},
		"status of an unknown operation": {body: status(`,"resource_provider_id":{"value":"` + p.id + `"}`), status: 202},
		"state":                          {body: state(cpus(own)), status: 202},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			method, header := tt.method, tt.header
			if method == "" {
				method = http.MethodPost
			}
			if header == nil {
				header = json
			}
			answer := testbed.Do(t, method, agent.URL(path), header, []byte(tt.body))
			if answer.Status != tt.status || !strings.Contains(answer.Text(), tt.text) {
				t.Errorf("%d %s; want %d %s", answer.Status, answer.Text(), tt.status, tt.text)
			}
		})
	}
	if !p.Open() {
		t.Error("the provider is not subscribed any more")
	}
}

// An agent that has no ID yet can't give any.
func TestBeforeRegistration(t *testing.T) {
	agent := testbed.StartAgent(t, "127.0.0.1:1", testbed.Posix)
	p := &provider{t: t, agent: agent, encoding: testbed.JSON}
	if _, answer := p.open(p.info()); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", answer.Status, answer.Text())
	}
}

// Who comes with an ID must have it from here, and be the same as then. Otherwise
// the stream ends without an event.
func TestIdentity(t *testing.T) {
	for _, encoding := range encodings {
		t.Run(string(encoding), func(t *testing.T) {
			master := testbed.StartMaster(t, "--registry=in_memory")
			agent := testbed.StartAgent(t, master.Address, testbed.Posix)
			p := newProvider(t, agent, encoding)
			for name, change := range map[string]object{
				"ID": {"id": object{"value": "nobody"}}, "type": {"type": "another"}, "name": {"name": "another"},
			} {
				stream, answer := p.open(with(p.info(), change))
				if stream == nil {
					t.Errorf("another %s: %d %s", name, answer.Status, answer.Text())
					continue
				}
				stream.AwaitEnd()
				if events := stream.Events(); len(events) > 0 {
					t.Errorf("another %s: %v", name, events)
				}
			}
			first := p.Stream
			p.subscribe() // the second stream ends the first
			first.AwaitEnd()
			p.state(list{p.raw()})
			if got := providersOf(agent); len(got.List()) != 1 || p.diskIn(got.At(0, "total_resources")).At("scalar", "value").Number() != 64 {
				t.Errorf("GET_RESOURCE_PROVIDERS: %v", got)
			}
			if got := agent.Get("/state").At("resource_providers", 0, "resource_provider_info", "id", "value").Text(); got != p.id {
				t.Errorf("/state shows provider %q", got)
			}
			if got := agent.Get("/state").At("resources", "disk").Number(); got != 4096+64 {
				t.Errorf("/state shows a disk of %v", got)
			}
		})
	}
}

// A provider that is gone is told so, and stays out; it may have nothing left.
func TestGone(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	agent := testbed.StartAgent(t, master.Address, testbed.Posix)
	p := newProvider(t, agent, testbed.JSON)
	p.state(list{p.raw()})
	gone := object{"type": "MARK_RESOURCE_PROVIDER_GONE", "mark_resource_provider_gone": object{"resource_provider_id": object{"value": p.id}}}
	if answer := agent.Operator(gone); answer.Status != http.StatusInternalServerError || !strings.Contains(answer.Text(), "has resources") {
		t.Fatalf("with resources: %d %s", answer.Status, answer.Text())
	}
	p.state(nil)
	for range 2 { // again is no harm
		if answer := agent.Operator(gone); answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Text())
		}
	}
	p.Await("TEARDOWN", testbed.Type("TEARDOWN"))
	p.AwaitEnd()
	refused := func(when string) {
		testbed.Eventually(t, "the agent answers "+when, func() error {
			stream, answer := p.open(p.info())
			if stream == nil {
				return fmt.Errorf("%d %s", answer.Status, answer.Text())
			}
			stream.AwaitEnd()
			if events := stream.Events(); len(events) > 0 {
				t.Errorf("%s: %v", when, events)
			}
			return nil
		})
	}
	refused("at once")
	agent.Kill()
	agent.Start()
	refused("after a restart")
	awaitProviders(t, agent, 0)
}

// Where operators have to authenticate providers have to as well; what may be
// seen and done is a matter of ACLs.
func TestAccess(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	credentials := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(credentials, []byte("ops secret\nother secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	acls := `{"permissive": true,
		"view_resource_providers": [{"principals":{"values":["ops"]},"resource_providers":{"type":"ANY"}},
			{"principals":{"type":"ANY"},"resource_providers":{"type":"NONE"}}],
		"mark_resource_providers_gone": [{"principals":{"values":["other"]},"resource_providers":{"type":"NONE"}}],
		"modify_resource_provider_configs": [{"principals":{"values":["other"]},"resource_providers":{"type":"NONE"}}]}`
	agent := testbed.NewAgent(t, master.Address, testbed.Posix,
		"--authenticate_http_readwrite", "--authenticate_http_readonly", "--http_credentials="+credentials, "--acls="+acls)
	agent.Username, agent.Password = "ops", "secret"
	agent.Start()
	p := newProvider(t, agent, testbed.JSON)
	p.state(list{p.raw()})
	awaitProviders(t, agent, 1)

	agent.Username = "other"
	if got := providersOf(agent).List(); len(got) > 0 {
		t.Errorf("providers are shown: %v", got)
	}
	for kind, body := range map[string]object{
		"MARK_RESOURCE_PROVIDER_GONE":     {"resource_provider_id": object{"value": p.id}},
		"ADD_RESOURCE_PROVIDER_CONFIG":    {"info": p.info()},
		"UPDATE_RESOURCE_PROVIDER_CONFIG": {"info": p.info()},
		"REMOVE_RESOURCE_PROVIDER_CONFIG": {"type": "a", "name": "b"},
	} {
		delete(body, "id")
		if info, ok := body["info"].(object); ok {
			delete(info, "id")
		}
		if answer := agent.Operator(object{"type": kind, strings.ToLower(kind): body}); answer.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", kind, answer.Status, answer.Text())
		}
	}
	agent.Username = ""
	if _, answer := p.open(p.info()); answer.Status != http.StatusUnauthorized {
		t.Errorf("without a name: %d %s", answer.Status, answer.Text())
	}
}

// The agent starts no providers: their descriptions are refused, and those that
// operators put there can be removed.
func TestConfigs(t *testing.T) {
	master := testbed.StartMaster(t, "--registry=in_memory")
	dir := t.TempDir()
	file := filepath.Join(dir, "a.json")
	if err := os.WriteFile(file, []byte(`{"type":"org.example","name":"a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := testbed.StartAgent(t, master.Address, testbed.Posix, "--resource_provider_config_dir="+dir)
	bare := testbed.StartAgent(t, master.Address, testbed.Posix)
	testbed.Eventually(t, "both have recovered and registered", func() error {
		if got := len(master.Get("/slaves").At("slaves").List()); got != 2 {
			return fmt.Errorf("%d agents", got)
		}
		return nil
	})
	info := func(more object) object {
		return object{"info": with(object{"type": "org.apache.mesos.rp.local.storage", "name": "a"}, more)}
	}
	id := object{"id": object{"value": "x"}}
	remove := object{"type": "org.example", "name": "a"}
	for name, tt := range map[string]struct {
		agent  *testbed.Agent
		kind   string
		body   any
		status int
		text   string
	}{
		"add":                  {agent, "ADD_RESOURCE_PROVIDER_CONFIG", info(nil), 400, "Unknown local resource provider type"},
		"update":               {agent, "UPDATE_RESOURCE_PROVIDER_CONFIG", info(nil), 400, "Unknown local resource provider type"},
		"add with ID":          {agent, "ADD_RESOURCE_PROVIDER_CONFIG", info(id), 400, "Expecting 'add_resource_provider_config.info.id' to be unset"},
		"update with ID":       {agent, "UPDATE_RESOURCE_PROVIDER_CONFIG", info(id), 400, "Expecting 'update_resource_provider_config.info.id' to be unset"},
		"add nothing":          {agent, "ADD_RESOURCE_PROVIDER_CONFIG", nil, 400, "Expecting 'add_resource_provider_config' to be present"},
		"update nothing":       {agent, "UPDATE_RESOURCE_PROVIDER_CONFIG", nil, 400, "Expecting 'update_resource_provider_config' to be present"},
		"remove nothing":       {agent, "REMOVE_RESOURCE_PROVIDER_CONFIG", nil, 400, "Expecting 'remove_resource_provider_config' to be present"},
		"remove":               {agent, "REMOVE_RESOURCE_PROVIDER_CONFIG", remove, 200, ""},
		"remove nobody":        {agent, "REMOVE_RESOURCE_PROVIDER_CONFIG", object{"type": "t", "name": "n"}, 200, ""},
		"remove from no place": {bare, "REMOVE_RESOURCE_PROVIDER_CONFIG", remove, 500, "--resource_provider_config_dir"},
	} {
		t.Run(name, func(t *testing.T) {
			call := object{"type": tt.kind}
			if tt.body != nil {
				call[strings.ToLower(tt.kind)] = tt.body
			}
			answer := tt.agent.Operator(call)
			if answer.Status != tt.status || !strings.Contains(answer.Text(), tt.text) {
				t.Errorf("%d %s; want %d %s", answer.Status, answer.Text(), tt.status, tt.text)
			}
		})
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the removed file: %v", err)
	}
	if log := agent.Log(); !strings.Contains(log, "resource provider is not started") || !strings.Contains(log, file) {
		t.Error("the log doesn't tell what was not started")
	}
}
