// Package host measures the machine that a daemon runs on, for the metrics
// "system/…" and the endpoint /system/stats.json that masters and agents have.
// It keeps nothing.
package host

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

// Stats are figures by the names of Mesos's metrics without the prefix
// "system/": cpus_total, load_1min, load_5min, load_15min, mem_total_bytes,
// mem_free_bytes. What the machine doesn't tell is left out.
func Stats() map[string]float64 {
	stats := map[string]float64{"cpus_total": float64(runtime.NumCPU())}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		addLoad(stats, string(text))
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		addMemory(stats, text)
	}
	return stats
}

// addLoad reads "0.20 0.18 0.12 1/80 11206".
func addLoad(stats map[string]float64, text string) {
	fields := strings.Fields(text)
	for i, name := range []string{"load_1min", "load_5min", "load_15min"} {
		if i >= len(fields) {
			return
		}
		if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
			stats[name] = v
		}
	}
}

// addMemory reads lines like "MemTotal:       16314304 kB".
func addMemory(stats map[string]float64, text []byte) {
	names := map[string]string{"MemTotal:": "mem_total_bytes", "MemFree:": "mem_free_bytes"}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || names[fields[0]] == "" {
			continue
		}
		if kb, err := strconv.ParseFloat(fields[1], 64); err == nil {
			stats[names[fields[0]]] = kb * 1024
		}
	}
}

// Register adds the figures to a registry.
func Register(r *metrics.Registry) {
	r.Pull(func(_ context.Context, emit metrics.Emit) {
		for name, v := range Stats() {
			emit(metrics.Gauge, "system/"+name, v)
		}
	})
}

// older are the names in /system/stats.json, which is older than the metrics.
var older = []struct {
	old, name string
	whole     bool
}{
	{"avg_load_15min", "load_15min", false}, {"avg_load_1min", "load_1min", false},
	{"avg_load_5min", "load_5min", false}, {"cpus_total", "cpus_total", true},
	{"mem_free_bytes", "mem_free_bytes", true}, {"mem_total_bytes", "mem_total_bytes", true},
}

// ServeStats answers /system/stats.json.
func ServeStats(w http.ResponseWriter, _ *http.Request) {
	stats := Stats()
	b := []byte{'{'}
	for _, m := range older {
		v, ok := stats[m.name]
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(mesosjson.AppendString(b, m.old), ':')
		if m.whole {
			b = mesosjson.AppendInt(b, int64(v))
		} else {
			b = mesosjson.AppendDouble(b, v)
		}
	}
	httpserver.Write(w, http.StatusOK, "application/json", append(b, '}'))
}
