package operator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// Paths are found as libprocess finds them: by the longest prefix, whatever the
// method, with and without the process, and with the suffix of older versions.
func TestRouting(t *testing.T) {
	master := testbed.StartMaster(t)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/state", 200}, {"GET", "/state/", 200}, {"GET", "/master/state", 200}, {"GET", "/master/state/", 200},
		{"GET", "/state.json", 200}, {"GET", "/master/state.json", 200}, {"GET", "/state/more/of/it", 200},
		{"POST", "/state", 200}, {"PUT", "/slaves/some-id", 200}, {"POST", "/slaves/some-id", 200},
		{"GET", "/frameworks/?framework_id=x", 200}, {"GET", "/master/frameworks/", 200}, {"POST", "/tasks/?task_id=x", 200},
		{"GET", "/metrics/snapshot", 200}, {"GET", "/metrics/snapshot/", 200}, {"GET", "/system/stats.json", 200},
		{"GET", "/health", 200}, {"GET", "/master/health", 200}, {"POST", "/health", 200}, {"GET", "/version", 200},
		{"GET", "/redirect", 307}, {"GET", "/master/redirect", 307}, {"GET", "/redirect/state", 404},
		{"GET", "/logging/toggle", 200}, {"GET", "/files/debug", 200}, {"GET", "/files/browse", 400}, {"GET", "/files/read?path=/x", 404},
		{"GET", "/help", 200}, {"GET", "/help/master", 200}, {"GET", "/help/master/state", 200}, {"GET", "/help/nobody", 404}, {"GET", "/help/master/nothing", 400},
		{"GET", "/nothing", 404}, {"GET", "/master/nothing", 404}, {"GET", "/slave(1)/state", 404}, {"GET", "/api/v1", 405},
	} {
		if answer := do(t, master, test.method, test.path, ""); answer.Status != test.status {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, answer.Status, test.status)
		}
	}
	call := http.Header{"Content-Type": {"application/json"}}
	for _, path := range []string{"/api/v1", "/api/v1/", "/api/v1/operator", "/master/api/v1"} {
		if answer := testbed.Do(t, "POST", master.URL(path), call, []byte(`{"type":"GET_HEALTH"}`)); answer.Status != 200 {
			t.Errorf("POST %s: %d", path, answer.Status)
		}
	}
	for _, path := range []string{"/state", "/health", "/version", "/metrics/snapshot"} {
		if answer := do(t, master, "HEAD", path, ""); answer.Status != 200 || len(answer.Body) != 0 {
			t.Errorf("HEAD %s: %d and %d bytes", path, answer.Status, len(answer.Body))
		}
	}
	if got := do(t, master, "GET", "/redirect", "").Header.Get("Location"); got != "//localhost:"+master.Port() {
		t.Errorf("/redirect leads to %q", got)
	}
}

