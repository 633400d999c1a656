package httpserver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
}

func TestRouter(t *testing.T) {
	r := NewRouter("slave(1)")
	for _, name := range []string{
		"slave(1)/", "slave(1)/state", "slave(1)/api/v1", "slave(1)/api/v1/executor", "slave(1)/frameworks", "slave(1)/a/b", "slave(1)/a",
		"slave(1)/x.json", "files/read", "metrics/snapshot", "metrics/", "version/",
	} {
		process, endpoint, _ := strings.Cut(name, "/")
		r.Handle(process, endpoint, named(name))
	}
	for path, want := range map[string]string{
		"/":                           "slave(1)/",
		"/state":                      "slave(1)/state",
		"/state/":                     "slave(1)/state",
		"/state/x/y":                  "slave(1)/state",
		"/slave(1)/state":             "slave(1)/state",
		"/slave%281%29/state":         "slave(1)/state",
		"/slave(1)":                   "slave(1)/",
		"/slave(1)/":                  "slave(1)/",
		"//slave(1)//state//":         "slave(1)/state",
		"/state.json":                 "slave(1)/state",
		"/slave(1)/state.json":        "slave(1)/state",
		"/x.json":                     "slave(1)/x.json",
		"/frameworks/?framework_id=1": "slave(1)/frameworks",
		"/api/v1":                     "slave(1)/api/v1",
		"/api/v1/operator":            "slave(1)/api/v1",
		"/api/v1/executor/":           "slave(1)/api/v1/executor",
		"/a/b/c":                      "slave(1)/a/b",
		"/a/c/b":                      "slave(1)/a",
		"/files/read?path=/x":         "files/read",
		"/files/read.json":            "files/read",
		"/metrics":                    "metrics/",
		"/metrics/snapshot":           "metrics/snapshot",
		"/version":                    "version/",
		"/api":                        "",
		"/nope":                       "",
		"/master/state":               "",
		"/files":                      "",
		"/files/nope":                 "",
		"/files/state":                "",
		"/state.xml":                  "",
		"/slave(2)/state":             "",
		"/state/../a":                 "",
		"/.json":                      "",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PUT"} {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if want == "" && (w.Code != 404 || w.Body.String() != "404 Not Found.") || want != "" && w.Body.String() != want {
				t.Errorf("%s %s: got %d %s, want %q", method, path, w.Code, w.Body, want)
			}
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, &http.Request{Method: "OPTIONS", URL: httptest.NewRequest("GET", "/", nil).URL.JoinPath(), RequestURI: "*"})
	defer func() {
		if recover() == nil {
			t.Error("a second handler was accepted")
		}
	}()
	r.Handle("files", "read", named("again"))
}

// serve starts a server on the loopback interface.
func serve(t testing.TB, cfg Config) (address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listener, addr, err := Listen(ctx, Endpoint{IP: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = funcr.New(func(_, _ string) {}, funcr.Options{})
	done := make(chan error)
	go func() { done <- New(cfg).Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return addr.String()
}

// ask sends a request and returns the answer as it is, not decompressed.
func ask(t *testing.T, method, url string, header http.Header, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func testRouter() *Router {
	r := NewRouter("master")
	answer := func(status int, kind, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { Write(w, status, kind, []byte(body)) })
	}
	r.Handle("master", "small", answer(200, "application/json", `{"a":1}`))
	r.Handle("master", "large", answer(200, "application/json", `{"a":"`+strings.Repeat("x", 5000)+`"}`))
	r.Handle("master", "edge", answer(200, "application/json", `"`+strings.Repeat("x", gzipFrom-2)+`"`))
	r.Handle("master", "below", answer(200, "application/json", `"`+strings.Repeat("x", gzipFrom-3)+`"`))
	r.Handle("master", "text", answer(200, "text/plain", "text"))
	r.Handle("master", "bad", answer(400, "application/json", `{}`))
	r.Handle("master", "panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") }))
	r.Handle("master", "echo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, tooLarge.Error(), http.StatusRequestEntityTooLarge)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		} else {
			fmt.Fprintf(w, "%d", len(body))
		}
	}))
	r.Handle("master", "stream", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		control := http.NewResponseController(w)
		for i := range 3 {
			record := fmt.Sprintf(`{"i":%d,"x":%q}`, i, strings.Repeat("x", 2000))
			if _, err := fmt.Fprintf(w, "%d\n%s", len(record), record); err != nil {
				return
			}
			if err := control.Flush(); err != nil {
				return
			}
		}
	}))
	return r
}

