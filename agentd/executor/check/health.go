package check

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Health is what a health check has to say.
type Health struct {
	Healthy bool
	// Kill says that the task failed too often in a row.
	Kill bool
	// Why is for the task's user.
	Why string
}

// NewHealth makes the watch of a health check. report is called, from the watch's
// goroutine, with every failure that counts, and with the first success after those
// or at all. Failures don't count in the grace period, which begins now and
// ends early with the first success.
func NewHealth(info *mesos.HealthCheck, run Command, report func(Health)) (*Watch, error) {
	p, err := healthProbe(info, run)
	if err != nil {
		return nil, err
	}
	w := newWatch(timing{seconds(info.GetDelaySeconds()), seconds(info.GetIntervalSeconds()), seconds(info.GetTimeoutSeconds())}, p)
	h := &health{
		graceEnds: time.Now().Add(seconds(info.GetGracePeriodSeconds())), allowed: info.GetConsecutiveFailures(), report: report,
	}
	w.result = func(o outcome, err error) {
		if err == nil {
			err = verdict(o)
		}
		h.take(err, time.Now())
	}
	return w, nil
}

// health counts failures.
type health struct {
	graceEnds time.Time
	allowed   uint32
	report    func(Health)

	known    bool // there was a success
	failures uint32
}

func (h *health) take(err error, now time.Time) {
	switch {
	case err == nil:
		if !h.known || h.failures > 0 {
			h.report(Health{Healthy: true})
		}
		h.known, h.failures = true, 0
	case !h.known && now.Before(h.graceEnds):
	default:
		h.failures++
		h.report(Health{Kill: h.failures >= h.allowed, Why: err.Error()})
	}
}

// verdict says what is wrong with a task of which a probe found this out.
func verdict(o outcome) error {
	switch {
	case o.exit != nil && *o.exit != 0:
		return fmt.Errorf("the command exited with status %d", *o.exit)
	case o.code != nil && (*o.code < http.StatusOK || *o.code >= http.StatusBadRequest):
		return fmt.Errorf("the task answered %d", *o.code)
	case o.exit == nil && o.code == nil && !o.connected:
		return fmt.Errorf("the task accepts no connection")
	}
	return nil
}

func healthProbe(info *mesos.HealthCheck, run Command) (probe, error) {
	kind := info.GetType()
	if info.Type == nil { // as before health checks had types
		kind = mesos.HealthCheck_HTTP
		if info.Command != nil {
			kind = mesos.HealthCheck_COMMAND
		}
	}
	switch kind {
	case mesos.HealthCheck_COMMAND:
		return commandProbe(info.GetCommand(), run), nil
	case mesos.HealthCheck_HTTP:
		h := info.GetHttp()
		scheme := strings.ToLower(h.GetScheme())
		if scheme == "" {
			scheme = "http"
		}
		if scheme != "http" && scheme != "https" {
			return nil, fmt.Errorf("health check by unknown scheme %q", h.GetScheme())
		}
		return httpProbe(scheme, h.GetProtocol(), h.GetPort(), h.GetPath()), nil
	case mesos.HealthCheck_TCP:
		return tcpProbe(info.GetTcp().GetProtocol(), info.GetTcp().GetPort()), nil
	}
	return nil, fmt.Errorf("health check of unknown type %v", kind)
}
