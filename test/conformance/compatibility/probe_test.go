package compatibility

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/agentd/containerizer/mesos"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// id is a message with a value.
func id(value string) testbed.Object { return testbed.Object{"value": value} }

var (
	anyWindow    = testbed.Object{"windows": testbed.List{}}
	anyMachines  = testbed.Object{"machines": testbed.List{testbed.Object{"hostname": "nobody"}}}
	anyResources = testbed.Object{"agent_id": id("nobody"), "resources": testbed.List{testbed.Scalar("cpus", 1)}}
	anyVolumes   = testbed.Object{"agent_id": id("nobody"), "volumes": testbed.List{testbed.Scalar("disk", 1)}}
	anyContainer = testbed.Object{"container_id": id("nobody")}
)

// bodies are what operator calls need so as to be understood. They change
// nothing.
var bodies = map[string]testbed.Object{
	"GET_METRICS":                 {},
	"SET_LOGGING_LEVEL":           {"level": 0, "duration": testbed.Object{"nanoseconds": 1}},
	"LIST_FILES":                  {"path": "/nothing"},
	"READ_FILE":                   {"path": "/nothing", "offset": 0},
	"UPDATE_WEIGHTS":              {"weight_infos": testbed.List{}},
	"RESERVE_RESOURCES":           anyResources,
	"UNRESERVE_RESOURCES":         anyResources,
	"CREATE_VOLUMES":              anyVolumes,
	"DESTROY_VOLUMES":             anyVolumes,
	"GROW_VOLUME":                 {"volume": testbed.Scalar("disk", 1), "addition": testbed.Scalar("disk", 1)},
	"SHRINK_VOLUME":               {"volume": testbed.Scalar("disk", 1), "subtract": testbed.Object{"value": 1.0}},
	"UPDATE_MAINTENANCE_SCHEDULE": {"schedule": anyWindow},
	"START_MAINTENANCE":           anyMachines,
	"STOP_MAINTENANCE":            anyMachines,
	"DRAIN_AGENT":                 {"agent_id": id("nobody")},
	"DEACTIVATE_AGENT":            {"agent_id": id("nobody")},
	"REACTIVATE_AGENT":            {"agent_id": id("nobody")},
	"UPDATE_QUOTA":                {"quota_configs": testbed.List{}},
	"SET_QUOTA":                   {"quota_request": testbed.Object{"role": "nobody"}},
	"REMOVE_QUOTA":                {"role": "nobody"},
	"TEARDOWN":                    {"framework_id": id("nobody")},
	"MARK_AGENT_GONE":             {"agent_id": id("nobody")},

	"GET_CONTAINERS":                  {},
	"LAUNCH_NESTED_CONTAINER":         {"container_id": testbed.Object{"value": "a", "parent": id("nobody")}},
	"WAIT_NESTED_CONTAINER":           anyContainer,
	"KILL_NESTED_CONTAINER":           anyContainer,
	"REMOVE_NESTED_CONTAINER":         anyContainer,
	"LAUNCH_NESTED_CONTAINER_SESSION": {"container_id": testbed.Object{"value": "a", "parent": id("nobody")}},
	"ATTACH_CONTAINER_INPUT":          {"type": "CONTAINER_ID", "container_id": id("nobody")},
	"ATTACH_CONTAINER_OUTPUT":         anyContainer,
	"LAUNCH_CONTAINER":                {"container_id": id("nobody")},
	"WAIT_CONTAINER":                  anyContainer,
	"KILL_CONTAINER":                  anyContainer,
	"REMOVE_CONTAINER":                anyContainer,
	"ADD_RESOURCE_PROVIDER_CONFIG":    {"info": testbed.Object{"type": "a", "name": "b"}},
	"UPDATE_RESOURCE_PROVIDER_CONFIG": {"info": testbed.Object{"type": "a", "name": "b"}},
	"REMOVE_RESOURCE_PROVIDER_CONFIG": {"type": "a", "name": "b"},
	"MARK_RESOURCE_PROVIDER_GONE":     {"resource_provider_id": id("nobody")},
	"PRUNE_IMAGES":                    {},
}

// operatorCalls asks a daemon for everything that its API names. A call that it
// doesn't do is 501.
func operatorCalls(t *testing.T, p *testbed.Process, types protoreflect.EnumDescriptor, proofs map[string]string) []row {
	var out []row
	for i := range types.Values().Len() {
		name := string(types.Values().Get(i).Name())
		if name == "UNKNOWN" {
			continue
		}
		r := row{name: name, status: works, proof: proofs[name], note: callNotes[name]}
		if r.note != "" {
			r.status = refused
		}
		if r.proof == "" {
			r.proof = proofs[""]
		}
		call := testbed.Object{"type": name}
		if body, ok := bodies[name]; ok {
			call[strings.ToLower(name)] = body
		}
		switch status := statusOf(t, p, http.MethodPost, "/api/v1", call); {
		case status == http.StatusNotImplemented:
			r.status, r.proof = notYet, ""
		case status == http.StatusBadRequest && proofs[name] == "":
			t.Errorf("%s needs a body in this test", name)
		}
		out = append(out, r)
	}
	return out
}