// TestProfilers: the endpoints are switched by what switches Mesos's, and give profiles of
// both daemons.
func TestProfilers(t *testing.T) {
	off := testbed.StartMaster(t)
	for path, status := range map[string]int{"/profiler/start": 400, "/profiler/stop": 400, "/memory-profiler/start": 404, "/memory-profiler/state": 404} {
		if answer := do(t, off, "GET", path, ""); answer.Status != status {
			t.Errorf("GET %s, switched off: %d, want %d", path, answer.Status, status)
		}
	}
	m := testbed.NewMaster(t, "--memory_profiling")
	m.Env = append(m.Env, "LIBPROCESS_ENABLE_PROFILER=1")
	m.Start()
	a := testbed.NewAgent(t, m.Address, testbed.Posix, "--memory_profiling")
	a.Env = append(a.Env, "LIBPROCESS_ENABLE_PROFILER=1")
	a.Start()
	for _, p := range []*testbed.Process{m.Process, a.Process} {
		for _, step := range []struct {
			path    string
			status  int
			profile bool
		}{
			{"/profiler/stop", 400, false}, {"/profiler/start", 200, false}, {"/profiler/start", 400, false}, {"/profiler/stop", 200, true},
			{"/memory-profiler/stop", 400, false}, {"/memory-profiler/start?duration=x", 400, false}, {"/memory-profiler/start", 200, false},
			{"/memory-profiler/download/raw", 400, false}, {"/memory-profiler/stop", 200, false}, {"/memory-profiler/download/raw", 200, true},
			{"/memory-profiler/download/text", 200, false}, {"/memory-profiler/statistics", 200, false}, {"/memory-profiler/state", 200, false},
			{"/help", 200, false}, {"/help/profiler", 200, false}, {"/help/memory-profiler/start", 200, false}, {"/help/nobody", 404, false},
		} {
			answer := testbed.Do(t, "GET", p.URL(step.path), nil, nil)
			if answer.Status != step.status || step.profile && !strings.HasPrefix(answer.Text(), "\x1f\x8b") {
				t.Errorf("%s, %s: %d %.60q, want %d", p.Name, step.path, answer.Status, answer.Text(), step.status)
			}
		}
	}
	if answer := testbed.Do(t, "GET", a.URL("/help/slave(1)/state"), nil, nil); answer.Status != 200 || !strings.Contains(answer.Text(), "executors and tasks") {
		t.Errorf("help of the agent: %d %.200s", answer.Status, answer.Text())
	}
}

// Calls are refused with the status that a real Mesos answers.
func TestHowCallsAreRefused(t *testing.T) {
	master := testbed.StartMaster(t)
	const health = `{"type":"GET_HEALTH"}`
	for name, test := range map[string]struct {
		method string
		header http.Header
		body   string
		status int
		text   string
	}{
		"GET":                  {"GET", nil, "", 405, "POST"},
		"no content type":      {"POST", http.Header{}, health, 400, "Content-Type"},
		"another content type": {"POST", http.Header{"Content-Type": {"text/plain"}}, health, 415, ""},
		"charset":              {"POST", http.Header{"Content-Type": {"application/json; charset=utf-8"}}, health, 415, ""},
		"accepts nothing":      {"POST", http.Header{"Content-Type": {"application/json"}, "Accept": {"text/html"}}, health, 406, ""},
		"refuses both": {"POST", http.Header{"Content-Type": {"application/json"},
			"Accept": {"application/json;q=0, application/x-protobuf;q=0"}}, health, 406, ""},
		"no JSON":           {"POST", nil, `{"type":`, 400, ""},
		"no type":           {"POST", nil, `{}`, 400, "type"},
		"type of no call":   {"POST", nil, `{"type":"UNKNOWN"}`, 501, ""},
		"a part is missing": {"POST", nil, `{"type":"READ_FILE","read_file":{"offset":0}}`, 400, "path"},
		"bytes":             {"POST", http.Header{"Content-Type": {"application/x-protobuf"}}, "\xff\xff", 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			header := test.header
			if header == nil {
				header = http.Header{"Content-Type": {"application/json"}}
			}
			answer := testbed.Do(t, test.method, master.URL("/api/v1"), header, []byte(test.body))
			if answer.Status != test.status || !strings.Contains(answer.Text(), test.text) {
				t.Errorf("%d %q, want %d with %q", answer.Status, answer.Text(), test.status, test.text)
			}
			if test.status == 405 && answer.Header.Get("Allow") != "POST" {
				t.Errorf("Allow is %q", answer.Header.Get("Allow"))
			}
		})
	}
}

