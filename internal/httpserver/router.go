package httpserver

import (
	"net/http"
	"strings"
)

// Router finds handlers as libprocess does. A path is /<process>/<endpoint>; if
// its first segment is no process, all of it is the endpoint of the default
// process. The handler is that of the longest prefix of the endpoint, for any
// method, and slashes at the end mean nothing: /state/, /master/state and
// /master/state/more are all "state" of "master".
//
// Older versions of Mesos called endpoints by names with ".json" too, and older
// clients still do: such a name works where there is no other one.
type Router struct {
	fallback  string
	processes map[string]map[string]http.Handler
	help      map[string]string // see Help
}

// NewRouter returns a Router without handlers. fallback is the default process:
// "master", or "slave(1)".
func NewRouter(fallback string) *Router {
	return &Router{fallback: fallback, processes: map[string]map[string]http.Handler{fallback: {}}}
}

// Handle adds the handler of an endpoint, for example "api/v1/scheduler". The
// endpoint "" is the process itself. It panics if there is one already. Add
// everything before serving.
func (r *Router) Handle(process, endpoint string, h http.Handler) {
	if r.processes[process] == nil {
		r.processes[process] = map[string]http.Handler{}
	}
	if r.processes[process][endpoint] != nil {
		panic("httpserver: two handlers for /" + process + "/" + endpoint)
	}
	r.processes[process][endpoint] = h
}

// ServeHTTP answers 404 where there is no handler, and 400 to what is no path. The handler sees the request's URL unchanged.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasPrefix(req.URL.Path, "/") {
		http.Error(w, "the URL's path must begin with '/'", http.StatusBadRequest)
		return
	}
	_, _, h := r.find(req.URL.Path)
	if h == nil {
		Refuse(w, http.StatusNotFound)
		return
	}
	h.ServeHTTP(w, req)
}

// find returns the handler of a path and where it is; nil if there is none.
func (r *Router) find(path string) (process, endpoint string, h http.Handler) {
	if strings.Contains(path, "/..") {
		return "", "", nil
	}
	segments := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	process = r.fallback
	if len(segments) > 0 && r.processes[segments[0]] != nil {
		process, segments = segments[0], segments[1:]
	}
	endpoints := r.processes[process]
	if len(segments) == 0 {
		return process, "", endpoints[""]
	}
	for n := len(segments); n > 0; n-- {
		name := strings.Join(segments[:n], "/")
		if h := endpoints[name]; h != nil {
			return process, name, h
		}
		if bare, ok := strings.CutSuffix(name, ".json"); ok && bare != "" && endpoints[bare] != nil {
			return process, bare, endpoints[bare]
		}
	}
	return "", "", nil
}
