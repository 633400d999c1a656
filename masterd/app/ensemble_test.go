package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/logging"
)

// member is one master of an ensemble in this process.
type member struct {
	port string
	args []string
	stop context.CancelFunc
	done chan error
}

func (m *member) start(t *testing.T) {
	t.Helper()
	logs, err := logging.New(logging.Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	m.done = make(chan error, 1)
	f := parse(t, m.args...)
	go func(done chan<- error) { done <- Run(ctx, f, logs) }(m.done)
}

func (m *member) end(t *testing.T) {
	t.Helper()
	m.stop()
	if err := <-m.done; err != nil {
		t.Errorf("master at %s: %v", m.port, err)
	}
	m.stop = nil
}

var noRedirects = &http.Client{
	Timeout:       5 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask returns status and Location of a master's answer.
func (m *member) ask(path string) (status int, location string) {
	resp, err := noRedirects.Get("http://127.0.0.1:" + m.port + path)
	if err != nil {
		return 0, ""
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// awaitLeader waits until one of the members that run leads and all others
// redirect to it.
func awaitLeader(t *testing.T, members []*member) *member {
	t.Helper()
	var seen string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var leader *member
		locations := map[string]int{}
		running := 0
		seen = ""
		for _, m := range members {
			if m.stop == nil {
				continue
			}
			running++
			status, location := m.ask("/state?x=y")
			seen += fmt.Sprintf(" %s: %d %s;", m.port, status, location)
			if status == http.StatusOK {
				leader = m
			}
			locations[location]++
		}
		if leader != nil && locations["//127.0.0.1:"+leader.port+"/state?x=y"] == running-1 {
			return leader
		}
	}
	t.Fatalf("no leader that all agree on:%s", seen)
	return nil
}

// awaitVoters waits until the registry has so many members with a vote, and all of
// them are up to date, as this one knows, which leads.
func (m *member) awaitVoters(t *testing.T, n int) {
	t.Helper()
	var body []byte
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := noRedirects.Get("http://127.0.0.1:" + m.port + "/metrics/snapshot")
		if err != nil {
			continue
		}
		body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		var values map[string]float64
		if json.Unmarshal(body, &values) == nil && values["registrar/log/ensemble_size"] == float64(n) &&
			values["registrar/log/ensemble_current"] == float64(n) {
			return
		}
	}
	t.Fatalf("not %d members: %s", n, body)
}

func TestEnsemble(t *testing.T) {
	var members []*member
	var peers []string
	for range 3 {
		members = append(members, &member{port: freePort(t)})
		peers = append(peers, "127.0.0.1:"+freePort(t))
	}
	for i, m := range members {
		m.args = []string{
			"--ip=127.0.0.1", "--port=" + m.port, "--no-hostname_lookup", "--work_dir=" + t.TempDir(),
			"--raft_address=" + peers[i], "--raft_peers=" + strings.Join(peers, ","),
		}
		m.start(t)
	}
	t.Cleanup(func() {
		for _, m := range members {
			if m.stop != nil {
				m.end(t)
			}
		}
	})
	for range 2 {
		leader := awaitLeader(t, members)
		leader.awaitVoters(t, 3)
		begin := time.Now()
		leader.end(t)
		successor := awaitLeader(t, members)
		t.Logf("a new leader after %v", time.Since(begin))
		if successor == leader {
			t.Fatal("the leader that stopped leads")
		}
		leader.start(t)
	}
}

// body returns what a path answers.
func (m *member) body(t *testing.T, path string) string {
	t.Helper()
	resp, err := noRedirects.Get("http://127.0.0.1:" + m.port + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
