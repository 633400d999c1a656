package app

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/logging"
)

// awaitLog returns a writer that closes found when a text is written.
func awaitLog(text string) (io.Writer, <-chan string) {
	found := make(chan string, 1)
	return writer(func(line string) {
		if strings.Contains(line, text) {
			select {
			case found <- line:
			default:
			}
		}
	}), found
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

// TestRunAndStop starts a whole master, twice in one directory, and ends it in
// the midst of a subscription.
func TestRunAndStop(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		log, leading := awaitLog(`"msg":"leading"`)
		logs, err := logging.New(logging.Config{Output: log})
		if err != nil {
			t.Fatal(err)
		}
		// A port of the test's own, as the log doesn't tell which one was free.
		port := freePort(t)
		f := parse(t, "--work_dir="+dir, "--ip=127.0.0.1", "--port="+port, "--no-hostname_lookup")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, f, logs) }()
		select {
		case <-leading:
		case err := <-done:
			t.Fatalf("the master ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Fatal("no master leads")
		}
		resp, err := http.Post("http://127.0.0.1:"+port+"/api/v1", "application/json", strings.NewReader(`{"type":"SUBSCRIBE"}`))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		stop()
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Errorf("the stream did not end well: %v", err)
		}
		resp.Body.Close()
		if err := <-done; err != nil {
			t.Errorf("the master ended: %v", err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
	}
}

func TestAPortInUseIsAnError(t *testing.T) {
	port := freePort(t)
	server := &http.Server{Addr: "127.0.0.1:" + port}
	listening := listen(t, port)
	go server.Serve(listening)
	t.Cleanup(func() { server.Close() })
	logs, err := logging.New(logging.Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), parse(t, "--registry=in_memory", "--ip=127.0.0.1", "--port="+port), logs)
	if err == nil || !strings.Contains(err.Error(), "listening") {
		t.Errorf("error %v", err)
	}
}

func listen(t *testing.T, port string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func freePort(t *testing.T) string {
	t.Helper()
	l := listen(t, "0")
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
