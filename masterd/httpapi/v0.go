package httpapi

import (
	"net/http"
	"net/url"
	"sync"

	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// appender writes the body of a v0 endpoint.
type appender func(b []byte, v *state.View, query asked) []byte

// asked is what a request wants to see, and may.
type asked struct {
	url.Values
	visible
}

// buffers keeps the memory of answers to requests with parameters for the next
// ones. The garbage
// collector takes what is not used.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// read answers an endpoint from a View. Without parameters all requests get the
// same body.
func (a *API) read(f appender) handler {
	all := &shared{}
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		e := a.leading(w, r)
		if e == nil {
			return
		}
		view, err := e.View(r.Context())
		if err != nil {
			a.failed(w, r, err)
			return
		}
		query := asked{Values: r.URL.Query(), visible: a.visibleTo(principal)}
		query.Del("jsonp") // the server's middleware does that
		if len(query.Values) == 0 && query.everything() {
			all.use(view, func(b []byte) []byte { return f(b, view, query) }, func(body []byte) { jsonBody(w, body) })
			return
		}
		buffer := buffers.Get().(*[]byte)
		*buffer = f((*buffer)[:0], view, query)
		jsonBody(w, *buffer)
		buffers.Put(buffer)
	}
}

// readOnly is read for endpoints that in Mesos change something when they are
// called by other methods than GET.
func (a *API) readOnly(f appender) handler {
	read := a.read(f)
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			text(w, http.StatusNotImplemented, r.Method+" "+r.URL.Path+" is not supported by this master yet")
			return
		}
		read(w, r, principal)
	}
}
