package security

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// The principals that the daemons of these tests know, all with this secret.
const secret = "s3cret"

var principals = []string{"ops", "viewer", "marathon", "agent"}

// file writes a file that only its owner may read.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// credentials is a file for --credentials.
func credentials(t testing.TB) string {
	t.Helper()
	var list []testbed.Object
	for _, p := range principals {
		list = append(list, testbed.Object{"principal": p, "secret": secret})
	}
	text, err := json.Marshal(testbed.Object{"credentials": list})
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "credentials.json", string(text))
}

// as is a request with a principal's secret; "" makes it without.
func as(t testing.TB, p *testbed.Process, principal, method, path string, body string) testbed.Answer {
	t.Helper()
	header := http.Header{}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	if principal != "" {
		r := http.Request{Header: header}
		r.SetBasicAuth(principal, secret)
	}
	return testbed.Do(t, method, p.URL(path), header, []byte(body))
}

func expect(t testing.TB, what string, got testbed.Answer, status int) {
	t.Helper()
	if got.Status != status {
		t.Errorf("%s: %d %.200s, want %d", what, got.Status, got.Text(), status)
	}
}

// secured is a master that authenticates everybody over HTTP.
func secured(t testing.TB, flags ...string) *testbed.Master {
	t.Helper()
	m := testbed.NewMaster(t, append([]string{
		"--credentials=" + credentials(t), "--authenticate_http_readonly", "--authenticate_http_readwrite",
		"--authenticate_http_frameworks", "--http_framework_authenticators=basic",
	}, flags...)...)
	m.Username, m.Password = "ops", secret
	m.Start()
	return m
}
