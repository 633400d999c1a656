package metrics

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func values(samples []Sample) map[string]float64 {
	m := map[string]float64{}
	for _, s := range samples {
		m[s.Name] = s.Value
	}
	return m
}

func TestCountersAndGauges(t *testing.T) {
	r := NewRegistry()
	dropped, active := r.Counter("master/dropped_messages"), r.Gauge("master/slaves_active")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				dropped.Inc()
				active.Add(1)
				active.Add(-0.5)
			}
		})
	}
	wg.Wait()
	r.Counter("master/dropped_messages").Add(2) // the same one
	if dropped.Value() != 8002 || active.Value() != 4000 {
		t.Errorf("got %v and %v", dropped.Value(), active.Value())
	}
	active.Set(-1)
	want := []Sample{{"master/dropped_messages", Counter, 8002}, {"master/slaves_active", Gauge, -1}}
	if diff := cmp.Diff(want, r.Snapshot(t.Context())); diff != "" {
		t.Error(diff)
	}
	CounterValue{}.Inc() // counts for nobody, and doesn't fail
	GaugeValue{}.Set(1)
}

func TestRemove(t *testing.T) {
	r := NewRegistry()
	for _, name := range []string{"master/frameworks/a/1/calls", "master/frameworks/a/1/events", "master/frameworks/a/12/calls", "master/x"} {
		r.Counter(name)
	}
	r.Timer("master/frameworks/a/1/t_ms").Observe(1)
	r.Remove("master/frameworks/a/1/")
	want := map[string]float64{"master/frameworks/a/12/calls": 0, "master/x": 0}
	if diff := cmp.Diff(want, values(r.Snapshot(t.Context()))); diff != "" {
		t.Error(diff)
	}
}

func TestKindsDontMix(t *testing.T) {
	r := NewRegistry()
	r.Counter("x")
	defer func() {
		if recover() == nil {
			t.Error("a counter became a gauge")
		}
	}()
	r.Gauge("x")
}

func TestPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry()
		r.Counter("b").Inc()
		remove := r.Pull(func(_ context.Context, emit Emit) {
			emit(Gauge, "a", 1)
			emit(Gauge, "a", 2) // a mistake; the answer stays valid
		})
		hang := make(chan struct{})
		var calls atomic.Int32
		r.Pull(func(_ context.Context, emit Emit) {
			calls.Add(1)
			<-hang
			emit(Gauge, "late", 1)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		got := r.Snapshot(ctx)
		if names := names(got); !slices.Equal(names, []string{"a", "b"}) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", names, time.Since(start))
		}
		// The one that hangs is not called by two at once; who waits for it
		// shares the next call.
		var work sync.WaitGroup
		for range 10 {
			work.Go(func() {
				if got := names(r.Snapshot(t.Context())); !slices.Equal(got, []string{"a", "b", "late"}) {
					t.Errorf("got %v", got)
				}
			})
		}
		synctest.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d calls at one time", calls.Load())
		}
		close(hang)
		work.Wait()
		if calls.Load() != 2 {
			t.Errorf("%d calls for all", calls.Load())
		}
		remove()
		if got := names(r.Snapshot(t.Context())); !slices.Equal(got, []string{"b", "late"}) {
			t.Errorf("got %v", got)
		}
	})
}

func names(samples []Sample) (names []string) {
	for _, s := range samples {
		names = append(names, s.Name)
	}
	return names
}

func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry()
		timer := r.Timer("registrar/state_store_ms")
		check := func(want map[string]float64) {
			t.Helper()
			if diff := cmp.Diff(want, values(r.Snapshot(t.Context())), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Error(diff)
			}
		}
		check(map[string]float64{})
		timer.Observe(3 * time.Millisecond)
		const n = "registrar/state_store_ms"
		check(map[string]float64{n: 3})
		stop := timer.Start()
		time.Sleep(time.Millisecond)
		stop()
		check(map[string]float64{
			n: 1, n + "/count": 2, n + "/min": 1, n + "/max": 3, n + "/p50": 2, n + "/p90": 2.8,
			n + "/p95": 2.9, n + "/p99": 2.98, n + "/p999": 2.998, n + "/p9999": 2.9998,
		})
		time.Sleep(2 * time.Hour) // both left the window
		check(map[string]float64{n: 1})
		timer.Observe(5 * time.Millisecond)
		check(map[string]float64{n: 5})
		for range 3 * timerValues {
			timer.Observe(7 * time.Millisecond)
		}
		if got := values(r.Snapshot(t.Context())); got[n+"/count"] != timerValues || got[n+"/min"] != 7 {
			t.Errorf("got %v", got)
		}
	})
}

func TestPercentilesLieInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var timer Timer
		for _, d := range rapid.SliceOfN(rapid.Int64Range(0, 1e12), 2, 3000).Draw(t, "durations") {
			timer.Observe(time.Duration(d))
		}
		s := timer.summary()
		order := append(append([]float64{s.min}, s.percentiles...), s.max)
		if !slices.IsSorted(order) || s.values > timerValues {
			t.Fatalf("%v of %d", order, s.values)
		}
	})
}

func get(t *testing.T, h http.Handler, url string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body), w.Header()
}

func TestSnapshotEndpoint(t *testing.T) {
	r := NewRegistry()
	r.Counter("master/dropped_messages").Add(7)
	r.Gauge("allocator/mesos/allocation_run_ms").Set(0.018944)
	r.Gauge("broken").Set(math.NaN())
	code, body, header := get(t, r, "/metrics/snapshot?timeout=100ms")
	if want := `{"allocator/mesos/allocation_run_ms":0.018944,"master/dropped_messages":7.0}`; code != 200 || body != want {
		t.Errorf("got %d %s", code, body)
	}
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("type %s", got)
	}
	if !json.Valid([]byte(body)) {
		t.Error("not JSON")
	}
	for timeout, want := range map[string]int{
		"1secs": 200, "1.5mins": 200, "0ns": 200, ".5secs": 200, "52weeks": 200,
		"": 400, "soon": 400, "5": 400, "5s": 400, "-1secs": 400, "5%20secs": 400, "1.2.3secs": 400, "1e3ms": 400, "99999weeks": 400,
	} {
		code, body, _ := get(t, r, "/metrics/snapshot?timeout="+timeout)
		text, _ := url.QueryUnescape(timeout)
		named := strings.HasPrefix(body, "Invalid timeout '"+text+"': ") && strings.HasSuffix(body, ".\n")
		if code != want || named != (want == 400) {
			t.Errorf("timeout=%s: got %d %q", timeout, code, body)
		}
	}
}

func TestPrometheus(t *testing.T) {
	r := NewRegistry()
	r.Counter("master/dropped_messages").Add(7)
	r.Gauge("master/slaves_active").Set(3)
	r.Counter("master/frameworks/my%2Fname/0-1/calls").Inc()
	r.Gauge("master/frameworks_active").Set(1)
	r.Gauge("allocator/mesos/quota/roles/eng/web/resources/cpus/guarantee").Set(4)
	r.Gauge("allocator/mesos/offer_filters/roles/eng/active").Set(2)
	r.Gauge("allocator/mesos/resources/cpus/total").Set(8)
	r.Gauge("a-b/c").Set(1)
	r.Gauge("a_b/c").Set(1) // the same to Prometheus
	r.Gauge("bytes/\xff").Set(1)
	timer := r.Timer("registrar/state_store_ms")
	timer.Observe(time.Second)
	timer.Observe(3 * time.Second)
	code, body, _ := get(t, r.Handler(), "/metrics")
	if code != 200 {
		t.Fatalf("got %d %s", code, body)
	}
	for _, want := range []string{
		"mesos_master_dropped_messages_total 7\n",
		"mesos_master_slaves_active 3\n",
		`mesos_master_framework_calls_total{framework_id="0-1",framework_name="my/name"} 1` + "\n",
		"mesos_master_frameworks_active 1\n",
		`mesos_allocator_mesos_quota_role_resource_guarantee{resource="cpus",role="eng/web"} 4` + "\n",
		`mesos_allocator_mesos_offer_filters_role_active{role="eng"} 2` + "\n",
		`mesos_allocator_mesos_resource_total{resource="cpus"} 8` + "\n",
		`mesos_registrar_state_store_seconds{quantile="0.5"} 2` + "\n",
		"mesos_registrar_state_store_seconds_sum 4\n",
		"mesos_registrar_state_store_seconds_count 2\n",
		"mesos_a_b_c 1\n",
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("missing %s", want)
		}
	}
}

func BenchmarkCounter(b *testing.B) {
	c := NewRegistry().Counter("x")
	for b.Loop() {
		c.Inc()
	}
}

func BenchmarkTimer(b *testing.B) {
	t := NewRegistry().Timer("x_ms")
	for b.Loop() {
		t.Observe(1)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	r := NewRegistry()
	for i := range 10_000 {
		r.Counter("master/frameworks/name/" + string(rune('a'+i%26)) + "/" + time.Duration(i).String())
	}
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	for b.Loop() {
		w.Body.Reset()
		r.ServeHTTP(w, req)
	}
}
