package detector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
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
	d, err := New(Config{Masters: strings.Join(masters, ","), Pause: time.Millisecond, Timeout: time.Second})
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
	d, err := New(Config{Masters: "127.0.0.1:1", Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := d.Detect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a master: %v", err)
	}
}

// TestDetectPassesOverOneThatHangs: the one that says nothing costs a moment.
func TestDetectPassesOverOneThatHangs(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	var leads string
	leads = fakeMaster(t, func() string { return leads }, "master@10.1.2.3:5050")
	d, err := New(Config{Masters: hung.Addr().String() + "," + leads, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if pid, err := d.Detect(t.Context()); err != nil || pid != "master@10.1.2.3:5050" || time.Since(begin) > 30*time.Second {
		t.Errorf("%q, %v after %v", pid, err, time.Since(begin))
	}
}

// TestDetectByName asks all addresses of a name.
func TestDetectByName(t *testing.T) {
	var leads string
	leads = fakeMaster(t, func() string { return leads }, "master@10.1.2.3:5050")
	_, port, _ := net.SplitHostPort(leads)
	d, err := New(Config{Masters: "masters.example:" + port, Pause: time.Millisecond, Lookup: func(_ context.Context, host string) ([]string, error) {
		if host != "masters.example" {
			t.Errorf("looked up %q", host)
		}
		return []string{"127.0.0.77", "127.0.0.1"}, nil // nobody listens at the first
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if pid, err := d.Detect(t.Context()); err != nil || pid != "master@10.1.2.3:5050" {
			t.Errorf("%q, %v", pid, err)
		}
	}
}

// TestDetectByFile reads the file for each detection.
func TestDetectByFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "masters")
	d, err := New(Config{Masters: "file://" + file, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		pid := fmt.Sprintf("master@10.1.2.%d:5050", i)
		var leads string
		leads = fakeMaster(t, func() string { return leads }, pid)
		time.AfterFunc(20*time.Millisecond, func() {
			if err := os.WriteFile(file, []byte(leads+"\n"), 0o600); err != nil {
				t.Error(err)
			}
		})
		for got := ""; got != pid; {
			if got, err = d.Detect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestDetectInZooKeeper(t *testing.T) {
	e := zktest.Start(t, 1)
	u := e.URL(t, "")
	d, err := New(Config{Masters: u.String(), ZooKeeperTimeout: 2 * time.Second, Log: testr.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	join := func(pid string) *zookeeper.Session {
		s, err := zookeeper.Open(t.Context(), zookeeper.Config{URL: u, Timeout: 2 * time.Second})
		if err != nil {
			t.Error(err)
			return nil
		}
		info := &mesos.MasterInfo{Id: new("m"), Ip: new(uint32(1)), Port: new(uint32(5050)), Pid: &pid}
		if _, err := zookeeper.NewGroup(s, u).Join(t.Context(), info); err != nil {
			t.Error(err)
		}
		return s
	}
	first := make(chan *zookeeper.Session, 1)
	time.AfterFunc(500*time.Millisecond, func() { first <- join("master@10.0.0.1:5050") })
	for _, want := range []string{"master@10.0.0.1:5050", "master@10.0.0.2:5050"} {
		if got, err := d.Detect(t.Context()); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		if want == "master@10.0.0.1:5050" {
			superseded := make(chan error, 1)
			go func() { superseded <- d.Superseded(t.Context(), want) }()
			defer func() {
				if err := <-superseded; err != nil {
					t.Errorf("superseded: %v", err)
				}
			}()
			second := join("master@10.0.0.2:5050")
			defer second.Close()
			(<-first).Close()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.Superseded(ctx, "master@10.0.0.2:5050"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a leader that stays: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e.Servers[0].Kill()
	if _, err := d.Detect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without ZooKeeper: %v", err)
	}
}

func TestParse(t *testing.T) {
	zk := &zookeeper.URL{Servers: []string{"a:2181"}, Path: "/mesos"}
	tests := map[string]struct {
		text string
		want source
		err  string
	}{
		"one":            {"10.0.0.1:5050", source{masters: []string{"10.0.0.1:5050"}}, ""},
		"a service":      {"prod-leader.ns.svc:5051", source{masters: []string{"prod-leader.ns.svc:5051"}}, ""},
		"several":        {"a:5050, b:5050\nc\n", source{masters: []string{"a:5050", "b:5050", "c:5050"}}, ""},
		"IPv6":           {"[::1]:5050", source{masters: []string{"[::1]:5050"}}, ""},
		"ZooKeeper":      {"zk://a/mesos", source{zooKeeper: zk}, ""},
		"bad ZooKeeper":  {"zk:///mesos", source{}, "host:port"},
		"another scheme": {"http://a:5050", source{}, "http://"},
		"no file inside": {"file:///x", source{}, "file://"},
		"bad port":       {"a:x", source{}, "master"},
		"empty":          {"", source{}, "no master"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.text)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one about %q", err, tt.err)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(source{})); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}
