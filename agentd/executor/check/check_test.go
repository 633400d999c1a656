package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// scripted answers probes by commands one after the other: an exit code, a signal if
// it is negative, or a time out if it is 999. The last goes on for ever.
func scripted(codes ...int) Command {
	n := 0
	return func(ctx context.Context, _ *mesos.CommandInfo) (syscall.WaitStatus, error) {
		code := codes[min(n, len(codes)-1)]
		n++
		switch {
		case code == 999:
			<-ctx.Done()
			return 0, ctx.Err()
		case code == 998:
			return 0, fmt.Errorf("%w: the agent is away", ErrTransient)
		case code < 0:
			return syscall.WaitStatus(-code), nil
		}
		return syscall.WaitStatus(code << 8), nil
	}
}

// watched runs a watch for a time and returns what was reported, and when.
func watched(t *testing.T, d time.Duration, start func(report func(string)) (*Watch, error)) []string {
	var out []string
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w, err := start(func(s string) { out = append(out, fmt.Sprintf("%v %s", time.Since(began), s)) })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		w.Run(ctx)
		synctest.Wait()
	})
	return out
}

func TestHealth(t *testing.T) {
	info := func(change func(*mesos.HealthCheck)) *mesos.HealthCheck {
		h := &mesos.HealthCheck{
			Type: mesos.HealthCheck_COMMAND.Enum(), Command: &mesos.CommandInfo{}, DelaySeconds: new(0.0),
			IntervalSeconds: new(1.0), TimeoutSeconds: new(0.5), GracePeriodSeconds: new(0.0), ConsecutiveFailures: new(uint32(3)),
		}
		if change != nil {
			change(h)
		}
		return h
	}
	tests := map[string]struct {
		info  *mesos.HealthCheck
		codes []int
		want  []string
	}{
		"healthy is told once": {info(nil), []int{0}, []string{"0s healthy"}},
		"failures are told each, the third in a row kills": {info(nil), []int{0, 1, 0, 1, 1, 1},
			[]string{"0s healthy", "1s sick", "2s healthy", "3s sick", "4s sick", "5s kill"}},
		"in the grace period they don't count": {info(func(h *mesos.HealthCheck) { h.GracePeriodSeconds = new(2.5) }), []int{1, 1, 1, 1, 0},
			[]string{"3s sick", "4s healthy"}},
		"which ends with the first success": {info(func(h *mesos.HealthCheck) { h.GracePeriodSeconds = new(60.0) }), []int{1, 0, 1, 0},
			[]string{"1s healthy", "2s sick", "3s healthy"}},
		"a delay comes first":           {info(func(h *mesos.HealthCheck) { h.DelaySeconds = new(2.5) }), []int{0}, []string{"2.5s healthy"}},
		"too slow is a failure":         {info(nil), []int{999, 0}, []string{"500ms sick", "1.5s healthy"}},
		"so is a signal":                {info(nil), []int{-9, 0}, []string{"0s sick", "1s healthy"}},
		"an agent that is away is none": {info(nil), []int{998, 998, 0}, []string{"2s healthy"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := watched(t, 5500*time.Millisecond, func(report func(string)) (*Watch, error) {
				return NewHealth(tt.info, scripted(tt.codes...), func(h Health) {
					switch {
					case h.Healthy:
						report("healthy")
					case h.Kill:
						report("kill")
					default:
						report("sick")
					}
				})
			})
			if len(got) > 0 && tt.codes[len(tt.codes)-1] == 1 {
				got = got[:len(tt.want)]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	info := &mesos.CheckInfo{
		Type: mesos.CheckInfo_COMMAND.Enum(), Command: &mesos.CheckInfo_Command{Command: &mesos.CommandInfo{}},
		DelaySeconds: new(1.0), IntervalSeconds: new(1.0), TimeoutSeconds: new(0.5),
	}
	tests := map[string]struct {
		codes []int
		want  []string
	}{
		"changes are told":              {[]int{0, 0, 7, 7, 0}, []string{"1s 0", "3s 7", "5s 0"}},
		"failures are an empty result":  {[]int{0, 999, -9, 0}, []string{"1s 0", "2.5s none", "4.5s 0"}},
		"but not as the first":          {[]int{999, 0}, []string{"2.5s 0"}},
		"an agent away changes nothing": {[]int{3, 998, 998, 3, 4}, []string{"1s 3", "5s 4"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := watched(t, 5200*time.Millisecond, func(report func(string)) (*Watch, error) {
				return New(info, scripted(tt.codes...), func(s *mesos.CheckStatusInfo) {
					if s.Command.ExitCode == nil {
						report("none")
						return
					}
					report(strconv.Itoa(int(s.GetCommand().GetExitCode())))
				})
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		info := &mesos.HealthCheck{
			Type: mesos.HealthCheck_COMMAND.Enum(), Command: &mesos.CommandInfo{}, DelaySeconds: new(1.0),
			IntervalSeconds: new(1.0), TimeoutSeconds: new(10.0), GracePeriodSeconds: new(0.0), ConsecutiveFailures: new(uint32(9)),
		}
		probes := 0
		var mu sync.Mutex
		w, err := NewHealth(info, func(ctx context.Context, _ *mesos.CommandInfo) (syscall.WaitStatus, error) {
			mu.Lock()
			probes++
			mu.Unlock()
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(500 * time.Millisecond):
				return 1 << 8, nil
			}
		}, func(Health) {})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go w.Run(ctx)
		defer synctest.Wait()
		defer cancel()
		time.Sleep(1200 * time.Millisecond) // in the first probe
		w.Pause(true)
		time.Sleep(time.Minute)
		mu.Lock()
		n := probes
		mu.Unlock()
		if n != 1 {
			t.Errorf("%d probes while paused", n)
		}
		w.Pause(false)
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		n = probes
		mu.Unlock()
		if n != 2 {
			t.Errorf("%d probes after that", n)
		}
	})
}

func TestNetwork(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer plain.Close()
	defer secure.Close()
	port := func(s *httptest.Server) uint32 { return uint32(s.Listener.Addr().(*net.TCPAddr).Port) }
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := uint32(closed.Addr().(*net.TCPAddr).Port)
	_ = closed.Close()
	http1 := func(scheme string, port uint32, path string) *mesos.HealthCheck {
		return &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP.Enum(), Http: &mesos.HealthCheck_HTTPCheckInfo{
			Scheme: &scheme, Port: &port, Path: &path, Protocol: mesos.NetworkInfo_IPv4.Enum(),
		}}
	}
	tcp := func(port uint32) *mesos.HealthCheck {
		return &mesos.HealthCheck{Type: mesos.HealthCheck_TCP.Enum(), Tcp: &mesos.HealthCheck_TCPCheckInfo{Port: &port, Protocol: mesos.NetworkInfo_IPv4.Enum()}}
	}
	tests := map[string]struct {
		info    *mesos.HealthCheck
		healthy bool
	}{
		"http": {http1("http", port(plain), "/ok"), true}, "https": {http1("https", port(secure), "/ok"), true},
		"redirect": {http1("http", port(plain), "/moved"), true}, "refusal": {http1("http", port(plain), "/bad"), false},
		"http, nobody there": {http1("http", nobody, "/ok"), false},
		"tcp":                {tcp(port(plain)), true}, "tcp, nobody there": {tcp(nobody), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := healthProbe(tt.info, nil)
			if err != nil {
				t.Fatal(err)
			}
			o, err := p(t.Context())
			if err == nil {
				err = verdict(o)
			}
			if (err == nil) != tt.healthy {
				t.Errorf("%+v, error %v", o, err)
			}
		})
	}
	p, err := checkProbe(&mesos.CheckInfo{Type: mesos.CheckInfo_HTTP.Enum(),
		Http: &mesos.CheckInfo_Http{Port: new(port(plain)), Path: new("/bad")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := p(t.Context()); err != nil || o.code == nil || *o.code != http.StatusTeapot {
		t.Errorf("%+v, error %v", o, err)
	}
	if _, err := New(&mesos.CheckInfo{}, nil, nil); err == nil {
		t.Error("a check without a type was accepted")
	}
	if _, err := NewHealth(http1("gopher", 1, ""), nil, nil); err == nil {
		t.Error("an unknown scheme was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tcpProbe(mesos.NetworkInfo_IPv4, port(plain))(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
