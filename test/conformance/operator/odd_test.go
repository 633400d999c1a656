package operator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// wire is a connection on which a test speaks HTTP by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialMaster(t *testing.T, m *testbed.Master) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", m.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(testbed.Patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t, conn, bufio.NewReader(conn)}
}

func (w *wire) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, text); err != nil {
		w.t.Fatal(err)
	}
}

// receive reads the answer to a request with a method.
func (w *wire) receive(method string) testbed.Answer {
	w.t.Helper()
	response, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("reading an answer: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("reading an answer: %v", err)
	}
	return testbed.Answer{Status: response.StatusCode, Header: response.Header, Body: body}
}

// raw sends one request with these lines of header, and reads its answer.
func raw(t *testing.T, m *testbed.Master, line, header, body string) testbed.Answer {
	t.Helper()
	w := dialMaster(t, m)
	if body != "" && !strings.Contains(header, "Transfer-Encoding") {
		header += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	w.send(line + " HTTP/1.1\r\nHost: m\r\n" + header + "\r\n" + body)
	method, _, _ := strings.Cut(line, " ")
	return w.receive(method)
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// TestOddCalls: what Mesos answers to calls that are written in unusual ways.
func TestOddCalls(t *testing.T) {
	master := testbed.StartMaster(t)
	const (
		health  = `{"type":"GET_HEALTH"}`
		healthy = `{"type":"GET_HEALTH","get_health":{"healthy":true}}`
		sends   = "Content-Type: application/json\r\n"
		proto   = "Content-Type: application/x-protobuf\r\n"
		binary  = "\x08\x01\x12\x02\x08\x01"
	)
	metrics := func(timeout string) string {
		return `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":` + timeout + `}}}`
	}
	for name, c := range map[string]struct {
		path         string // /api/v1
		header, body string
		status       int
		want         string // the body, or a beginning of it that ends with "…"
	}{
		"the last content type counts":    {header: "Content-Type: text/plain\r\n" + sends, body: health, status: 200, want: healthy},
		"and no other":                    {header: sends + "Content-Type: text/plain\r\n", body: health, status: 415},
		"the last Accept counts":          {header: sends + "Accept: application/json\r\nAccept: application/x-protobuf\r\n", body: health, status: 200, want: binary},
		"and no other Accept":             {header: sends + "Accept: application/json\r\nAccept: text/html\r\n", body: health, status: 406},
		"Accept with blanks":              {header: sends + "Accept: application / json\r\n", body: health, status: 200, want: healthy},
		"Accept in capitals":              {header: sends + "Accept: APPLICATION/JSON\r\n", body: health, status: 200, want: healthy},
		"Accept with a charset":           {header: sends + "Accept: application/json;charset=utf-8\r\n", body: health, status: 200, want: healthy},
		"Accept that weighs":              {header: sends + "Accept: application/x-protobuf, application/json;q=0.1\r\n", body: health, status: 200, want: healthy},
		"Accept that refuses JSON":        {header: sends + "Accept: application/json;q=0.0, */*\r\n", body: health, status: 200, want: binary},
		"a weight that is none":           {header: sends + "Accept: application/json;q=x\r\n", body: health, status: 406},
		"Accept of streams":               {header: sends + "Accept: application/recordio\r\n", body: health, status: 406},
		"content type in capitals":        {header: "Content-Type: APPLICATION/JSON\r\n", body: health, status: 415},
		"content type with a charset":     {header: "Content-Type: application/json; charset=utf-8\r\n", body: health, status: 415},
		"empty content type":              {header: "Content-Type:\r\n", body: health, status: 415},
		"empty body":                      {header: sends, status: 400},
		"empty protobuf":                  {header: proto, status: 400},
		"null":                            {header: sends, body: "null", status: 400},
		"a list":                          {header: sends, body: "[" + health + "]", status: 400},
		"text behind":                     {header: sends, body: health + "x", status: 400},
		"two calls":                       {header: sends, body: health + health, status: 400},
		"blanks around":                   {header: sends, body: " \n\t" + health + "\r\n", status: 200, want: healthy},
		"a comma too many":                {header: sends, body: `{"type":"GET_HEALTH",}`, status: 400},
		"escapes":                         {header: sends, body: `{"typ\u0065":"GET\u005fHEALTH"}`, status: 200, want: healthy},
		"a member twice":                  {header: sends, body: `{"type":"GET_FLAGS","type":"GET_HEALTH"}`, status: 200, want: healthy},
		"unknown members":                 {header: sends, body: `{"type":"GET_HEALTH","x":{"y":[1,null,{"z":1e5}]}}`, status: 200, want: healthy},
		"unknown members, broken":         {header: sends, body: `{"type":"GET_HEALTH","x":NaN}`, status: 400},
		"type is a number":                {header: sends, body: `{"type":1}`, status: 400},
		"type is a number in a string":    {header: sends, body: `{"type":"1"}`, status: 400},
		"type is null":                    {header: sends, body: `{"type":null}`, status: 400},
		"type is a list":                  {header: sends, body: `{"type":["GET_HEALTH"]}`, status: 400},
		"type in small letters":           {header: sends, body: `{"type":"get_health"}`, status: 400},
		"type UNKNOWN":                    {header: sends, body: `{"type":"UNKNOWN"}`, status: 501},
		"type UNKNOWN in protobuf":        {header: proto, body: "\x08\x00", status: 501},
		"a number as text":                {header: sends, body: metrics(`"1000000000"`), status: 200, want: `{"type":"GET_METRICS","get_metrics":{"metrics":[{"name":…`},
		"a number with a fraction":        {header: sends, body: metrics(`1000000000.7`), status: 200, want: `{"type":"GET_METRICS",…`},
		"a number with an exponent":       {header: sends, body: metrics(`1e9`), status: 200, want: `{"type":"GET_METRICS",…`},
		"empty text for a number":         {header: sends, body: metrics(`""`), status: 400},
		"a required number is missing":    {header: sends, body: metrics(`null`), status: 400},
		"true as text":                    {header: sends, body: `{"type":"UPDATE_QUOTA","update_quota":{"force":"true"}}`, status: 200},
		"1 for true":                      {header: sends, body: `{"type":"UPDATE_QUOTA","update_quota":{"force":1}}`, status: 400},
		"a list for an object":            {header: sends, body: `{"type":"GET_METRICS","get_metrics":[]}`, status: 400},
		"a part in another writing":       {header: sends, body: `{"type":"GET_METRICS","getMetrics":{}}`, status: 400},
		"a number for a path":             {header: sends, body: `{"type":"LIST_FILES","list_files":{"path":5}}`, status: 400},
		"an empty path":                   {header: sends, body: `{"type":"LIST_FILES","list_files":{"path":""}}`, status: 404},
		"chunked":                         {header: sends + "Transfer-Encoding: chunked\r\n", body: "8\r\n{\"type\":\r\nd;x=y\r\n\"GET_HEALTH\"}\r\n0\r\n\r\n", status: 200, want: healthy},
		"gzip":                            {header: sends + "Content-Encoding: gzip\r\n", body: packed(health), status: 200, want: healthy},
		"gzip that ends too early":        {header: sends + "Content-Encoding: gzip\r\n", body: packed(health)[:30], status: 400},
		"gzip that is none":               {header: sends + "Content-Encoding: gzip\r\n", body: health, status: 400},
		"JSONP is not for calls":          {path: "/api/v1?jsonp=f", header: sends, body: health, status: 200, want: healthy},
		"nor for those of schedulers":     {path: "/api/v1/scheduler?jsonp=f", header: sends, body: `{"type":"REVIVE","framework_id":{"value":"x"}}`, status: 400},
		"SUBSCRIBE with an empty stream":  {path: "/api/v1/scheduler", header: sends + "Mesos-Stream-Id:\r\n", body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}`, status: 400},
		"UNKNOWN of a scheduler":          {path: "/api/v1/scheduler", header: sends, body: `{"type":"UNKNOWN","framework_id":{"value":"x"}}`, status: 400},
		"a UUID that is too short":        {path: "/api/v1/scheduler", header: sends, body: acknowledgement("AAAA"), status: 400, want: "Invalid call…"},
		"base64 of URLs":                  {path: "/api/v1/scheduler", header: sends, body: acknowledgement("A-_A"), status: 400, want: "Failed to parse…"},
		"base64 without its end":          {path: "/api/v1/scheduler", header: sends, body: acknowledgement("AAAAAAAAAAAAAAAAAAAAAA"), status: 400, want: "No framework…"},
		"SUBSCRIBE and an ID on one side": {path: "/api/v1/scheduler", header: sends, body: `{"type":"SUBSCRIBE","framework_id":{"value":"x"},"subscribe":{"framework_info":{"user":"u","name":"n"}}}`, status: 400},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.path
			if path == "" {
				path = "/api/v1"
			}
			checkAnswer(t, raw(t, master, "POST "+path, c.header, c.body), c.status, c.want)
		})
	}
}

func acknowledgement(uuid string) string {
	return fmt.Sprintf(`{"type":"ACKNOWLEDGE","framework_id":{"value":"x"},
		"acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":%q}}`, uuid)
}

func checkAnswer(t *testing.T, got testbed.Answer, status int, want string) {
	t.Helper()
	begin, part := strings.CutSuffix(want, "…")
	switch {
	case got.Status != status:
		t.Errorf("%d %.200s, want %d", got.Status, got.Text(), status)
	case part && !strings.HasPrefix(got.Text(), begin), !part && want != "" && got.Text() != want:
		t.Errorf("%.200q, want %q", got.Text(), want)
	case status >= 400 && len(got.Body) > 0 && got.Header.Get("Content-Type") != "text/plain; charset=utf-8":
		t.Errorf("content type %q", got.Header.Get("Content-Type"))
	}
}

// TestOddRequests: paths, queries, methods and forms as no client of Mesos's own sends
// them, but scripts do.
func TestOddRequests(t *testing.T) {
	master := testbed.StartMaster(t, "--log_dir="+t.TempDir())
	const version = `{"version":"1.11.0",…`
	for _, c := range []struct {
		line, body string
		status     int
		want       string // see checkAnswer
	}{
		{line: "GET *", status: 400}, {line: "OPTIONS *", status: 400}, {line: "GET http://elsewhere", status: 400},
		{line: "GET http://elsewhere:99/version", status: 200, want: version},
		{line: "GET //version", status: 200, want: version}, {line: "GET /%76ersion", status: 200, want: version},
		{line: "GET /Version", status: 404}, {line: "GET /MASTER/state", status: 404},
		{line: "GET /../version", status: 404}, {line: "GET /master/../version", status: 404}, {line: "GET /%2e%2e/version", status: 404},
		{line: "GET /redirect?x=1", status: 307}, {line: "GET /redirect/", status: 404}, {line: "GET /master/redirect/x", status: 404},
		{line: "GET /version?x=%zz", status: 400}, {line: "GET /version?%", status: 400}, {line: "GET /version?&;&x", status: 200, want: version},
		{line: "GET /version?jsonp=f", status: 200, want: `f({"version":"1.11.0",…`},
		{line: "GET /version?jsonp=f&jsonp=g", status: 200, want: `g({"version":"1.11.0",…`},
		{line: "GET /version?x;jsonp=g", status: 200, want: `g({"version":"1.11.0",…`},
		{line: "GET /weights?jsonp=", status: 200, want: "([])"}, {line: "GET /weights?jsonp=a%5B%220%22%5D.b", status: 200, want: `a["0"].b([])`},
		{line: "GET /weights?jsonp=alert(1)", status: 400}, {line: "GET /health?jsonp=f", status: 200}, {line: "GET /nothing?jsonp=f", status: 404},
		{line: "GET /metrics/snapshot?timeout=", status: 400}, {line: "GET /metrics/snapshot?timeout=1", status: 400},
		{line: "GET /metrics/snapshot?timeout=x&timeout=5secs", status: 200},
		{line: "GET /logging/toggle?level=1", status: 400}, {line: "GET /logging/toggle?level=-1&duration=1secs", status: 400},
		{line: "GET /logging/toggle?duration=1secs", status: 400}, {line: "GET /logging/toggle?level=1&duration=1", status: 400},
		{line: "GET /tasks?limit=x&offset=y&order=z", status: 200, want: `{"tasks":[]}`},
		{line: "GET /tasks?limit=-2&offset=99999999999", status: 200, want: `{"tasks":[]}`},
		{line: "GET /slaves?slave_id=", status: 200, want: `{"slaves":[],"recovered_slaves":[]}`},

		{line: "GET /files/browse?path=", status: 400}, {line: "GET /files/browse?path=/x&path=/master/log", status: 200, want: "[]"},
		{line: "GET /files/read?path=/master/log&offset=-2", status: 400}, {line: "GET /files/read?path=/master/log&offset=", status: 400},
		{line: "GET /files/read?path=/master/log&offset=0&length=", status: 400},
		{line: "GET /files/read?path=/master/log&offset=0&length=-2", status: 400},
		{line: "GET /files/read?path=/master/log&offset=0&length=0", status: 200, want: `{"data":"","offset":0}`},
		{line: "GET /files/read?path=/master/log&offset=9999999", status: 200, want: `{"data":"","offset":9999999}`},
		{line: "GET /files/read?path=%2Fmaster%2Flog&offset=0&length=2", status: 200, want: `{"data":"{\"","offset":0}`},
		{line: "GET /files/read?path=/master/log/x", status: 404}, {line: "GET /files/download?path=/x", status: 404},

		{line: "PUT /weights", status: 400}, {line: "PUT /weights", body: "null", status: 400}, {line: "PUT /weights", body: "[]", status: 200},
		{line: "PUT /weights", body: "[null]", status: 400}, {line: "PUT /weights", body: `[{"role":"odd","weight":2},null]`, status: 400},
		{line: "PUT /weights", body: `{"role":"odd","weight":2}`, status: 400}, {line: "PUT /weights", body: `[{"role":"odd","weight":2}]x`, status: 400},
		{line: "PUT /weights", body: `[[{"role":"odd","weight":2}]]`, status: 400}, {line: "PUT /weights", body: `[{"role":"odd"}]`, status: 400},
		{line: "PUT /weights", body: `[{"role":"odd","weight":true}]`, status: 400}, {line: "PUT /weights", body: `[{"role":"..","weight":1}]`, status: 400},
		{line: "GET /weights", status: 200, want: "[]"}, // none of these had an effect
		{line: "PUT /weights", body: `[{"role":" odd ","weight":"2"},{"role":"odd","weight":3}]`, status: 200},
		{line: "GET /weights", status: 200, want: `[{"weight":3.0,"role":"odd"}]`},
		{line: "POST /weights", status: 405}, {line: "DELETE /quota", status: 400}, {line: "DELETE /quota/", status: 400}, {line: "DELETE /quota/x/y", status: 400},
		{line: "POST /quota", body: "[]", status: 400}, {line: "POST /quota", body: "{}", status: 400}, {line: "PATCH /quota", status: 405},
		{line: "POST /machine/down", body: "[]", status: 400}, {line: "POST /machine/down", body: "[null]", status: 400},
		{line: "POST /machine/up", body: "{}", status: 400}, {line: "POST /maintenance/schedule", body: "[]", status: 400},
		{line: "POST /maintenance/schedule", body: `{"windows":[{}]}`, status: 400}, {line: "POST /maintenance/schedule", body: "{}", status: 200},
		{line: "POST /maintenance/status", status: 405}, {line: "PUT /maintenance/schedule", status: 405},

		{line: "POST /teardown", status: 400}, {line: "POST /teardown?frameworkId=x", status: 400}, {line: "POST /teardown", body: "frameworkid=x", status: 400},
		{line: "POST /teardown", body: "frameworkId=%", status: 400}, {line: "POST /teardown", body: `{"frameworkId":"x"}`, status: 400},
		{line: "POST /teardown", body: "frameworkId=" + strings.Repeat("x", 70_000), status: 413},
		{line: "POST /reserve", status: 400}, {line: "POST /reserve", body: "slaveId=x", status: 400}, {line: "POST /reserve", body: "resources=[]", status: 400},
		{line: "POST /reserve", body: "slaveId=x&resources=[null]", status: 400, want: "parsing 'resources'…"},
		{line: "POST /reserve", body: "slaveId=x&resources=[]&source=[", status: 400, want: "parsing 'source'…"},
		{line: "POST /unreserve", body: "slaveId=x&resources={}", status: 400, want: "parsing 'resources'…"},
		{line: "POST /unreserve", body: "slaveId=x;resources=[]", status: 400, want: "No agent…"},
		{line: "POST /create-volumes", body: "slaveId=x&volumes=[{}]", status: 400, want: "parsing 'volumes'…"},
		{line: "POST /destroy-volumes", body: "slaveId=x&volumes=%zz", status: 400, want: "reading the form…"},
		{line: "GET /reserve", status: 405}, {line: "HEAD /teardown", status: 405}, {line: "OPTIONS /create-volumes", status: 405},
	} {
		t.Run(fmt.Sprintf("%s %.40s", c.line, c.body), func(t *testing.T) {
			checkAnswer(t, raw(t, master, c.line, "", c.body), c.status, c.want)
		})
	}
}

// TestLastFormValue: a form that names two frameworks means the last one.
func TestLastFormValue(t *testing.T) {
	master := testbed.StartMaster(t)
	first := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	last := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	form := "frameworkId=" + first.ID + ";frameworkId=" + last.ID
	if answer := raw(t, master, "POST /master/teardown", "", form); answer.Status != 200 || len(answer.Body) > 0 {
		t.Fatalf("teardown: %d %s", answer.Status, answer.Text())
	}
	state := master.Get("/frameworks")
	if got := state.At("frameworks", 0, "id").Text(); got != first.ID {
		t.Errorf("framework %q is left, want %q", got, first.ID)
	}
	if got := state.At("completed_frameworks", 0, "id").Text(); got != last.ID {
		t.Errorf("framework %q is gone, want %q", got, last.ID)
	}
}

// TestConnections: what is said about a connection beside the requests.
func TestConnections(t *testing.T) {
	master := testbed.StartMaster(t)
	call := "POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
	health, err := json.Marshal(object{"type": "GET_HEALTH"})
	if err != nil {
		t.Fatal(err)
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", len(health))

	t.Run("pipelined requests are answered in order", func(t *testing.T) {
		w := dialMaster(t, master)
		w.send("GET /version HTTP/1.1\r\nHost: m\r\n\r\n" + call + length + "\r\n" + string(health) + "HEAD /state HTTP/1.1\r\nHost: m\r\n\r\n" +
			"GET /nothing HTTP/1.1\r\nHost: m\r\n\r\n")
		checkAnswer(t, w.receive("GET"), 200, `{"version":…`)
		checkAnswer(t, w.receive("POST"), 200, `{"type":"GET_HEALTH",…`)
		if head := w.receive("HEAD"); head.Status != 200 || len(head.Body) > 0 {
			t.Errorf("HEAD: %d with %d bytes", head.Status, len(head.Body))
		}
		checkAnswer(t, w.receive("GET"), 404, "")
	})
	t.Run("HTTP/1.0 without a host", func(t *testing.T) {
		w := dialMaster(t, master)
		w.send("GET /version HTTP/1.0\r\n\r\n")
		checkAnswer(t, w.receive("GET"), 200, `{"version":…`)
		if _, err := w.in.ReadByte(); err != io.EOF {
			t.Errorf("the connection stays open: %v", err)
		}
	})
	t.Run("leave to send the body", func(t *testing.T) {
		w := dialMaster(t, master)
		w.send(call + length + "Expect: 100-continue\r\n\r\n")
		if leave := w.receive("POST"); leave.Status != http.StatusContinue {
			t.Fatalf("%d", leave.Status)
		}
		w.send(string(health))
		checkAnswer(t, w.receive("POST"), 200, `{"type":"GET_HEALTH",…`)
	})
	for name, request := range map[string]struct {
		text   string
		status int
	}{
		"no leave for what is refused": {"PUT /api/v1 HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\n" + length + "\r\n", 405},
		"no leave for too much":        {call + "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n", 413},
		"no waiting for too much":      {call + "Content-Length: 99999999999\r\n\r\n{", 413},
		"lengths that contradict":      {call + length + "Content-Length: 5\r\n\r\n" + string(health), 400},
		"no number for a length":       {call + "Content-Length: -1\r\n\r\n", 400},
		"a header without an end":      {"GET /health HTTP/1.1\r\nHost: m\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n", 431},
	} {
		t.Run(name, func(t *testing.T) {
			w := dialMaster(t, master)
			w.send(request.text)
			method, _, _ := strings.Cut(request.text, " ")
			checkAnswer(t, w.receive(method), request.status, "")
		})
	}
}

// TestHelpInTerminals: curl is sent Markdown.
func TestHelpInTerminals(t *testing.T) {
	master := testbed.StartMaster(t)
	for path, want := range map[string]string{
		"/help":              "## HELP\n> [/files][files]\n…",
		"/help/master":       "## `/master` ##\n> [/master/api/v1][master/api/v1]\n…",
		"/help/master/state": "### USAGE ###\n>        /state\n>        /master/state\n\n### TL;DR; ###\n…",
	} {
		answer := raw(t, master, "GET "+path, "User-Agent: curl/8.5.0\r\n", "")
		checkAnswer(t, answer, 200, want)
		if got := answer.Header.Get("Content-Type"); got != "text/x-markdown" {
			t.Errorf("%s for curl: %s", path, got)
		}
		if got := raw(t, master, "GET "+path, "User-Agent: Mozilla/5.0\r\n", "").Header.Get("Content-Type"); got != "text/html" {
			t.Errorf("%s for a browser: %s", path, got)
		}
	}
}
