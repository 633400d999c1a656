package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

const subscribeBody = `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f"}}}`

func TestSchedulerStatuses(t *testing.T) {
	m := start(t, options{})
	f := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("f"), FailoverTimeout: new(3600.0)})
	gone := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("gone"), FailoverTimeout: new(3600.0)})
	gone.cancel()
	for deadline := time.Now().Add(patience); !strings.Contains(m.get("/frameworks?framework_id="+gone.id.GetValue()), `"connected":false`); {
		if time.Now().After(deadline) {
			t.Fatal("the master doesn't notice that a client is gone")
		}
		time.Sleep(10 * time.Millisecond)
	}
	own := func(call string) string {
		return fmt.Sprintf(`{"framework_id":{"value":%q},%s`, f.id.GetValue(), strings.TrimPrefix(call, "{"))
	}
	type header = map[string]string
	with := func(h header, k, v string) header {
		c := header{}
		for name, value := range h {
			c[name] = value
		}
		c[k] = v
		return c
	}
	streamed := with(sendsJSON, "Mesos-Stream-Id", f.stream)
	for name, c := range map[string]struct {
		method string
		header header
		body   string
		status int
		text   string // that the answer contains
	}{
		"GET":                               {method: "GET", status: 405},
		"no content type":                   {body: "{}", status: 400, text: "Content-Type"},
		"unknown content type":              {header: header{"Content-Type": "text/plain"}, body: "{}", status: 415},
		"content type with a parameter":     {header: header{"Content-Type": "application/json; charset=utf-8"}, body: "{}", status: 415},
		"not JSON":                          {header: sendsJSON, body: "{", status: 400},
		"not protobuf":                      {header: header{"Content-Type": codec.Protobuf}, body: "\xff\xff", status: 400},
		"no type":                           {header: sendsJSON, body: "{}", status: 400, text: "type"},
		"type of tomorrow":                  {header: sendsJSON, body: `{"type":"TOMORROW"}`, status: 400, text: "type"},
		"type of tomorrow in protobuf":      {header: header{"Content-Type": codec.Protobuf}, body: typeOfTomorrow(t, &scheduler.Call{Type: new(scheduler.Call_Type(4711))}), status: 400, text: "type"},
		"missing required field":            {header: sendsJSON, body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"f"}}}`, status: 400, text: "subscribe.framework_info.user"},
		"SUBSCRIBE with a stream ID":        {header: streamed, body: subscribeBody, status: 400, text: "Mesos-Stream-Id"},
		"SUBSCRIBE that accepts nothing":    {header: with(sendsJSON, "Accept", "text/html"), body: subscribeBody, status: 406},
		"SUBSCRIBE that refuses by quality": {header: with(sendsJSON, "Accept", "application/json;q=0"), body: subscribeBody, status: 406},
		"Accept does not matter otherwise":  {header: with(streamed, "Accept", "text/html"), body: own(`{"type":"REVIVE"}`), status: 202},
		"no framework_id":                   {header: streamed, body: `{"type":"REVIVE"}`, status: 400, text: "framework_id"},
		"unknown framework":                 {header: streamed, body: `{"type":"REVIVE","framework_id":{"value":"x"}}`, status: 400},
		"not subscribed":                    {header: streamed, body: fmt.Sprintf(`{"type":"REVIVE","framework_id":{"value":%q}}`, gone.id.GetValue()), status: 403},
		"no stream ID":                      {header: sendsJSON, body: own(`{"type":"REVIVE"}`), status: 400, text: "Mesos-Stream-Id"},
		"empty stream ID":                   {header: with(sendsJSON, "Mesos-Stream-Id", ""), body: own(`{"type":"REVIVE"}`), status: 400},
		"another stream ID":                 {header: with(sendsJSON, "Mesos-Stream-Id", "x"), body: own(`{"type":"REVIVE"}`), status: 400},
		"no payload":                        {header: streamed, body: own(`{"type":"ACCEPT"}`), status: 400, text: "accept"},
		"REVIVE":                            {header: streamed, body: own(`{"type":"REVIVE"}`), status: 202},
		"SUPPRESS, pretty-printed":          {header: streamed, body: own("{\n \"type\": \"SUPPRESS\"\n}"), status: 202},
		"RECONCILE":                         {header: streamed, body: own(`{"type":"RECONCILE","reconcile":{}}`), status: 202},
		"unknown fields are ignored":        {header: streamed, body: own(`{"type":"REVIVE","revive":null,"new_in_1_20":{"a":[1,{}]}}`), status: 202},
		"UPDATE_FRAMEWORK": {header: streamed, status: 200, body: own(fmt.Sprintf(
			`{"type":"UPDATE_FRAMEWORK","update_framework":{"framework_info":{"user":"root","name":"g","id":{"value":%q},"failover_timeout":3600}}}`, f.id.GetValue()))},
		"UPDATE_FRAMEWORK of the user": {header: streamed, status: 400, body: own(fmt.Sprintf(
			`{"type":"UPDATE_FRAMEWORK","update_framework":{"framework_info":{"user":"other","name":"g","id":{"value":%q}}}}`, f.id.GetValue()))},
	} {
		t.Run(name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			a := m.do(method, "/api/v1/scheduler", c.header, c.body)
			if a.status != c.status || !strings.Contains(a.body, c.text) {
				t.Errorf("%d %q, want %d and %q", a.status, a.body, c.status, c.text)
			}
			if a.status == 202 && a.body != "" {
				t.Errorf("202 with a body: %q", a.body)
			}
			if a.status >= 400 && a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("content type %q", a.header.Get("Content-Type"))
			}
			if a.status == 405 && a.header.Get("Allow") != "POST" {
				t.Errorf("allows %q", a.header.Get("Allow"))
			}
		})
	}
}

// rawSubscribe speaks HTTP by hand, to see the chunks.
func rawSubscribe(t *testing.T, m *master, contentType, accept, extra string, body []byte) (*bufio.Reader, http.Header) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(m.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "POST /api/v1/scheduler HTTP/1.1\r\nHost: m\r\nContent-Type: %s\r\n%s%sContent-Length: %d\r\n\r\n%s",
		contentType, accept, extra, len(body), body)
	in := bufio.NewReader(conn)
	status, err := in.ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") {
		t.Fatalf("status %q, %v", status, err)
	}
	header := http.Header{}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			return in, header
		}
		header.Add(name, strings.TrimSpace(value))
	}
}

// typeOfTomorrow is a call of a newer client.
func typeOfTomorrow(t *testing.T, call proto.Message) string {
	t.Helper()
	body, err := proto.Marshal(call)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func readChunk(t *testing.T, in *bufio.Reader) []byte {
	t.Helper()
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, n+2)
	if _, err := io.ReadFull(in, chunk); err != nil {
		t.Fatal(err)
	}
	return chunk[:n]
}

func TestOneRecordIsOneChunk(t *testing.T) {
	m := start(t, options{})
	call := &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{
		FrameworkInfo: &mesos.FrameworkInfo{User: new("root"), Name: new("f")}}}
	for name, c := range map[string]struct{ sends, accept, extra, gets string }{
		"JSON":                     {codec.JSON, "", "", codec.JSON},
		"protobuf":                 {codec.Protobuf, "Accept: application/x-protobuf\r\n", "", codec.Protobuf},
		"JSON wins over protobuf":  {codec.Protobuf, "Accept: application/x-protobuf, application/json\r\n", "", codec.JSON},
		"a connection to be ended": {codec.JSON, "", "Connection: close\r\n", codec.JSON},
		"a client that takes gzip": {codec.JSON, "", "Accept-Encoding: gzip\r\n", codec.JSON},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := codec.Marshal(c.sends, call)
			if err != nil {
				t.Fatal(err)
			}
			in, header := rawSubscribe(t, m, c.sends, c.accept, c.extra, body)
			if header.Get("Transfer-Encoding") != "chunked" || header.Get("Content-Type") != c.gets || len(header.Get("Mesos-Stream-Id")) != 36 {
				t.Errorf("headers %v", header)
			}
			for _, want := range []scheduler.Event_Type{scheduler.Event_SUBSCRIBED, scheduler.Event_HEARTBEAT} {
				chunk := readChunk(t, in)
				records := recordio.NewReader(strings.NewReader(string(chunk)), len(chunk))
				record, err := records.Next()
				if err != nil {
					t.Fatal(err)
				}
				event := &scheduler.Event{}
				if err := codec.Unmarshal(c.gets, record, event); err != nil {
					t.Fatal(err)
				}
				if event.GetType() != want {
					t.Errorf("event %v, want %v", event.GetType(), want)
				}
				if _, err := records.Next(); err != io.EOF {
					t.Errorf("more than one record in a chunk: %v", err)
				}
			}
		})
	}
}

func TestARefusedSubscriptionEndsWithAnError(t *testing.T) {
	m := start(t, options{})
	body := []byte(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f","role":"a/../b"}}}`)
	in, _ := rawSubscribe(t, m, codec.JSON, "", "", body)
	if chunk := string(readChunk(t, in)); !strings.Contains(chunk, `"type":"ERROR"`) {
		t.Errorf("record %q", chunk)
	}
	if end := readChunk(t, in); len(end) != 0 {
		t.Errorf("after the error comes %q", end)
	}
}