func TestCompression(t *testing.T) {
	url := "http://" + serve(t, Config{Handler: testRouter()}) + "/"
	for name, tc := range map[string]struct {
		path, accept string
		compressed   bool
	}{
		"large":         {"large", "gzip, deflate", true},
		"1,024 bytes":   {"edge", "gzip", true},
		"1,023 bytes":   {"below", "gzip", false},
		"any":           {"large", "*", true},
		"weighted":      {"large", "deflate;q=1, GZIP; q=0.5", true},
		"refused":       {"large", "gzip;q=0, *", false},
		"all refused":   {"large", "*;q=0.0", false},
		"refused late":  {"large", "gzip;x=y;Q=0", false},
		"no weight":     {"large", "gzip;q=x", false},
		"other":         {"large", "br", false},
		"not mentioned": {"large", "", false},
		"small":         {"small", "gzip", false},
		"stream":        {"stream", "gzip", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, plain := ask(t, "GET", url+tc.path, http.Header{}, nil)
			res, body := ask(t, "GET", url+tc.path, http.Header{"Accept-Encoding": {tc.accept}}, nil)
			if tc.compressed != (res.Header.Get("Content-Encoding") == "gzip") {
				t.Fatalf("got %v", res.Header)
			}
			if tc.compressed {
				z, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(z)
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			if body != plain {
				t.Errorf("got %d bytes, want %d", len(body), len(plain))
			}
		})
	}
	if res, _ := ask(t, "HEAD", url+"large", http.Header{"Accept-Encoding": {"gzip"}}, nil); res.ContentLength != 5008 {
		t.Errorf("HEAD says %d", res.ContentLength)
	}
}

func TestJSONP(t *testing.T) {
	url := "http://" + serve(t, Config{Handler: testRouter()}) + "/"
	for path, want := range map[string]struct {
		status     int
		kind, body string
	}{
		"small?jsonp=cb":               {200, "text/javascript", `cb({"a":1})`},
		"small?jsonp=jQuery1_2":        {200, "text/javascript", `jQuery1_2({"a":1})`},
		"small?jsonp=a.b%5B%22c%22%5D": {200, "text/javascript", `a.b["c"]({"a":1})`},
		"small?jsonp=":                 {200, "text/javascript", `({"a":1})`},
		"small?jsonp=a&jsonp=b":        {200, "text/javascript", `b({"a":1})`},
		"small?x=1;jsonp=b":            {200, "text/javascript", `b({"a":1})`},
		"small":                        {200, "application/json", `{"a":1}`},
		"text?jsonp=cb":                {200, "text/plain", "text"},
		"bad?jsonp=cb":                 {400, "application/json", "{}"},
		"small?jsonp=alert(1)":         {400, "text/plain; charset=utf-8", "jsonp is not the name of a function\n"},
		"small?jsonp=%3Cscript%3E":     {400, "text/plain; charset=utf-8", "jsonp is not the name of a function\n"},
	} {
		res, body := ask(t, "GET", url+path, http.Header{}, nil)
		if res.StatusCode != want.status || res.Header.Get("Content-Type") != want.kind || body != want.body || int(res.ContentLength) != len(body) {
			t.Errorf("%s: got %s %v %s", path, res.Status, res.Header, body)
		}
	}
	res, _ := ask(t, "GET", url+"large?jsonp=cb", http.Header{"Accept-Encoding": {"gzip"}}, nil)
	if res.Header.Get("Content-Type") != "text/javascript" || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %v", res.Header)
	}
}

// Clients exist that fail when two records share a chunk.
func TestOneRecordIsOneChunk(t *testing.T) {
	address := serve(t, Config{Handler: testRouter()})
	for _, query := range []string{"", "?x="} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /stream%s HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n", query)
		raw, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		for i := range 3 {
			record := fmt.Sprintf(`{"i":%d,"x":%q}`, i, strings.Repeat("x", 2000))
			text := fmt.Sprintf("%d\n%s", len(record), record)
			chunk := fmt.Sprintf("%x\r\n%s\r\n", len(text), text)
			if !bytes.HasPrefix(body, []byte(chunk)) {
				t.Fatalf("record %d isn't one chunk: %.60q", i, body)
			}
			body = body[len(chunk):]
		}
		if string(body) != "0\r\n\r\n" {
			t.Errorf("the end is %q", body)
		}
	}
}

