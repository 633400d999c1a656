package logging

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/mesos-operator/mesos-operator/internal/flags"
)

// ServeHTTP answers /logging/toggle: without parameters the verbosity, with
// level=<n> and duration=<time> it is set for that time.
func (v *Verbosity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !query.Has("level") && !query.Has("duration") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, v.Get())
		return
	}
	if err := v.toggle(query.Get("level"), query.Get("duration")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (v *Verbosity) toggle(level, duration string) error {
	n, err := strconv.ParseUint(level, 10, 32)
	if err != nil {
		return fmt.Errorf("%w: level=%q is not a number", ErrVerbosity, level)
	}
	d, err := flags.ParseDuration(duration)
	if err != nil {
		return fmt.Errorf("%w: duration: %w", ErrVerbosity, err)
	}
	return v.Set(uint32(n), d)
}
