package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

func TestOperatorStatuses(t *testing.T) {
	m := start(t, options{})
	f := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("f"), FailoverTimeout: new(3600.0)})
	for name, c := range map[string]struct {
		header map[string]string
		body   string
		status int
		text   string
	}{
		"no content type":      {nil, `{"type":"GET_HEALTH"}`, 400, "Content-Type"},
		"unknown content type": {map[string]string{"Content-Type": "text/xml"}, "", 415, ""},
		"nothing acceptable":   {map[string]string{"Content-Type": codec.JSON, "Accept": "text/html"}, `{"type":"GET_HEALTH"}`, 406, ""},
		"no type":              {sendsJSON, `{}`, 400, "type"},
		"type of tomorrow":     {map[string]string{"Content-Type": codec.Protobuf}, typeOfTomorrow(t, &mesosmaster.Call{Type: new(mesosmaster.Call_Type(4711))}), 400, "type"},
		"unknown type":         {sendsJSON, `{"type":"UNKNOWN"}`, 501, ""},
		"no payload":           {sendsJSON, `{"type":"GET_METRICS"}`, 400, "get_metrics"},
		"missing field":        {sendsJSON, `{"type":"TEARDOWN","teardown":{}}`, 400, "teardown.framework_id"},
		"unknown framework":    {sendsJSON, `{"type":"TEARDOWN","teardown":{"framework_id":{"value":"x"}}}`, 400, ""},
		"unknown agent":        {sendsJSON, `{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"x"}}}`, 404, ""},
		"missing file":         {sendsJSON, `{"type":"READ_FILE","read_file":{"path":"/nope","offset":0}}`, 404, ""},
		"nowhere":              {sendsJSON, `{"type":"LIST_FILES","list_files":{"path":"/nope"}}`, 404, ""},
		"metrics":              {sendsJSON, `{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":5000000000}}}`, 200, `"name":"master/elected","value":1.0`},
		"operations":           {sendsJSON, `{"type":"GET_OPERATIONS"}`, 200, "GET_OPERATIONS"},
		"level":                {sendsJSON, `{"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":1}}}`, 200, ""},
		"a path below":         {sendsJSON, `{"type":"GET_HEALTH"}`, 200, `{"type":"GET_HEALTH","get_health":{"healthy":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := m.do(http.MethodPost, "/api/v1/operator", c.header, c.body)
			if a.status != c.status || !strings.Contains(a.body, c.text) {
				t.Errorf("%d %q, want %d and %q", a.status, a.body, c.status, c.text)
			}
		})
	}
	t.Run("TEARDOWN", func(t *testing.T) {
		a := m.operator(`{"type":"TEARDOWN","teardown":{"framework_id":{"value":"` + f.id.GetValue() + `"}}}`)
		if a.status != 200 || a.body != "" {
			t.Errorf("%d %q", a.status, a.body)
		}
		if !strings.Contains(m.get("/frameworks"), `"frameworks":[],"completed_frameworks":[{"id":"`+f.id.GetValue()) {
			t.Error("the framework is not completed")
		}
	})
}

// TestFileCalls lists and reads what is attached, in both content types, at every offset
// that a client may ask for.
func TestFileCalls(t *testing.T) {
	m := start(t, options{})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("body"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.files.Attach(dir, "virtual", nil); err != nil {
		t.Fatal(err)
	}
	ask := func(t *testing.T, accept, body string) *mesosmaster.Response {
		t.Helper()
		a := m.do(http.MethodPost, "/api/v1", map[string]string{"Content-Type": codec.JSON, "Accept": accept}, body)
		response := &mesosmaster.Response{}
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if err := codec.Unmarshal(accept, []byte(a.body), response); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
		return response
	}
	for _, accept := range []string{codec.JSON, codec.Protobuf} {
		var got []string
		for _, info := range ask(t, accept, `{"type":"LIST_FILES","list_files":{"path":"virtual/"}}`).GetListFiles().GetFileInfos() {
			got = append(got, info.GetPath())
		}
		if diff := cmp.Diff([]string{"virtual/file", "virtual/one", "virtual/two"}, got); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", accept, diff)
		}
		for name, c := range map[string]struct{ where, want string }{
			"all":               {`"offset":0`, "body"},
			"from the middle":   {`"offset":1`, "ody"},
			"a part":            {`"offset":"1","length":"2"`, "od"},
			"nothing":           {`"offset":1,"length":0`, ""},
			"more than is left": {`"offset":2,"length":6`, "dy"},
			"the end":           {`"offset":4`, ""},
			"beyond the end":    {`"offset":1000,"length":6`, ""},
			"the last position": {`"offset":18446744073709551615,"length":18446744073709551615`, ""},
			"to the last one":   {`"offset":3,"length":18446744073709551615`, "y"},
		} {
			t.Run(accept+" "+name, func(t *testing.T) {
				read := ask(t, accept, `{"type":"READ_FILE","read_file":{"path":"virtual/file",`+c.where+`}}`).GetReadFile()
				if read.GetSize() != 4 || string(read.GetData()) != c.want || read.Data == nil {
					t.Errorf("%v, want %q", read, c.want)
				}
			})
		}
	}
}

