package security

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// mounted is a directory as kubelets mount Secrets: its files are links by way of a link
// that is exchanged when the Secret changes.
type mounted struct {
	t        testing.TB
	dir      string
	versions int
}

func (m *mounted) set(files map[string]string) {
	m.t.Helper()
	m.versions++
	version := fmt.Sprintf("..%d", m.versions)
	must := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(m.dir, version), 0o700))
	for name, text := range files {
		must(os.WriteFile(filepath.Join(m.dir, version, name), []byte(text), 0o600))
		if m.versions == 1 {
			must(os.Symlink(filepath.Join("..data", name), filepath.Join(m.dir, name)))
		}
	}
	must(os.Symlink(version, filepath.Join(m.dir, "..new")))
	must(os.Rename(filepath.Join(m.dir, "..new"), filepath.Join(m.dir, "..data")))
}

func secrets(secret string, principals ...string) string {
	var list []string
	for _, p := range principals {
		list = append(list, fmt.Sprintf(`{"principal":%q,"secret":%q}`, p, secret))
	}
	return `{"credentials":[` + strings.Join(list, ",") + `]}`
}

// TestFilesAreReadAgain changes secrets and rules under daemons that run.
func TestFilesAreReadAgain(t *testing.T) {
	const anybody, nobody = `{}`, `{"view_flags":[{"principals":{"type":"ANY"},"flags":{"type":"NONE"}}]}`
	secret2 := secret + "2"
	files := &mounted{t: t, dir: t.TempDir()}
	own := func(secret string) string { return `{"principal":"agent","secret":"` + secret + `"}` }
	files.set(map[string]string{"credentials": secrets(secret, "ops", "agent"), "acls": anybody, "own": own(secret)})
	path := func(name string) string { return filepath.Join(files.dir, name) }
	m := testbed.NewMaster(t, "--credentials="+path("credentials"), "--acls=file://"+path("acls"), "--authenticate_http_readonly", "--authenticate_http_readwrite", "--authenticate_agents")
	m.Username, m.Password = "ops", secret
	m.Start()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--http_credentials="+path("credentials"), "--acls="+path("acls"), "--authenticate_http_readonly",
		"--credential="+path("own"))
	a.Username, a.Password = "ops", secret
	a.Start()
	get := func(p *testbed.Process, principal, secret, path string) testbed.Answer {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(principal, secret)
		return testbed.Do(t, http.MethodGet, p.URL(path), r.Header, nil)
	}
	answers := func(when string, p *testbed.Process, want map[string]int) {
		t.Helper()
		testbed.Eventually(t, when, func() error {
			for who, status := range want {
				principal, secret, _ := strings.Cut(who, " ")
				if got := get(p, principal, secret, "/flags").Status; got != status {
					return fmt.Errorf("%s answers %s with %d, want %d", p.Name, who, got, status)
				}
			}
			return nil
		})
	}
	refused := func(p *testbed.Process, secret string, want float64) {
		t.Helper()
		testbed.Eventually(t, "the failure is counted", func() error {
			snapshot := testbed.MustParse(t, get(p, "ops", secret, "/metrics/snapshot").Body)
			if got := snapshot.At("access/files_refused").Number(); got != want {
				return fmt.Errorf("%v files of %s were refused, want %v", got, p.Name, want)
			}
			return nil
		})
	}
	both := []*testbed.Process{m.Process, a.Process}
	for _, p := range both {
		answers("as it began", p, map[string]int{"ops " + secret: 200, "new " + secret2: 401})
	}
	files.set(map[string]string{"credentials": secrets(secret2, "ops", "new", "agent"), "acls": anybody, "own": own(secret2)})
	for _, p := range both {
		answers("after new secrets", p, map[string]int{"ops " + secret: 401, "ops " + secret2: 200, "new " + secret2: 200})
		refused(p, secret2, 0)
	}
	files.set(map[string]string{"credentials": secrets(secret2, "ops", "agent"), "acls": nobody, "own": own(secret2)})
	for _, p := range both {
		answers("after new rules", p, map[string]int{"ops " + secret2: 403, "new " + secret2: 401})
	}
	files.set(map[string]string{"credentials": `{"credentials":[{"principal":`, "acls": `{"view_flags":7}`, "own": own(secret2)})
	for _, p := range both {
		refused(p, secret2, 2)
		answers("with files that are wrong", p, map[string]int{"ops " + secret2: 403})
	}
	files.set(map[string]string{"credentials": secrets(secret, "ops", "agent"), "acls": anybody, "own": own(secret)})
	for _, p := range both {
		answers("after they were put right", p, map[string]int{"ops " + secret: 200, "ops " + secret2: 401})
	}
	// The agent's own secret, which it needs again when the master changes.
	files.set(map[string]string{"credentials": secrets(secret2, "ops", "agent"), "acls": anybody, "own": own(secret2)})
	for _, p := range both {
		answers("after the last change", p, map[string]int{"ops " + secret2: 200})
	}
	m.Password = secret2
	m.Kill()
	m.Start()
	awaitAgents(t, m, 1)
}
