package firstlight

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/test/conformance/testbed"
)

// Calls that no framework should make are answered as Mesos does, and others
// don't notice.
func TestBadCalls(t *testing.T) {
	master := testbed.StartMaster(t)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})
	subscribe := `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"root","name":"x"}}}`
	mine := `"framework_id":{"value":"` + framework.ID + `"}`
	const scheduler, operator = "/api/v1/scheduler", "/api/v1"
	jsonHeader := func(more ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = []string{more[i+1]}
		}
		return h
	}
	tests := map[string]struct {
		method, path string
		header       http.Header
		body         string
		want         int
		says         string
	}{
		"malformed JSON":           {path: scheduler, header: jsonHeader(), body: `{"type":`, want: 400},
		"JSON of another type":     {path: scheduler, header: jsonHeader(), body: `[]`, want: 400},
		"a field of another type":  {path: scheduler, header: jsonHeader(), body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":7,"name":"x"}}}`, want: 400, says: "user"},
		"malformed protobuf":       {path: scheduler, header: http.Header{"Content-Type": {"application/x-protobuf"}}, body: "\xff\xff\xff", want: 400},
		"empty body":               {path: scheduler, header: jsonHeader(), want: 400},
		"JSON nested without end":  {path: scheduler, header: jsonHeader(), body: strings.Repeat(`{"x":`, 100_000), want: 400},
		"no content type":          {path: scheduler, header: http.Header{}, body: subscribe, want: 400, says: "Content-Type"},
		"text":                     {path: scheduler, header: http.Header{"Content-Type": {"text/plain"}}, body: subscribe, want: 415},
		"JSON with a charset":      {path: scheduler, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: subscribe, want: 415},
		"HTML wanted":              {path: scheduler, header: jsonHeader("Accept", "text/html"), body: subscribe, want: 406},
		"JSON refused by q=0":      {path: scheduler, header: jsonHeader("Accept", "application/json;q=0"), body: subscribe, want: 406},
		"GET":                      {method: http.MethodGet, path: scheduler, header: jsonHeader(), want: 405},
		"no type":                  {path: scheduler, header: jsonHeader(), body: `{` + mine + `}`, want: 400, says: "type"},
		"an unheard type":          {path: scheduler, header: jsonHeader(), body: `{"type":"SUMMON",` + mine + `}`, want: 400, says: "type"},
		"no body of the type":      {path: scheduler, header: jsonHeader(), body: `{"type":"SUBSCRIBE"}`, want: 400, says: "subscribe"},
		"a required field missing": {path: scheduler, header: jsonHeader(), body: `{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"x"}}}`, want: 400, says: "user"},
		"SUBSCRIBE with a stream":  {path: scheduler, header: jsonHeader("Mesos-Stream-Id", framework.StreamID), body: subscribe, want: 400, says: "Mesos-Stream-Id"},
		"two framework IDs":        {path: scheduler, header: jsonHeader(), body: `{"type":"SUBSCRIBE","framework_id":{"value":"a"},"subscribe":{"framework_info":{"user":"root","name":"x","id":{"value":"b"}}}}`, want: 400},
		"no framework ID":          {path: scheduler, header: jsonHeader("Mesos-Stream-Id", framework.StreamID), body: `{"type":"REVIVE"}`, want: 400, says: "framework_id"},
		"unknown framework":        {path: scheduler, header: jsonHeader("Mesos-Stream-Id", framework.StreamID), body: `{"type":"REVIVE","framework_id":{"value":"nobody"}}`, want: 400, says: "ramework"},
		"no stream ID":             {path: scheduler, header: jsonHeader(), body: `{"type":"REVIVE",` + mine + `}`, want: 400, says: "Mesos-Stream-Id"},
		"another stream ID":        {path: scheduler, header: jsonHeader("Mesos-Stream-Id", "other"), body: `{"type":"REVIVE",` + mine + `}`, want: 400},
		"ACCEPT without its body":  {path: scheduler, header: jsonHeader("Mesos-Stream-Id", framework.StreamID), body: `{"type":"ACCEPT",` + mine + `}`, want: 400, says: "accept"},

		"operator: malformed":     {path: operator, header: jsonHeader(), body: `{`, want: 400},
		"operator: no type":       {path: operator, header: jsonHeader(), body: `{}`, want: 400, says: "type"},
		"operator: UNKNOWN":       {path: operator, header: jsonHeader(), body: `{"type":"UNKNOWN"}`, want: 501},
		"operator: text":          {path: operator, header: http.Header{"Content-Type": {"text/plain"}}, body: `{"type":"GET_HEALTH"}`, want: 415},
		"operator: HTML wanted":   {path: operator, header: jsonHeader("Accept", "text/html"), body: `{"type":"GET_HEALTH"}`, want: 406},
		"operator: GET":           {method: http.MethodGet, path: operator, header: jsonHeader(), want: 405},
		"operator: gone, unknown": {path: operator, header: jsonHeader(), body: `{"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"nobody"}}}`, want: 404},
		"no such file":            {method: http.MethodGet, path: "/files/read?path=/etc/passwd", want: 404},
		"a way out of the files":  {method: http.MethodGet, path: "/files/read?path=/master/log/../../etc/passwd", want: 404},
		"no such endpoint":        {method: http.MethodGet, path: "/master/nothing", want: 404},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodPost
			}
			answer := testbed.Do(t, method, master.URL(test.path), test.header, []byte(test.body))
			if answer.Status != test.want || !strings.Contains(answer.Text(), test.says) {
				t.Errorf("got %d %.300q, want %d with %q", answer.Status, answer.Text(), test.want, test.says)
			}
		})
	}
	if !framework.Open() {
		t.Error("the innocent framework lost its stream")
	}
	framework.Call("REVIVE", nil)
}

