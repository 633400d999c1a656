package httpserver

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisabledEndpoints(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "{}": nil, `{"disabled_endpoints":{}}`: nil,
		`{"disabled_endpoints":{"paths":["/state","/files/browse"]},"x":1}`: {"/state", "/files/browse"},
	} {
		got, err := DisabledEndpoints([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"[]", `{"disabled_endpoints":{"paths":"x"}}`, `{"disabled_endpoints":{"paths":["state"]}}`} {
		if _, err := DisabledEndpoints([]byte(text)); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

func TestDisable(t *testing.T) {
	r := NewRouter("master")
	for _, endpoint := range []string{"state", "state-summary", "files"} {
		r.Handle("master", endpoint, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	}
	r.Handle("metrics", "snapshot", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	r.Disable([]string{"/master/state", "/metrics/snapshot", "/nowhere"})
	for path, want := range map[string]int{
		"/state": 403, "/master/state": 403, "/state/": 403, "/state.json": 403, "/state/x": 403, "//master//state": 403,
		"/state-summary": 200, "/metrics/snapshot": 403, "/files": 200, "/nowhere": 404,
	} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://h"+path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		if body := w.Body.String(); want == 403 && body != "Endpoint '"+path+"' is disabled" {
			t.Errorf("%s: %q", path, body)
		}
	}
}

func TestAnswersHaveSaneHeaders(t *testing.T) {
	s := New(Config{Handler: NewRouter("master")})
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nowhere", nil))
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
