package metrics

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// maxSnapshotTime bounds a request without a timeout: a pull function that
// waits for a busy daemon must not pile up requests.
const maxSnapshotTime = 30 * time.Second

// ServeHTTP answers /metrics/snapshot: one JSON object, sorted by name. The
// parameter timeout, in Mesos's notation, is how long to wait for values.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	timeout := maxSnapshotTime
	if query := req.URL.Query(); query.Has("timeout") {
		text := query.Get("timeout")
		d, err := flags.ParseDuration(text)
		if err != nil {
			http.Error(w, fmt.Sprintf("Invalid timeout '%s': %v.", text, err), http.StatusBadRequest)
			return
		}
		timeout = min(d, maxSnapshotTime)
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	body := AppendJSON(nil, r.Snapshot(ctx))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // an error means that the client is gone
}

// AppendJSON appends samples as an object of numbers, without what is infinite or
// no number.
func AppendJSON(dst []byte, samples []Sample) []byte {
	dst = append(dst, '{')
	for _, s := range samples {
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			continue // JSON has no word for them
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = mesosjson.AppendString(dst, s.Name)
		dst = append(dst, ':')
		dst = mesosjson.AppendDouble(dst, s.Value)
	}
	return append(dst, '}')
}
