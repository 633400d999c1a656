package masterclient

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/recordio"
)

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func read[M proto.Message](t *testing.T, r *http.Request, m M) M {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = codec.Unmarshal(r.Header.Get("Content-Type"), body, m)
	}
	if err != nil {
		t.Errorf("reading the call: %v", err)
	}
	return m
}

func write(t *testing.T, w http.ResponseWriter, m proto.Message) {
	t.Helper()
	b, err := codec.Marshal(codec.Protobuf, m)
	if err != nil {
		t.Error(err)
	}
	w.Write(b)
}

func sendEvent(t *testing.T, w http.ResponseWriter, e *scheduler.Event) {
	t.Helper()
	b, err := codec.Marshal(codec.Protobuf, e)
	if err != nil {
		t.Error(err)
	}
	w.Write(recordio.AppendRecord(nil, b))
	w.(http.Flusher).Flush()
}

// A follower redirects to the leader with a scheme-relative address; body and credentials go along.
func TestRedirectKeepsBodyAndCredentials(t *testing.T) {
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ops" || password != "secret" {
			t.Errorf("credentials %q %q", user, password)
		}
		if call := read(t, r, &master.Call{}); call.GetType() != master.Call_GET_HEALTH {
			t.Errorf("call %s", call.GetType())
		}
		write(t, w, &master.Response{Type: master.Response_GET_HEALTH.Enum(), GetHealth: &master.Response_GetHealth{Healthy: new(true)}})
	}))
	defer leader.Close()
	follower := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", strings.TrimPrefix(leader.URL, "http:")+r.URL.Path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer follower.Close()
	client := newClient(t, Config{Master: strings.TrimPrefix(follower.URL, "http://"), Username: "ops", Password: "secret"})
	r, err := client.Master(t.Context(), &master.Call{Type: master.Call_GET_HEALTH.Enum()})
	if err != nil || !r.GetGetHealth().GetHealthy() {
		t.Errorf("%v, %v", r, err)
	}
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		code   int
		body   string
		status *StatusError
		none   bool
	}{
		"accepted without an answer": {code: 202, none: true},
		"ok without a body":          {code: 200, none: true},
		"refused with a reason":      {code: 400, body: "Failed to validate: no\n", status: &StatusError{400, "Failed to validate: no"}},
		"no leader":                  {code: 503, status: &StatusError{503, ""}},
		"endless reason is cut":      {code: 500, body: strings.Repeat("x", 3*maxErrorText), status: &StatusError{500, strings.Repeat("x", maxErrorText)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				io.WriteString(w, test.body)
			}))
			defer server.Close()
			client := newClient(t, Config{Master: server.URL})
			r, err := client.Agent(t.Context(), strings.TrimPrefix(server.URL, "http://"), &agent.Call{Type: agent.Call_GET_HEALTH.Enum()})
			if test.none && (r != nil || err != nil) {
				t.Errorf("got %v, %v", r, err)
			}
			if status, ok := errors.AsType[*StatusError](err); test.status != nil && (!ok || *status != *test.status) {
				t.Errorf("error %v, want %v", err, test.status)
			}
		})
	}
}

func TestScheduler(t *testing.T) {
	calls := make(chan *scheduler.Call, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := read(t, r, &scheduler.Call{})
		if call.GetType() != scheduler.Call_SUBSCRIBE {
			if got := r.Header.Get(streamIDHeader); got != "stream-1" {
				t.Errorf("stream ID %q", got)
			}
			w.WriteHeader(http.StatusAccepted)
			calls <- call
			return
		}
		w.Header().Set(streamIDHeader, "stream-1")
		sendEvent(t, w, &scheduler.Event{Type: scheduler.Event_SUBSCRIBED.Enum(), Subscribed: &scheduler.Event_Subscribed{FrameworkId: &mesos.FrameworkID{Value: new("f-1")}}})
		sendEvent(t, w, &scheduler.Event{Type: scheduler.Event_HEARTBEAT.Enum()})
		<-r.Context().Done()
	}))
	defer server.Close()
	s, err := newClient(t, Config{Master: server.URL}).Subscribe(t.Context(), &mesos.FrameworkInfo{User: new("u"), Name: new("n")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.FrameworkID().GetValue() != "f-1" {
		t.Errorf("framework ID %v", s.FrameworkID())
	}
	if e, err := s.Next(); err != nil || e.GetType() != scheduler.Event_HEARTBEAT {
		t.Errorf("%v, %v", e, err)
	}
	if err := s.Call(t.Context(), &scheduler.Call{Type: scheduler.Call_REVIVE.Enum()}); err != nil {
		t.Error(err)
	}
	if got := <-calls; got.GetFrameworkId().GetValue() != "f-1" {
		t.Errorf("the call carries framework ID %v", got.GetFrameworkId())
	}
}

func TestSubscribeRefused(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sendEvent(t, w, &scheduler.Event{Type: scheduler.Event_ERROR.Enum(), Error: &scheduler.Event_Error{Message: new("Framework has been removed")}})
	}))
	defer server.Close()
	_, err := newClient(t, Config{Master: server.URL}).Subscribe(t.Context(), &mesos.FrameworkInfo{User: new("u"), Name: new("n")})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "has been removed") {
		t.Error(err)
	}
}

func TestBaseURL(t *testing.T) {
	tests := map[string]string{
		"10.0.0.1:5050":         "http://10.0.0.1:5050",
		"master.example":        "http://master.example:5050",
		"[::1]:5050":            "http://[::1]:5050",
		"::1":                   "http://[::1]:5050",
		"https://m.example/":    "https://m.example",
		"http://m.example:8080": "http://m.example:8080",
	}
	for in, want := range tests {
		if got := baseURL("http", in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
