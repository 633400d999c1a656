package profiler

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, p *Profiler, path string) *httptest.ResponseRecorder {
	t.Helper()
	name, _, _ := strings.Cut(path, "?")
	h := p.Endpoints()[name]
	if h == nil {
		t.Fatalf("no %s", path)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+path, nil))
	return w
}

func want(t *testing.T, p *Profiler, path string, status int) *httptest.ResponseRecorder {
	t.Helper()
	w := get(t, p, path)
	if w.Code != status {
		t.Fatalf("%s: %d %s, want %d", path, w.Code, w.Body, status)
	}
	return w
}

// isProfile checks what pprof reads: a compressed message, which names what it has
// samples of.
func isProfile(t *testing.T, data []byte, of string) {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !bytes.Contains(text, []byte(of)) {
		t.Fatalf("%v, %d bytes without %s", err, len(text), of)
	}
}

func TestCPU(t *testing.T) {
	off := New(Config{})
	want(t, off, "profiler/start", 400)
	want(t, off, "profiler/stop", 400)
	if off.Endpoints()["memory-profiler/start"] != nil {
		t.Error("the memory profiler is there although it is switched off")
	}
	p := New(Config{CPU: true})
	want(t, p, "profiler/stop", 400)
	want(t, p, "profiler/start", 200)
	want(t, p, "profiler/start", 400)
	for range 2 {
		w := want(t, p, "profiler/stop", 200)
		if got := w.Header().Get("Content-Disposition"); got != "attachment; filename=perftools.out" || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("headers %v", w.Header())
		}
		isProfile(t, w.Body.Bytes(), "nanoseconds")
		want(t, p, "profiler/stop", 400)
		want(t, p, "profiler/start", 200)
	}
	want(t, p, "profiler/stop", 200)
}

func members(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Memory: true})
		for _, path := range []string{"stop", "download/raw", "download/text", "download/graph", "download/raw?id=1", "download/raw?id=x",
			"start?duration=x", "start?duration=1ms", "start?duration=25hrs"} {
			want(t, p, "memory-profiler/"+path, 400)
		}
		state := func() map[string]any {
			return members(t, want(t, p, "memory-profiler/state", 200))["memory_profiler"].(map[string]any)["current_run"].(map[string]any)
		}
		if s := state(); len(s) != 1 || s["id"] != nil {
			t.Errorf("state %v", s)
		}
		begun := members(t, want(t, p, "memory-profiler/start", 200))
		if begun["remaining_seconds"] != "300" {
			t.Errorf("run %v", begun)
		}
		time.Sleep(100 * time.Second)
		again := members(t, want(t, p, "memory-profiler/start?duration=1secs", 200))
		if again["id"] != begun["id"] || again["remaining_seconds"] != "200" {
			t.Errorf("the run that is on: %v", again)
		}
		want(t, p, "memory-profiler/download/raw", 400)
		if s := state(); s["remaining_seconds"] != 200.0 {
			t.Errorf("state %v", s)
		}
		time.Sleep(201 * time.Second)
		synctest.Wait()
		if s := state(); s["id"] != begun["id"] || s["remaining_seconds"] != 0.0 {
			t.Errorf("state %v", s)
		}
		isProfile(t, want(t, p, "memory-profiler/download/raw", 200).Body.Bytes(), "inuse_space")

		want(t, p, "memory-profiler/start?duration=10mins", 200)
		stopped := members(t, want(t, p, "memory-profiler/stop", 200))
		if stopped["id"] == begun["id"] {
			t.Error("the second run is the first")
		}
		for _, name := range []string{"url_raw_profile", "url_symbolized_profile"} {
			want(t, p, strings.TrimPrefix(stopped[name].(string), "/"), 200)
		}
		want(t, p, strings.TrimPrefix(stopped["url_graph_profile"].(string), "/"), 400)
		if text := want(t, p, "memory-profiler/download/text", 200).Body.String(); !strings.HasPrefix(text, "heap profile:") {
			t.Errorf("text %.40q", text)
		}
		if again := members(t, want(t, p, "memory-profiler/stop", 200)); again["id"] != stopped["id"] {
			t.Errorf("stopped twice: %v", again)
		}
		if s := members(t, want(t, p, "memory-profiler/statistics", 200)); s["allocated"].(float64) <= 0 {
			t.Errorf("statistics %v", s)
		}
	})
}
