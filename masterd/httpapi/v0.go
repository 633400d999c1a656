package httpapi

import (
	"net/http"
	"net/url"

	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// appender writes the body of a v0 endpoint.
type appender func(b []byte, v *state.View, query asked) []byte

// asked is what a request wants to see, and may.
type asked struct {
	url.Values
	visible
}

// only is an ID that a request asks for, if it names one.
type only struct {
	given bool
	id    string
}

func (q asked) only(parameter string) only { return only{q.Has(parameter), q.Get(parameter)} }

func (o only) accepts(id string) bool { return !o.given || o.id == id }

// composer puts together the body of a v0 endpoint that may be long.
type composer func(b *body, v *state.View, query asked)

// compose answers an endpoint from a View. Without parameters all requests of
// those who see everything get the same body.
func (a *API) compose(f composer) handler {
	whole := func(b *body, v *state.View, query asked) {
		f(b, v, query)
		b.seal()
	}
	all := newShared(a.workshop, func(b *body, v *state.View) { whole(b, v, asked{}) })
	return func(w http.ResponseWriter, r *http.Request, principal string) {
		e := a.leading(w, r)
		if e == nil {
			return
		}
		defer a.workshop.lane.Begin()()
		query := asked{Values: r.URL.Query(), visible: a.visibleTo(principal)}
		query.Del("jsonp") // the server's middleware does that
		if len(query.Values) == 0 && query.everything() {
			b, err := all.get(r.Context(), e)
			if err != nil {
				a.failed(w, r, err)
				return
			}
			b.send(w, r, codec.JSON)
			return
		}
		view, err := e.View(r.Context())
		if err == nil {
			err = a.workshop.enter(r.Context())
		}
		if err != nil {
			a.failed(w, r, err)
			return
		}
		b := a.workshop.body()
		whole(b, view, query)
		a.workshop.leave()
		b.send(w, r, codec.JSON)
	}
}

// read is compose for what is short.
func (a *API) read(f appender) handler {
	return a.compose(func(b *body, v *state.View, query asked) {
		b.write(func(text []byte) []byte { return f(text, v, query) })
	})
}