// statusOf makes a request for the sake of its status: the answer may be a
// stream.
func statusOf(t *testing.T, p *testbed.Process, method, path string, call testbed.Object) int {
	t.Helper()
	var body []byte
	header := http.Header{}
	if call != nil {
		body = encode(t, call)
		header.Set("Content-Type", "application/json")
	}
	ctx, cancel := context.WithTimeout(t.Context(), testbed.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.URL(path), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// endpoints asks for paths by GET and POST. 404 to both is an endpoint that
// isn't there.
func endpoints(t *testing.T, p *testbed.Process, proof string, paths ...string) []row {
	var out []row
	for _, path := range paths {
		get, post := statusOf(t, p, http.MethodGet, path, nil), statusOf(t, p, http.MethodPost, path, nil)
		r := row{name: path, status: works, proof: proof}
		if own, ok := endpointProofs[path]; ok {
			r.proof = own
		}
		switch {
		case get == http.StatusNotFound && post == http.StatusNotFound:
			r.status, r.proof = notYet, ""
		}
		out = append(out, r)
	}
	return out
}

// flagRows finds out what becomes of each flag of Mesos.
func flagRows(t *testing.T, program, daemon string, required ...string) (rows []row, own []string) {
	binary := testbed.Binary(t, program)
	help := output(t, binary, "--help")
	shown := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^  --(?:\[no-\])?([a-z0-9_]+)`).FindAllStringSubmatch(help, -1) {
		shown[match[1]] = true
	}
	known := map[string]bool{}
	for _, fact := range flagFacts(t, daemon) {
		name, value := fact[1], "x"
		known[name] = true
		if fact[2] == "bool" {
			value = "true"
		}
		r := row{name: name}
		said := ""
		if name != "help" && name != "version" {
			said = output(t, binary, append([]string{"--" + name + "=" + value, "--no_such_flag"}, required...)...)
		}
		switch {
		case strings.Contains(said, "unknown flag --"+name+";"):
			r.status = notYet
		case unsafe(t, binary, name, required):
			r.status = refused
		case shown[name]:
			r.status = works
		default:
			r.status = ignored
		}
		rows = append(rows, r)
	}
	for name := range shown {
		if !known[name] {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return rows, own
}

// flagFacts are Mesos's flags of a daemon: those of the table, and those that a
// recording shows besides.
func flagFacts(t *testing.T, daemon string) [][]string {
	t.Helper()
	var out [][]string
	seen := map[string]bool{}
	for _, fact := range facts(t, "flags.tsv") {
		if fact[0] == daemon {
			out = append(out, fact)
			seen[fact[1]] = true
		}
	}
	recorded, err := os.ReadFile(filepath.Join("..", "firstlight", "testdata", "golden", daemon, "fresh_flags.json"))
	if err != nil {
		t.Fatal(err)
	}
	flags := testbed.MustParse(t, recorded).At("body", "flags").Members()
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if kind := flags[name].Text(); !seen[name] {
			if kind == "true" || kind == "false" {
				kind = "bool"
			}
			out = append(out, []string{daemon, name, kind})
		}
	}
	return out
}

// protections are flags that must not be accepted without effect.
var protections = map[string]string{
	"acls": "{}", "authenticate_http_executors": "true", "authenticate_http_readonly": "true", "authenticate_http_readwrite": "true",
	"authenticate_http_frameworks": "true", "firewall_rules": "{}", "http_credentials": "x", "jwt_secret_key": "x", "zk": "zk://a/b",
	"credentials": "x", "rate_limits": "{}", "whitelist": "x",
	"hooks": "x", "master_detector": "x",
}

// unsafe says whether the daemon refuses to start with a protection that it
// doesn't have.
func unsafe(t *testing.T, binary, name string, required []string) bool {
	value, ok := protections[name]
	if !ok {
		return false
	}
	said := output(t, binary, append([]string{"--" + name + "=" + value, "--ip=192.0.2.1"}, required...)...)
	return regexp.MustCompile(`(not be safe|without protection|can't be loaded)`).MatchString(said) && strings.Contains(said, "--"+name)
}

// output runs a daemon that ends by itself, for the arguments make it.
func output(t *testing.T, binary string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, binary, args...).CombinedOutput() // it fails, which is what is asked for
	return string(out)
}

// facts reads a table of facts, without its head.
func facts(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(text)) {
		out = append(out, strings.Split(strings.TrimRight(line, "\n"), "\t"))
	}
	return out[1:]
}

// isolatorRows asks the containerizer which isolators it takes.
func isolatorRows(t *testing.T) []row {
	var out []row
	for _, name := range isolators {
		cfg := mesos.DefaultConfig()
		isolation, err := mesos.Isolators(name)
		if err != nil {
			t.Fatal(err)
		}
		cfg.WorkDir, cfg.Isolation = "/work", isolation
		r := row{name: name, status: works}
		if err := cfg.Validate(); err != nil && strings.Contains(err.Error(), fmt.Sprintf("unsupported isolator %q", name)) {
			r.status = notYet
		}
		out = append(out, r)
	}
	return out
}

// metricRows looks for every metric of Mesos in what the daemons show after a
// task.
func metricRows(t *testing.T, snapshots ...testbed.Value) (rows []row) {
	var shown []string
	for _, s := range snapshots {
		for name := range s.Members() {
			shown = append(shown, name)
		}
	}
	placeholder := regexp.MustCompile(`<[^>]+>`)
	derived := regexp.MustCompile(`/(count|max|min|p[0-9]+)$`) // from the second value on, with their timer
	seen := map[string]bool{}
	for _, fact := range facts(t, "metrics.tsv") {
		name := fact[0]
		if !strings.Contains(name, "/") || seen[name] || derived.MatchString(name) {
			continue
		}
		seen[name] = true
		parts := placeholder.Split(name, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern := regexp.MustCompile("^" + strings.Join(parts, "[^/]+") + "$")
		r := row{name: name, status: notYet}
		if slices.ContainsFunc(shown, pattern.MatchString) || slices.Contains(rareMetrics, name) {
			r.status = works
		}
		rows = append(rows, r)
	}
	return rows
}
