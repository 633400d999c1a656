package httpapi

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/internal/metrics"
)

// systemStats are the host's figures, by the names of Mesos's metrics without
// the prefix "system/". What the host doesn't tell is left out.
func systemStats() map[string]float64 {
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
		if v, err := strconv.ParseFloat(fields[1], 64); err == nil {
			stats[names[fields[0]]] = v * 1024
		}
	}
}

func pullSystem(emit metrics.Emit) {
	for name, v := range systemStats() {
		emit(metrics.Gauge, "system/"+name, v)
	}
}

// serveSystemStats answers /system/stats.json, whose names are older than those
// of the metrics.
func serveSystemStats(w http.ResponseWriter, _ *http.Request) {
	stats := systemStats()
	var b []byte
	for _, m := range []struct{ old, name string }{
		{"avg_load_15min", "load_15min"}, {"avg_load_1min", "load_1min"}, {"avg_load_5min", "load_5min"},
	} {
		if v, ok := stats[m.name]; ok {
			b = doubleMember(b, m.old, v)
		}
	}
	b = intMember(b, "cpus_total", int(stats["cpus_total"]))
	for _, name := range []string{"mem_free_bytes", "mem_total_bytes"} {
		if v, ok := stats[name]; ok {
			b = intMember(b, name, int(v))
		}
	}
	jsonBody(w, mesosjson.CloseObject(b, 0))
}