// Clients write JSON as they like.
func TestLenientInput(t *testing.T) {
	master := testbed.StartMaster(t)
	for name, body := range map[string]string{
		"pretty-printed":  "\n{\n  \"type\" : \"GET_HEALTH\"\n}\n",
		"unknown members": `{"type":"GET_HEALTH","nobody":{"knows":[1,"2",null]}}`,
		"null is unset":   `{"type":"GET_HEALTH","get_metrics":null}`,
		"string numbers":  `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":"5000000000"}}}`,
		"unset optional":  `{"type":"GET_METRICS","get_metrics":{"timeout":null}}`,
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		if answer := testbed.Do(t, "POST", master.URL("/api/v1"), header, []byte(body)); answer.Status != 200 ||
			answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Text())
		}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, `{"type":"GET_HEALTH"}`)
	_ = w.Close()
	header := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	if answer := testbed.Do(t, "POST", master.URL("/api/v1"), header, packed.Bytes()); answer.Status != 200 {
		t.Errorf("compressed: %d %s", answer.Status, answer.Text())
	}
}

// Answers from 1,024 bytes on are compressed for who takes that, and wrapped for
// who asks for it.
func TestFormsOfAnswers(t *testing.T) {
	master := testbed.StartMaster(t)
	for path, long := range map[string]bool{"/state": true, "/flags": true, "/health": false, "/version": false, "/tasks": false} {
		answer := testbed.Do(t, "GET", master.URL(path), http.Header{"Accept-Encoding": {"gzip"}}, nil)
		if got := answer.Header.Get("Content-Encoding") == "gzip"; got != long {
			t.Errorf("%s: %d bytes, compressed %t", path, len(answer.Body), got)
			continue
		}
		if !long {
			continue
		}
		r, err := gzip.NewReader(bytes.NewReader(answer.Body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || testbed.MustParse(t, text).Kind() != "object" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"/state", "/tasks", "/metrics/snapshot", "/version", "/flags", "/roles"} {
		answer := do(t, master, "GET", path+"?jsonp=callback", "")
		text, begins := strings.CutPrefix(answer.Text(), "callback(")
		text, ends := strings.CutSuffix(text, ")")
		if !begins || !ends || answer.Header.Get("Content-Type") != "text/javascript" {
			t.Errorf("%s: %s %.60q", path, answer.Header.Get("Content-Type"), answer.Text())
			continue
		}
		testbed.MustParse(t, []byte(text))
	}
}

// The stream of events is chunked even if the connection is to be closed, and
// each record is one chunk of compact JSON.
func TestChunksOfTheEventStream(t *testing.T) {
	master := testbed.StartMaster(t)
	for _, connection := range []string{"keep-alive", "close"} {
		t.Run(connection, func(t *testing.T) {
			conn, err := net.Dial("tcp", master.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(testbed.Patience))
			const body = `{"type":"SUBSCRIBE"}`
			fmt.Fprintf(conn, "POST /api/v1 HTTP/1.1\r\nHost: master\r\nConnection: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				connection, len(body), body)
			in := bufio.NewReader(conn)
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != 200 || len(response.TransferEncoding) != 1 || response.TransferEncoding[0] != "chunked" {
				t.Fatalf("%s, transfer encoding %v", response.Status, response.TransferEncoding)
			}
			for _, want := range []string{"SUBSCRIBED", "HEARTBEAT"} {
				length, record, ok := strings.Cut(readChunk(t, in), "\n")
				if n, err := strconv.Atoi(length); !ok || err != nil || n != len(record) {
					t.Fatalf("the chunk of %d bytes is not one record: %.40q", len(record), length)
				}
				if got := testbed.MustParse(t, []byte(record)).At("type").Text(); got != want || strings.Contains(record, "\n") {
					t.Errorf("got %s, want %s in one line", got, want)
				}
			}
		})
	}
}

// readChunk reads a chunk below http.Response, which joins them.
func readChunk(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	head, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(head), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, n+2)
	if _, err := io.ReadFull(in, chunk); err != nil {
		t.Fatal(err)
	}
	return string(chunk[:n])
}

// An HTTP/1.0 client knows no chunks and gets the records as they are.
func TestEventStreamOfAnOldClient(t *testing.T) {
	master := testbed.StartMaster(t)
	conn, err := net.Dial("tcp", master.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(testbed.Patience))
	const body = `{"type":"SUBSCRIBE"}`
	fmt.Fprintf(conn, "POST /api/v1 HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	if _, err2 := strconv.Atoi(strings.TrimSpace(line)); err != nil || err2 != nil || len(response.TransferEncoding) != 0 {
		t.Errorf("begins with %q (%v), transfer encoding %v", line, err, response.TransferEncoding)
	}
}

// A subscriber that doesn't read is cut off, and the others don't notice.
func TestStalledSubscriber(t *testing.T) {
	t.Parallel()
	master := testbed.StartMaster(t)
	conn, err := net.Dial("tcp", master.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	const body = `{"type":"SUBSCRIBE"}`
	fmt.Fprintf(conn, "POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	reader := watchEvents(t, master, testbed.Protobuf)
	reader.Await("SUBSCRIBED", testbed.Type("SUBSCRIBED"))
	// Each framework with a large label is an event when it comes and one when
	// it goes: the journal forgets the first of them after 64 MiB.
	label := strings.Repeat("x", 4<<20)
	for range 14 {
		f := testbed.Subscribe(t, master, testbed.FrameworkOptions{Info: object{
			"failover_timeout": 0.0, "labels": object{"labels": list{object{"key": "k", "value": label}}}}})
		f.Call("TEARDOWN", nil)
		f.Close()
		reader.Await("FRAMEWORK_REMOVED", testbed.Type("FRAMEWORK_REMOVED"))
	}
	testbed.Eventually(t, "the stalled subscriber is cut off", func() error {
		if n := master.Get("/metrics/snapshot").At("master/engine/slow_subscribers").Number(); n != 1 {
			return fmt.Errorf("%v slow subscribers", n)
		}
		if !strings.Contains(master.Log(), "reads too slowly") {
			return fmt.Errorf("no line in the log")
		}
		return nil
	})
	if !reader.Open() {
		t.Error("the other one was cut off, too")
	}
}

// What belongs to the process and not to the cluster.
func TestProcessEndpoints(t *testing.T) {
	master := testbed.StartMaster(t)
	for path, want := range map[string]string{"/logging/toggle": "0\n", "/health": ""} {
		if answer := do(t, master, "GET", path, ""); answer.Text() != want {
			t.Errorf("%s: %q, want %q", path, answer.Text(), want)
		}
	}
	expect(t, master, 400, "GET", "/logging/toggle?level=2", "")
	expect(t, master, 400, "GET", "/logging/toggle?level=x&duration=1secs", "")
	expect(t, master, 400, "GET", "/logging/toggle?level=1&duration=1", "")
	expect(t, master, 200, "POST", "/logging/toggle?level=1&duration=1mins", "")
	if answer := do(t, master, "GET", "/logging/toggle", ""); answer.Text() != "1\n" {
		t.Errorf("the level is %q", answer.Text())
	}
	if got := master.Get("/version").At("version").Text(); got != "1.11.0" {
		t.Errorf("version %q", got)
	}
	stats := master.Get("/system/stats.json")
	for _, name := range []string{"cpus_total", "mem_total_bytes", "mem_free_bytes"} {
		if stats.At(name).Kind() != "integer" || stats.At(name).Number() <= 0 {
			t.Errorf("%s is %v", name, stats.At(name))
		}
	}
	if got := stats.At("avg_load_1min").Kind(); got != "double" {
		t.Errorf("avg_load_1min is %s", got)
	}
	expect(t, master, 200, "GET", "/metrics/snapshot?timeout=100ms", "")
	expect(t, master, 400, "GET", "/metrics/snapshot?timeout=100", "")
	if got := master.Get("/flags").At("flags", "port").Text(); got != master.Port() {
		t.Errorf("flag port is %q", got)
	}
	help := master.Get("/help?format=json").At("processes").Find("master", "id").At("endpoints")
	if got := help.Find("/state", "name").At("text").Text(); got == "" {
		t.Errorf("no help for /state: %.300v", help)
	}
}
