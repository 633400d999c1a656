package httpserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// DisabledEndpoints reads --firewall_rules, JSON of Firewall: the paths of
// endpoints that are to be closed. Empty text has none.
func DisabledEndpoints(text []byte) ([]string, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var rules struct {
		DisabledEndpoints *struct {
			Paths []string `json:"paths"`
		} `json:"disabled_endpoints"`
	}
	if err := json.Unmarshal(text, &rules); err != nil {
		return nil, fmt.Errorf("reading firewall rules: %w", err)
	}
	if rules.DisabledEndpoints == nil {
		return nil, nil
	}
	for _, path := range rules.DisabledEndpoints.Paths {
		if !strings.HasPrefix(path, "/") {
			return nil, errors.New("firewall rules: the path " + path + " does not begin with /")
		}
	}
	return rules.DisabledEndpoints.Paths, nil
}

// Disable closes endpoints: whatever leads to the same handler as one of these
// paths is answered with 403, before anything else is looked at. An endpoint has
// several paths (/state, /master/state, /state/, /state.json), and all of them
// are closed. Add the handlers first.
func (r *Router) Disable(paths []string) {
	for _, path := range paths {
		if process, endpoint, h := r.find(path); h != nil {
			r.processes[process][endpoint] = http.HandlerFunc(serveDisabled)
		}
	}
}

func serveDisabled(w http.ResponseWriter, r *http.Request) {
	Write(w, http.StatusForbidden, "text/plain; charset=utf-8", []byte("Endpoint '"+r.URL.Path+"' is disabled"))
}
