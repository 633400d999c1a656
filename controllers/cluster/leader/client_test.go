package leader

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A real master's answer, shortened to what surrounds the keys that are read.
const snapshot = `{"master/cpus_percent":0.0,"master/elected":1.0,"master/slaves_active":7.0,"master/slaves_connected":8.0,"master/uptime_secs":12.5,"registrar/log/ensemble_current":2.0,"registrar/log/ensemble_listed":5.0,"registrar/log/ensemble_size":3.0}`

func master(t *testing.T, metrics http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics/snapshot", metrics)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"build_time":1.0,"version":"1.11.0"}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func TestState(t *testing.T) {
	got, err := NewHTTPClient(time.Second, nil).State(t.Context(), Target{URL: master(t, answer(snapshot))})
	if err != nil {
		t.Fatal(err)
	}
	if want := (State{Version: "1.11.0", ActiveAgents: 7, Votes: 3, Current: 2, Listed: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStateFollowsToTheLeader(t *testing.T) {
	leading := master(t, answer(snapshot))
	following := master(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.TrimPrefix(leading, "http:")+r.URL.Path, http.StatusTemporaryRedirect)
	})
	got, err := NewHTTPClient(time.Second, nil).State(t.Context(), Target{URL: following})
	if err != nil || got.ActiveAgents != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestStateFailures(t *testing.T) {
	var loop http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}
	cases := map[string]struct {
		metrics http.HandlerFunc
		want    string
	}{
		"not the leader": {answer(`{"master/elected":0.0}`), ErrNotLeading.Error()},
		"no metrics":     {answer(`{}`), ErrNotLeading.Error()},
		"not JSON":       {answer(`<html>`), "invalid character"},
		"an error":       {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusServiceUnavailable) }, "503"},
		"a loop":         {loop, "redirects"},
		"silence":        {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "Timeout"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := NewHTTPClient(200*time.Millisecond, nil).State(t.Context(), Target{URL: master(t, tc.metrics)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	_, err := NewHTTPClient(time.Second, nil).State(t.Context(), Target{URL: "http://127.0.0.1:1"})
	if err == nil || errors.Is(err, ErrNotLeading) {
		t.Errorf("got %v", err)
	}
}

type fixedToken string

func (f fixedToken) Token(_ context.Context, audience string) (string, error) {
	return string(f) + " for " + audience, nil
}

func TestStateShowsAToken(t *testing.T) {
	for audience, want := range map[string]string{"": "", "mesos": "Bearer own for mesos"} {
		url := master(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("for %q: %q, want %q", audience, got, want)
			}
			fmt.Fprint(w, snapshot)
		})
		if _, err := NewHTTPClient(time.Second, fixedToken("own")).State(t.Context(), Target{url, audience}); err != nil {
			t.Error(err)
		}
	}
}

// A master that was deposed and lives on keeps its connections; the next question must
// arrive where the Service leads then.
func TestStateLeavesADeposedLeader(t *testing.T) {
	connections := map[string]bool{}
	url := master(t, func(w http.ResponseWriter, r *http.Request) {
		connections[r.RemoteAddr] = true
		fmt.Fprint(w, `{"master/elected":0.0}`)
	})
	c := NewHTTPClient(time.Second, nil)
	for range 3 {
		if _, err := c.State(t.Context(), Target{URL: url}); !errors.Is(err, ErrNotLeading) {
			t.Fatal(err)
		}
	}
	if len(connections) != 3 {
		t.Errorf("3 questions over %d connections", len(connections))
	}
}