func TestAStreamThatIsNotReadIsCutOff(t *testing.T) {
	m := start(t, options{engine: func(c *engine.Config) { c.MaxSchedulerEvents = 100 }})
	body := []byte(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"f","failover_timeout":3600}}}`)
	in, header := rawSubscribe(t, m, codec.JSON, "", "", body)
	subscribed := string(readChunk(t, in))
	_, id, _ := strings.Cut(subscribed, `"framework_id":{"value":"`)
	id, _, _ = strings.Cut(id, `"`)
	// Answers to RECONCILE come as fast as they are asked for, and are not read.
	var tasks []string
	for i := range 500 {
		tasks = append(tasks, fmt.Sprintf(`{"task_id":{"value":"%d%s"}}`, i, strings.Repeat("x", 1000)))
	}
	call := fmt.Sprintf(`{"type":"RECONCILE","framework_id":{"value":%q},"reconcile":{"tasks":[%s]}}`, id, strings.Join(tasks, ","))
	for deadline := time.Now().Add(patience); m.engine.Load().Stats().SlowSubscribers == 0; {
		a := m.do("POST", "/api/v1/scheduler",
			map[string]string{"Content-Type": codec.JSON, "Mesos-Stream-Id": header.Get("Mesos-Stream-Id")}, call)
		if a.status != 202 && a.status != 403 {
			t.Fatalf("RECONCILE: %d %s", a.status, a.body)
		}
		if time.Now().After(deadline) {
			t.Fatal("the stream was not cut off")
		}
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(m.get("/frameworks"), `"connected":false`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the framework is still connected")
		}
	}
}

