package detector

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeMaster answers as masters do. leader may be another one.
func fakeMaster(t *testing.T, leader func() string, pid string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/redirect" && leader() == "":
			w.WriteHeader(503)
		case r.URL.Path == "/redirect":
			w.Header().Set("Location", "//"+leader())
			w.WriteHeader(307)
		case r.URL.Path == "/api/v1" && r.Method == "POST" && leader() == r.Host && pid != "":
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`{"type":"GET_MASTER","get_master":{"master_info":{"id":"m","ip":1,"port":5050,"pid":"` + pid + `"}}}`))
		case r.URL.Path == "/api/v1":
			w.WriteHeader(401)
		default:
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func detect(t *testing.T, masters ...string) (string, error) {
	t.Helper()
	d, err := New(Config{Masters: masters, Pause: time.Millisecond, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return d.Detect(ctx)
}

func TestDetect(t *testing.T) {
	var leads string
	leading := func() string { return leads }
	leads = fakeMaster(t, leading, "master@10.1.2.3:5050")
	follower := fakeMaster(t, leading, "")
	var silent string
	silent = fakeMaster(t, func() string { return silent }, "")
	nobody := func() string { return "" }
	tests := map[string]struct {
		masters []string
		want    string
	}{
		"the leader itself":         {[]string{leads}, "master@10.1.2.3:5050"},
		"through a follower":        {[]string{follower}, "master@10.1.2.3:5050"},
		"one that is down":          {[]string{"127.0.0.1:1", follower}, "master@10.1.2.3:5050"},
		"one without leader":        {[]string{fakeMaster(t, nobody, ""), leads}, "master@10.1.2.3:5050"},
		"one that won't talk to us": {[]string{silent}, "master@" + silent},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := detect(t, tt.masters...)
			if err != nil || got != tt.want {
				t.Errorf("Detect = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestDetectWaitsForLeader(t *testing.T) {
	var self string
	var asked atomic.Int32
	self = fakeMaster(t, func() string {
		if asked.Add(1) < 5 {
			return ""
		}
		return self
	}, "master@10.0.0.1:5050")
	if got, err := detect(t, self); err != nil || got != "master@10.0.0.1:5050" {
		t.Errorf("Detect = %q, %v", got, err)
	}
	d, err := New(Config{Masters: []string{"127.0.0.1:1"}, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Detect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a master: %v", err)
	}
}

func TestParseMasters(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"one":       {"10.0.0.1:5050", []string{"10.0.0.1:5050"}},
		"a service": {"prod-leader.ns.svc:5050", []string{"prod-leader.ns.svc:5050"}},
		"several":   {"a:5050, b:5050", []string{"a:5050", "b:5050"}},
		"IPv6":      {"[::1]:5050", []string{"[::1]:5050"}},
		"zookeeper": {"zk://a:2181/mesos", nil},
		"no port":   {"a", nil},
		"empty":     {"", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseMasters(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.want != nil) {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