// TestBothContentTypesTellTheSame compares what is written by hand as JSON with
// the message.
func TestBothContentTypesTellTheSame(t *testing.T) {
	m := start(t, options{})
	busy(t, m)
	for name := range mesosmaster.Call_Type_value {
		if !strings.HasPrefix(name, "GET_") || name == "GET_METRICS" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			inJSON := m.operator(`{"type":"` + name + `"}`)
			asProtobuf := m.do("POST", "/api/v1",
				map[string]string{"Content-Type": codec.JSON, "Accept": codec.Protobuf}, `{"type":"`+name+`"}`)
			if inJSON.status != 200 || asProtobuf.status != 200 || asProtobuf.header.Get("Content-Type") != codec.Protobuf {
				t.Fatalf("%d %s, %d %s", inJSON.status, inJSON.body, asProtobuf.status, asProtobuf.body)
			}
			response := &mesosmaster.Response{}
			if err := codec.Unmarshal(codec.Protobuf, []byte(asProtobuf.body), response); err != nil {
				t.Fatal(err)
			}
			translated, err := codec.Marshal(codec.JSON, response)
			if err != nil {
				t.Fatal(err)
			}
			want, got := comparable(t, translated), comparable(t, []byte(inJSON.body))
			if want != got {
				t.Errorf("JSON and protobuf differ:\n%s\n%s", got, want)
			}
		})
	}
}

// comparable sorts members, and leaves out empty lists and what only the JSON
// has.
func comparable(t *testing.T, data []byte) string {
	t.Helper()
	var clean func(v any) any
	clean = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if list, ok := e.([]any); ok && len(list) == 0 || k == "checkpoint" {
					delete(v, k)
					continue
				}
				v[k] = clean(e)
			}
		case []any:
			for i := range v {
				v[i] = clean(v[i])
			}
		}
		return v
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(clean(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestEventStream(t *testing.T) {
	m := start(t, options{})
	m.agent()
	req, err := http.NewRequestWithContext(t.Context(), "POST", m.url+"/api/v1", bytes.NewReader([]byte(`{"type":"SUBSCRIBE"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", codec.JSON)
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	records := recordio.NewReader(resp.Body, 1<<24)
	next := func() testbed.Value {
		t.Helper()
		record, err := records.Next()
		if err != nil {
			t.Fatal(err)
		}
		return testbed.MustParse(t, record)
	}
	// Mesos's first events of a stream begun in the same situation.
	recorded := struct{ Events []json.RawMessage }{}
	if err := json.Unmarshal(readFile(t, "operator_events.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		got, want := next(), testbed.MustParse(t, recorded.Events[i])
		for _, d := range testbed.ShapeOf(got).Differences(testbed.ShapeOf(want)) {
			t.Errorf("event %d: %s", i, d)
		}
		if got.At("type").Text() != want.At("type").Text() {
			t.Errorf("event %d is %s, want %s", i, got.At("type").Text(), want.At("type").Text())
		}
	}
	begin := time.Now()
	f := m.subscribe(&mesos.FrameworkInfo{User: new("root"), Name: new("f")})
	added := next()
	if added.At("type").Text() != "FRAMEWORK_ADDED" ||
		added.At("framework_added", "framework", "framework_info", "id", "value").Text() != f.id.GetValue() {
		t.Errorf("event %v", added)
	}
	f.cancel()
	if removed := next(); removed.At("type").Text() != "FRAMEWORK_REMOVED" {
		t.Errorf("event %v", removed)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("events took %v", took)
	}
}

func TestV0Manners(t *testing.T) {
	m := start(t, options{})
	if a := m.do("GET", "/state?jsonp=cb", nil, ""); !strings.HasPrefix(a.body, "cb({") || !strings.HasSuffix(a.body, "})") ||
		a.header.Get("Content-Type") != "text/javascript" {
		t.Errorf("jsonp: %s %.40s", a.header.Get("Content-Type"), a.body)
	}
	if a := m.do("GET", "/state", map[string]string{"Accept-Encoding": "gzip"}, ""); a.header.Get("Content-Encoding") != "gzip" && len(a.body) > 1024 {
		t.Errorf("a long answer is not compressed: %v", a.header)
	}
	if a := m.do("POST", "/weights", sendsJSON, "[]"); a.status != 405 || a.header.Get("Allow") != "GET, PUT" {
		t.Errorf("POST /weights: %d", a.status)
	}
	for name, c := range map[string]struct {
		method, body string
		status       int
	}{
		"GET":               {"GET", "", 405},
		"no framework":      {"POST", "a=b", 400},
		"unknown framework": {"POST", "frameworkId=x", 400},
	} {
		if a := m.do(c.method, "/master/teardown", nil, c.body); a.status != c.status {
			t.Errorf("teardown, %s: %d %s", name, a.status, a.body)
		}
	}
	if a := m.do("GET", "/logging/toggle", nil, ""); a.status != 200 || strings.TrimSpace(a.body) != "0" {
		t.Errorf("toggle: %d %q", a.status, a.body)
	}
	if a := m.do("GET", "/logging/toggle?level=1&duration=nonsense", nil, ""); a.status != 400 {
		t.Errorf("toggle: %d %q", a.status, a.body)
	}
	if a := m.do("GET", "/system/stats.json", nil, ""); !strings.Contains(a.body, `"cpus_total":`) {
		t.Errorf("system: %q", a.body)
	}
	if a := m.do("GET", "/registrar(1)/registry", nil, ""); !strings.Contains(a.body, `"hostname":"master.example"`) {
		t.Errorf("registry: %q", a.body)
	}
	if a := m.do("GET", "/nothing", nil, ""); a.status != 404 {
		t.Errorf("/nothing: %d", a.status)
	}
}