func TestOtherMastersRedirect(t *testing.T) {
	m := start(t, options{follow: true})
	other := &mesos.MasterInfo{Id: new("other"), Ip: new(uint32(1)), Port: new(uint32(5051)), Hostname: new("leader.example"), Pid: new("master@10.0.0.9:5051")}
	for name, c := range map[string]struct {
		leader            *mesos.MasterInfo
		method, path      string
		status            int
		location, message string
	}{
		"state":               {other, "GET", "/master/state?jsonp=f", 307, "//leader.example:5051/master/state?jsonp=f", ""},
		"scheduler":           {other, "POST", "/api/v1/scheduler", 307, "//leader.example:5051/api/v1/scheduler", ""},
		"operator":            {other, "POST", "/api/v1", 307, "//leader.example:5051/api/v1", ""},
		"redirect":            {other, "GET", "/redirect", 307, "//leader.example:5051", ""},
		"redirect of master":  {other, "GET", "/master/redirect", 307, "//leader.example:5051", ""},
		"below redirect":      {other, "GET", "/redirect/state", 404, "", ""},
		"no leader":           {nil, "GET", "/state", 503, "", "No leader"},
		"no leader, redirect": {nil, "GET", "/redirect", 503, "", "No leader"},
		"recovering":          {m.info, "POST", "/api/v1/scheduler", 503, "", "recovery"},
		"health":              {nil, "GET", "/health", 200, "", ""},
		"version":             {nil, "GET", "/version", 200, "", "1.11.0"},
		"flags":               {nil, "GET", "/flags", 200, "", "cluster"},
		"metrics":             {nil, "GET", "/metrics/snapshot", 200, "", `"master/elected":0.0`},
	} {
		t.Run(name, func(t *testing.T) {
			m.leader.Store(c.leader)
			a := m.do(c.method, c.path, sendsJSON, subscribeBody)
			if a.status != c.status || a.header.Get("Location") != c.location || !strings.Contains(a.body, c.message) {
				t.Errorf("%d, location %q, body %q", a.status, a.header.Get("Location"), a.body)
			}
		})
	}
}

// TestEveryEndpointRedirects: what needs the cluster is sent to the leader whatever the
// method, with path and query as they were; what is about this process is answered.
func TestEveryEndpointRedirects(t *testing.T) {
	m := start(t, options{follow: true})
	m.leader.Store(&mesos.MasterInfo{
		Id: new("other"), Ip: new(uint32(1)), Port: new(uint32(5051)), Hostname: new("leader.example"), Pid: new("master@10.0.0.9:5051"),
	})
	for _, endpoint := range strings.Fields(`/api/v1 /api/v1/scheduler /state /state.json /state-summary /slaves /slaves/x /frameworks /tasks /roles
		/weights /quota /quota/a%2Fb /maintenance/schedule /maintenance/status /machine/down /machine/up /reserve /unreserve
		/create-volumes /destroy-volumes /teardown`) {
		for _, prefix := range []string{"", "/master"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS"} {
				path := prefix + endpoint + "?jsonp=f&x=a%20b"
				a := m.do(method, path, nil, "nonsense")
				if got := a.header.Get("Location"); a.status != 307 || got != "//leader.example:5051"+path || a.body != "" {
					t.Errorf("%s %s: %d, location %q, body %q", method, path, a.status, got, a.body)
				}
			}
		}
	}
	for _, path := range strings.Fields(`/health /version /flags /metrics/snapshot /logging/toggle /files/debug /system/stats.json /help /registrar(1)/registry`) {
		if a := m.do("GET", path, nil, ""); a.status != 200 {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
}

func TestTheEndOfATermEndsStreams(t *testing.T) {
	m := start(t, options{})
	f := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("f")})
	m.engine.Store(nil)
	m.resign()
	for timeout := time.After(patience); ; {
		select {
		case _, ok := <-f.events:
			if ok {
				continue
			}
		case <-timeout:
			t.Fatal("the stream did not end")
		}
		return
	}
}
