package security

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// TestRealms asks every endpoint without a secret, with a wrong one, and with the
// right one.
func TestRealms(t *testing.T) {
	m := secured(t)
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--http_credentials="+credentials(t),
		"--authenticate_http_readonly", "--authenticate_http_readwrite")
	a.Start()
	for _, c := range []struct {
		process *testbed.Process
		realm   string
		paths   []string
	}{
		{m.Process, "mesos-master-readonly", []string{"/state", "/master/state.json", "/state-summary", "/slaves", "/frameworks", "/tasks",
			"/roles", "/flags", "/metrics/snapshot", "/metrics", "/files/browse?path=/x", "/files/debug", "/registrar(1)/registry"}},
		{m.Process, "mesos-master-readwrite", []string{"/api/v1", "/weights", "/quota", "/maintenance/schedule", "/teardown",
			"/machine/down", "/reserve", "/logging/toggle"}},
		{m.Process, "mesos-master-scheduler", []string{"/api/v1/scheduler", "/master/api/v1/scheduler"}},
		{m.Process, "", []string{"/health", "/version", "/redirect"}},
		{a.Process, "mesos-agent-readonly", []string{"/state", "/slave(1)/state", "/containers", "/monitor/statistics", "/flags",
			"/metrics/snapshot", "/files/debug"}},
		{a.Process, "mesos-agent-readwrite", []string{"/api/v1", "/logging/toggle"}},
		{a.Process, "", []string{"/health", "/version"}},
	} {
		for _, path := range c.paths {
			// GET is the wrong method for some: authentication comes before that.
			nobody := testbed.Do(t, http.MethodGet, c.process.URL(path), nil, nil)
			if c.realm == "" {
				if nobody.Status == http.StatusUnauthorized {
					t.Errorf("%s of %s is closed", path, c.process.Name)
				}
				continue
			}
			expect(t, path+" without a secret", nobody, http.StatusUnauthorized)
			if got, want := nobody.Header.Get("WWW-Authenticate"), `Basic realm="`+c.realm+`"`; got != want {
				t.Errorf("%s: WWW-Authenticate %s, want %s", path, got, want)
			}
			wrong := http.Header{}
			(&http.Request{Header: wrong}).SetBasicAuth("ops", "other")
			expect(t, path+" with a wrong secret", testbed.Do(t, http.MethodGet, c.process.URL(path), wrong, nil), http.StatusUnauthorized)
			if got := as(t, c.process, "ops", http.MethodGet, path, ""); got.Status == http.StatusUnauthorized {
				t.Errorf("%s with the right secret: %d", path, got.Status)
			}
		}
	}
}

// TestOpenRealms: each switch closes its own realm, and a secret that nobody asked
// for is not looked at.
func TestOpenRealms(t *testing.T) {
	m := testbed.NewMaster(t, "--credentials="+credentials(t), "--authenticate_http_readwrite")
	m.Start()
	expect(t, "/state", as(t, m.Process, "", http.MethodGet, "/state", ""), http.StatusOK)
	wrong := http.Header{}
	(&http.Request{Header: wrong}).SetBasicAuth("ops", "other")
	expect(t, "/state with a wrong secret", testbed.Do(t, http.MethodGet, m.URL("/state"), wrong, nil), http.StatusOK)
	expect(t, "/weights", as(t, m.Process, "", http.MethodGet, "/weights", ""), http.StatusUnauthorized)
}

// TestOldFormOfCredentials: a line for each principal.
func TestOldFormOfCredentials(t *testing.T) {
	m := testbed.NewMaster(t, "--credentials="+file(t, "credentials", "ops "+secret+"\n\nviewer other\n"), "--authenticate_http_readonly")
	m.Username, m.Password = "ops", secret
	m.Start()
	expect(t, "ops", as(t, m.Process, "ops", http.MethodGet, "/state", ""), http.StatusOK)
	expect(t, "viewer", as(t, m.Process, "viewer", http.MethodGet, "/state", ""), http.StatusUnauthorized)
}

func TestSecretsAreNotShown(t *testing.T) {
	inline := `{"credentials":[{"principal":"ops","secret":"` + secret + `"}]}`
	m := testbed.NewMaster(t, "--credentials="+inline, "--authenticate_http_readonly")
	m.Username, m.Password = "ops", secret
	m.Start()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, `--credential={"principal":"agent","secret":"`+secret+`"}`, "--http_credentials="+inline)
	a.Launch() // it is refused by the master, and must not show why in too much detail
	for _, path := range []string{"/flags", "/state"} {
		if text := as(t, m.Process, "ops", http.MethodGet, path, "").Text(); strings.Contains(text, secret) || !strings.Contains(text, "REDACTED") {
			t.Errorf("%s shows %.2000s", path, text)
		}
	}
	a.AwaitEnd()
	for _, p := range []*testbed.Process{m.Process, a.Process} {
		if strings.Contains(p.Log(), secret) {
			t.Errorf("the log of %s shows the secret", p.Name)
		}
	}
}

// TestPrincipalOfAFramework: it is the one of the request, and no other.
func TestPrincipalOfAFramework(t *testing.T) {
	m := secured(t)
	for _, encoding := range []testbed.Encoding{testbed.JSON, testbed.Protobuf} {
		f := testbed.Subscribe(t, m, testbed.FrameworkOptions{Encoding: encoding})
		if p := m.Get("/frameworks").At("frameworks").List()[0].At("principal").Text(); p != "ops" {
			t.Errorf("principal %q", p)
		}
		if answer := as(t, m.Process, "viewer", http.MethodPost, "/api/v1/scheduler",
			`{"type":"REVIVE","framework_id":{"value":"`+f.ID+`"}}`); answer.Status/100 != 4 {
			t.Errorf("another principal calls for the framework: %d", answer.Status)
		}
		f.Call("TEARDOWN", nil)
	}
	answer := as(t, m.Process, "viewer", http.MethodPost, "/api/v1/scheduler", `{"type":"SUBSCRIBE","subscribe":{"framework_info":`+
		`{"user":"root","name":"x","principal":"ops"}}}`)
	expect(t, "SUBSCRIBE as somebody else", answer, http.StatusBadRequest)
}

// TestFirewall: closed endpoints are closed by all their names, before
// authentication.
func TestFirewall(t *testing.T) {
	m := testbed.NewMaster(t, "--credentials="+credentials(t), "--authenticate_http_readonly",
		`--firewall_rules={"disabled_endpoints":{"paths":["/files/browse","/master/roles"]}}`)
	m.Username, m.Password = "ops", secret
	m.Start()
	for _, path := range []string{"/files/browse", "/files/browse/", "/roles", "/master/roles", "/roles.json"} {
		answer := as(t, m.Process, "", http.MethodGet, path, "")
		expect(t, path, answer, http.StatusForbidden)
		if want := "Endpoint '" + path + "' is disabled"; answer.Text() != want {
			t.Errorf("%s: %q", path, answer.Text())
		}
	}
	expect(t, "/files/read", as(t, m.Process, "ops", http.MethodGet, "/files/read?path=/x", ""), http.StatusNotFound)
}