func TestBodies(t *testing.T) {
	url := "http://" + serve(t, Config{Handler: testRouter(), MaxBodyBytes: 1000}) + "/echo"
	streams := "http://" + serve(t, Config{Handler: testRouter(), MaxBodyBytes: 1000, Streams: "/echo"})
	for name, tc := range map[string]struct {
		body   io.Reader
		kind   string
		status int
		answer string
	}{
		"fits":           {strings.NewReader(strings.Repeat("x", 1000)), "application/json", 200, "1000"},
		"chunked":        {iotest.OneByteReader(strings.NewReader("abc")), "application/json", 200, "3"},
		"none":           {nil, "", 200, "0"},
		"too large":      {strings.NewReader(strings.Repeat("x", 1001)), "application/json", 413, "http: request body too large\n"},
		"large, chunked": {iotest.HalfReader(strings.NewReader(strings.Repeat("x", 1001))), "application/json", 413, "http: request body too large\n"},
		"stream":         {strings.NewReader(strings.Repeat("x", 5000)), "application/recordio", 200, "5000"},
		"no stream":      {strings.NewReader(strings.Repeat("x", 5000)), "application/recordio", 413, "http: request body too large\n"},
	} {
		url := url
		if name == "stream" {
			url = streams + "/echo"
		}
		res, body := ask(t, "POST", url, http.Header{"Content-Type": {tc.kind}}, tc.body)
		if res.StatusCode != tc.status || body != tc.answer {
			t.Errorf("%s: got %s %s", name, res.Status, body)
		}
	}
}

func TestCompressedBodies(t *testing.T) {
	url := "http://" + serve(t, Config{Handler: testRouter(), MaxBodyBytes: 10_000}) + "/echo"
	pack := func(n int) []byte {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		z.Write(make([]byte, n))
		z.Close()
		return packed.Bytes()
	}
	whole := pack(5000)
	for name, tc := range map[string]struct {
		body   []byte
		status int
	}{
		"fits":     {whole, 200},
		"bomb":     {pack(1 << 20), 413},
		"cut off":  {whole[:len(whole)-10], 400},
		"not gzip": {[]byte("plain"), 400},
	} {
		res, body := ask(t, "POST", url, http.Header{"Content-Encoding": {"gzip"}}, bytes.NewReader(tc.body))
		if res.StatusCode != tc.status || tc.status == 200 && body != "5000" {
			t.Errorf("%s: got %s %s", name, res.Status, body)
		}
	}
}

func TestPanic(t *testing.T) {
	url := "http://" + serve(t, Config{Handler: testRouter()}) + "/"
	if res, _ := ask(t, "GET", url+"panic", http.Header{}, nil); res.StatusCode != 500 {
		t.Errorf("got %s", res.Status)
	}
	if res, _ := ask(t, "GET", url+"small", http.Header{}, nil); res.StatusCode != 200 {
		t.Errorf("got %s", res.Status)
	}
}

// dial sends text and returns what comes back until the connection ends.
func dial(t *testing.T, address, text string) (answer string, took time.Duration) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	io.WriteString(conn, text)
	conn.SetReadDeadline(start.Add(10 * time.Second))
	all, err := io.ReadAll(conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Fatalf("%.40q: the connection stays open", text)
	}
	return string(all), time.Since(start)
}

func TestSlowClients(t *testing.T) {
	address := serve(t, Config{
		Handler: testRouter(), HeaderTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond, IdleTimeout: 100 * time.Millisecond,
	})
	for text, want := range map[string]string{
		"GET / HTTP/1.1\r\nHo": "",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc": "HTTP/1.1 400",
		"GET /small HTTP/1.1\r\nHost: h\r\n\r\n":                          "HTTP/1.1 200",
	} {
		if answer, took := dial(t, address, text); !strings.HasPrefix(answer, want) || took > 5*time.Second {
			t.Errorf("%.20q: got %.40q after %v", text, answer, took)
		}
	}
	if answer, _ := dial(t, address, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 100_000)+"\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 431") {
		t.Errorf("got %.40q", answer)
	}
}

func TestClientThatDoesNotRead(t *testing.T) {
	ended := make(chan error, 1)
	r := NewRouter("master")
	r.Handle("master", "endless", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				ended <- err
				return
			}
		}
	}))
	address := serve(t, Config{Handler: r, WriteTimeout: 100 * time.Millisecond})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the handler still waits")
	}
}