// A body without end is refused, and not kept.
func TestLargeBody(t *testing.T) {
	master := testbed.StartMaster(t)
	body := append([]byte(`{"type":"SUBSCRIBE","padding":"`), bytes.Repeat([]byte("x"), 80<<20)...)
	request, err := http.NewRequest(http.MethodPost, master.URL("/api/v1/scheduler"), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	// The master may hang up before the client has written everything.
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %s", response.Status)
		}
	}
	if answer := testbed.Do(t, http.MethodGet, master.URL("/health"), nil, nil); answer.Status != http.StatusOK {
		t.Errorf("/health: %d", answer.Status)
	}
}

// A subscription that is refused is 200, ERROR, and the end of the stream.
func TestRefusedSubscriptions(t *testing.T) {
	master := testbed.StartMaster(t)
	tests := map[string]testbed.Object{
		"a bad role":                {"roles": testbed.List{"a/../b"}},
		"a role twice":              {"roles": testbed.List{"a", "a"}},
		"role and roles":            {"role": "a"},
		"roles without MULTI_ROLE":  {"capabilities": nil},
		"a failover without an end": {"failover_timeout": 1e20},
	}
	for name, info := range tests {
		t.Run(name, func(t *testing.T) {
			full := testbed.Object{"user": "root", "name": "x", "roles": testbed.List{"*"}, "capabilities": testbed.List{testbed.Object{"type": "MULTI_ROLE"}}}
			for k, v := range info {
				full[k] = v
				if v == nil {
					delete(full, k)
				}
			}
			framework := testbed.NewFramework(t, master, full)
			stream, answer := framework.TrySubscribe()
			if stream == nil {
				t.Fatalf("%d %s", answer.Status, answer.Text())
			}
			if event := stream.Await("ERROR", testbed.Type("ERROR")); event.At("error", "message").Text() == "" {
				t.Errorf("no message: %v", event)
			}
			stream.AwaitEnd()
			if n := len(stream.Events()); n != 1 {
				t.Errorf("%d events: %v", n, stream.Events())
			}
		})
	}
}

// What is asked of an offer beyond what it holds is an error of the task, and
// the offer's resources come back.
func TestOverUse(t *testing.T) {
	master := testbed.StartMaster(t)
	testbed.StartAgent(t, master.Address, testbed.Posix)
	framework := testbed.Subscribe(t, master, testbed.FrameworkOptions{})

	tests := map[string]struct {
		change func(task testbed.Object)
		says   string
	}{
		"too many cpus": {func(task testbed.Object) {
			task["resources"] = testbed.List{testbed.Scalar("cpus", 1000), testbed.Scalar("mem", 32)}
		}, "cpus"},
		"no such resource": {func(task testbed.Object) {
			task["resources"] = testbed.List{testbed.Scalar("cpus", 0.1), testbed.Scalar("mem", 32), testbed.Scalar("gold", 1)}
		}, "gold"},
		"negative": {func(task testbed.Object) {
			task["resources"] = testbed.List{testbed.Scalar("cpus", -1), testbed.Scalar("mem", 32)}
		}, ""},
		"another agent": {func(task testbed.Object) { task["agent_id"] = id("elsewhere") }, "elsewhere"},
		"no command":    {func(task testbed.Object) { delete(task, "command") }, ""},
		"a bad ID":      {func(task testbed.Object) { task["task_id"] = id("a/b") }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			offer := framework.Offer()
			task := testbed.Task(offer, "over-"+strings.ReplaceAll(name, " ", "-"), "true")
			test.change(task)
			framework.Accept(offer, testbed.Launch(task))
			status := framework.Update(task["task_id"].(testbed.Object)["value"].(string), "TASK_ERROR")
			if got := status.At("reason").Text(); got != "REASON_TASK_INVALID" || status.At("uuid").Exists() {
				t.Errorf("update: %v", status)
			}
			if got := status.At("message").Text(); !strings.Contains(got, test.says) {
				t.Errorf("message: %q, want it to say %q", got, test.says)
			}
		})
	}

	t.Run("twice", func(t *testing.T) {
		offer := framework.Offer()
		framework.Accept(offer, testbed.Launch(testbed.Task(offer, "first", testbed.NewSleeper().Command())))
		framework.Follow("first", "TASK_STARTING", "TASK_RUNNING")
		framework.Accept(offer, testbed.Launch(testbed.Task(offer, "second", "true")))
		if status := framework.Update("second", "TASK_DROPPED"); status.At("reason").Text() != "REASON_INVALID_OFFERS" {
			t.Errorf("update: %v", status)
		}
	})
	t.Run("an ID in use", func(t *testing.T) {
		offer := framework.Offer()
		framework.Accept(offer, testbed.Launch(testbed.Task(offer, "first", "true")))
		status := framework.Update("first", "TASK_ERROR")
		if !strings.Contains(status.At("message").Text(), "first") {
			t.Errorf("update: %v", status)
		}
	})
	// All is given back: the last offer has what the running task leaves.
	offer := framework.Offer()
	cpus := offer.At("resources").Find("cpus", "name").At("scalar", "value").Number()
	if want := 4 - 0.1; cpus < want-0.001 || cpus > want+0.001 {
		t.Errorf("cpus of the last offer: got %v, want %v", cpus, want)
	}
}
