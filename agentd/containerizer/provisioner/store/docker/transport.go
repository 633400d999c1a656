package docker

import (
	"fmt"
	"net/http"
)

// transport holds requests to what a reference allows: TLS, or none.
type transport struct {
	base http.RoundTripper
	at   endpoint
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case t.at.scheme == "https" && r.URL.Scheme != "https":
		return nil, fmt.Errorf("%s is not asked without TLS", r.URL.Host)
	case t.at.scheme == "http" && r.URL.Host == t.at.host && r.URL.Scheme != "http":
		return nil, fmt.Errorf("%s is not asked with TLS", r.URL.Host)
	}
	return t.base.RoundTrip(r)
}