func TestOnePortForMessagesAndHTTP(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	listener, address, err := Listen(ctx, Endpoint{IP: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	node, err := libprocess.NewNode(libprocess.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan libprocess.Message, 1)
	if _, err := node.Spawn("master", libprocess.HandlerFuncs{OnMessage: func(_ context.Context, m libprocess.Message) error {
		got <- m
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- New(Config{Handler: testRouter(), Node: node, MaxBodyBytes: 10}).Serve(ctx, listener) }()

	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /master/M HTTP/1.1\r\nUser-Agent: libprocess/a@127.0.0.1:1\r\nContent-Length: 20\r\n\r\n12345678901234567890"+
		"GET /master/small HTTP/1.1\r\nHost: h\r\n\r\n")
	if m := <-got; m.Name != "M" || len(m.Body) != 20 {
		t.Errorf("got %v", m)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("got %v, %v", res, err)
	}
	// The bound of HTTP bodies isn't that of messages.
	res, _ = ask(t, "POST", "http://"+address.String()+"/master/N", http.Header{"Libprocess-From": {"a@127.0.0.1:1"}}, strings.NewReader(strings.Repeat("x", 20)))
	if m := <-got; res.StatusCode != 202 || m.Name != "N" || len(m.Body) != 20 {
		t.Errorf("got %s %v", res.Status, m)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	node.Close()
}

func TestListen(t *testing.T) {
	listener, address, err := Listen(t.Context(), Endpoint{
		IP: netip.MustParseAddr("127.0.0.1"), AdvertiseIP: netip.MustParseAddr("10.1.2.3"), AdvertisePort: 99,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if address.String() != "10.1.2.3:99" {
		t.Errorf("got %s", address)
	}
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	if _, _, err := Listen(t.Context(), Endpoint{IP: netip.MustParseAddr("127.0.0.1"), Port: port}); err == nil {
		t.Error("the port was free")
	}
	for name, tc := range map[string]struct {
		ips  []string
		want string
	}{
		"public over loopback": {[]string{"127.0.1.1", "10.0.0.5"}, "10.0.0.5"},
		"IPv4 over IPv6":       {[]string{"2001:db8::1", "10.0.0.5"}, "10.0.0.5"},
		"reachable over IPv4":  {[]string{"127.0.0.1", "2001:db8::1"}, "2001:db8::1"},
		"what there is":        {[]string{"::1", "127.0.0.1"}, "127.0.0.1"},
		"the first":            {[]string{"10.0.0.5", "10.0.0.6"}, "10.0.0.5"},
	} {
		var all []netip.Addr
		for _, ip := range tc.ips {
			all = append(all, netip.MustParseAddr(ip))
		}
		if got, ok := bestIP(all); !ok || got.String() != tc.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

func BenchmarkLargeAnswer(b *testing.B) {
	body := bytes.Repeat([]byte(`{"id":"x","name":"task"},`), 40_000)
	r := NewRouter("master")
	r.Handle("master", "state", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Write(w, 200, "application/json", body)
	}))
	h := New(Config{Handler: r}).Handler()
	for _, accept := range []string{"", "gzip"} {
		b.Run("accept="+accept, func(b *testing.B) {
			req := httptest.NewRequest("GET", "/state", nil)
			req.Header.Set("Accept-Encoding", accept)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				h.ServeHTTP(&discard{header: http.Header{}}, req)
			}
		})
	}
}

// discard is a ResponseWriter.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func TestHelp(t *testing.T) {
	r := NewRouter("master")
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r.Handle("master", "state", nothing)
	r.Handle("files", "read", nothing)
	r.Help(map[string]string{"/master/state": "Everything <there is>."})
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/help":               {200, `<a href="/help/files">`},
		"/help/master":        {200, `<a href="/help/master/state">`},
		"/help/master/state":  {200, "Everything &lt;there is&gt;."},
		"/help/files/read":    {200, "/files/read"},
		"/help/files/nothing": {400, "No help"},
		"/help/nobody":        {404, ""},
		"/help?format=json":   {200, `{"processes":[{"id":"files","endpoints":[{"name":"/read","text":`},
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s: %d %s, want %d with %s", path, w.Code, w.Body, want.status, want.text)
		}
	}
	for path, want := range map[string]string{
		"/help":              "## HELP\n> [/files][files]\n> [/master][master]\n\n[files]: help/files\n[master]: help/master\n",
		"/help/files":        "## `/files` ##\n> [/files/read][files/read]\n\n[files/read]: files/read\n",
		"/help/master/state": "### USAGE ###\n>        /state\n>        /master/state\n\n### TL;DR; ###\nEverything <there is>.\n\n",
	} {
		for _, agent := range []string{"curl/8.5.0", "HTTPie/3.2"} {
			w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
			req.Header.Set("User-Agent", agent)
			r.ServeHTTP(w, req)
			if got := w.Body.String(); got != want || w.Header().Get("Content-Type") != "text/x-markdown" {
				t.Errorf("%s for %s: %s %q, want %q", path, agent, w.Header(), got, want)
			}
		}
	}
}
