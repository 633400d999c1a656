package host

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

func TestParse(t *testing.T) {
	stats := map[string]float64{}
	addLoad(stats, "0.20 0.18 0.12 1/80 11206\n")
	addMemory(stats, []byte("MemTotal:       16314304 kB\nMemFree:  1024 kB\nBuffers: 7 kB\nbroken\n"))
	want := map[string]float64{
		"load_1min": 0.2, "load_5min": 0.18, "load_15min": 0.12,
		"mem_total_bytes": 16314304 * 1024, "mem_free_bytes": 1024 * 1024,
	}
	if diff := cmp.Diff(want, stats); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	addLoad(stats, "")
	addLoad(stats, "x y z")
}

func TestNames(t *testing.T) {
	r := metrics.NewRegistry()
	Register(r)
	var got []string
	for _, s := range r.Snapshot(t.Context()) {
		got = append(got, s.Name)
	}
	want := []string{
		"system/cpus_total", "system/load_15min", "system/load_1min", "system/load_5min",
		"system/mem_free_bytes", "system/mem_total_bytes",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	w := httptest.NewRecorder()
	ServeStats(w, nil)
	var body map[string]float64
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(body))
	if diff := cmp.Diff([]string{
		"avg_load_15min", "avg_load_1min", "avg_load_5min", "cpus_total", "mem_free_bytes", "mem_total_bytes",
	}, keys); diff != "" {
		t.Errorf("stats.json (-want +got):\n%s", diff)
	}
}
