package podlabel

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/internal/kubeapi"
)

// apiServer is a pod behind an API server that merges patches and fails as
// often as it is told.
type apiServer struct {
	*httptest.Server
	mu       sync.Mutex
	fail     int
	labels   map[string]any
	requests []string
	changed  chan struct{}
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{labels: map[string]any{"app": "mesos"}, changed: make(chan struct{}, 100)}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.changed <- struct{}{} }()
	s.requests = append(s.requests, strings.Join([]string{
		r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization")}, " "))
	if s.fail > 0 {
		s.fail--
		http.Error(w, "etcd is busy", http.StatusServiceUnavailable)
		return
	}
	var patch struct {
		Metadata struct{ Labels map[string]any }
	}
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &patch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for k, v := range patch.Metadata.Labels {
		if s.labels[k] = v; v == nil {
			delete(s.labels, k)
		}
	}
}

func (s *apiServer) pod() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	labels := map[string]any{}
	for k, v := range s.labels {
		labels[k] = v
	}
	return labels
}

// await waits until the pod has these labels beside its own.
func (s *apiServer) await(t *testing.T, want map[string]any) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		got := s.pod()
		if cmp.Equal(want, got) {
			return
		}
		select {
		case <-s.changed:
		case <-deadline:
			t.Fatalf("labels of the pod:\n%s", cmp.Diff(want, got))
		}
	}
}

func (s *apiServer) config(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	token, ca := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for file, content := range map[string][]byte{token: []byte("secret\n"), ca: cert} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Config{
		Label: "mesos.dev/leader", Namespace: "mesos", Pod: "master-0",
		API:        kubeapi.Config{Server: s.URL, TokenFile: token, CAFile: ca},
		MinBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond,
	}
}

func run(t *testing.T, cfg Config) (*Labeller, context.CancelFunc) {
	t.Helper()
	l, err := New(cfg, testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return l, stop
}

var (
	plain  = map[string]any{"app": "mesos"}
	leader = map[string]any{"app": "mesos", "mesos.dev/leader": "true"}
)

func TestLabelFollowsLeadership(t *testing.T) {
	s := newAPIServer(t)
	s.labels["mesos.dev/leader"] = "true" // left by a process that was killed
	l, stop := run(t, s.config(t))
	s.await(t, plain)
	l.Lead()
	s.await(t, leader)
	l.Follow()
	s.await(t, plain)
	l.Lead()
	s.await(t, leader)
	stop()
	s.await(t, plain)

	want := "PATCH /api/v1/namespaces/mesos/pods/master-0 application/merge-patch+json Bearer secret"
	for _, got := range s.requests {
		if got != want {
			t.Errorf("request %q, want %q", got, want)
		}
	}
}

func TestFailuresAreRetried(t *testing.T) {
	s := newAPIServer(t)
	s.fail = 5
	l, _ := run(t, s.config(t))
	l.Lead()
	s.await(t, leader)
}

func TestCertificatesMustBeReadable(t *testing.T) {
	cfg := newAPIServer(t).config(t)
	if err := os.WriteFile(cfg.API.CAFile, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(cfg, testr.New(t)); err == nil {
		t.Error("a file without certificates is accepted")
	}
}

func TestInPod(t *testing.T) {
	env := map[string]string{
		"POD_NAME": "master-0", "POD_NAMESPACE": "mesos",
		"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443",
	}
	got, err := InPod("mesos.dev/leader", func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://[fd00::1]:443"; got.API.Server != want {
		t.Errorf("server %q, want %q", got.API.Server, want)
	}
	for name := range env {
		t.Run("without "+name, func(t *testing.T) {
			_, err := InPod("mesos.dev/leader", func(k string) string {
				if k == name {
					return ""
				}
				return env[k]
			})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("error %v does not name %s", err, name)
			}
		})
	}
	if _, err := InPod("mesos.dev/leader=true", func(k string) string { return env[k] }); err == nil {
		t.Error("a label with a value is accepted as a key")
	}
}
