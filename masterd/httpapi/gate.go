package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/httpserver"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
)

// leading returns the engine of this term. A master that doesn't lead sends the
// client to the one that does, or says that there is none yet.
func (a *API) leading(w http.ResponseWriter, r *http.Request) *engine.Engine {
	if e := a.cfg.Engine(); e != nil {
		return e
	}
	a.sendToLeader(w, r)
	return nil
}

func (a *API) sendToLeader(w http.ResponseWriter, r *http.Request) {
	leader := a.cfg.Leader()
	switch {
	case leader == nil:
		text(w, http.StatusServiceUnavailable, "No leader elected")
	case a.isSelf(leader):
		text(w, http.StatusServiceUnavailable, "Master has not finished recovery")
	default:
		redirect(w, base(leader)+r.URL.RequestURI())
	}
}

// isSelf compares what stays the same over a master's terms. The PID alone would
// not do: masters behind one address, as in Kubernetes, share it.
func (a *API) isSelf(m *mesos.MasterInfo) bool {
	return m.GetPid() == a.cfg.Self.GetPid() && m.GetHostname() == a.cfg.Self.GetHostname()
}

// serveRedirect sends the client to the leader's own address, wherever it is.
// What is below /redirect doesn't exist, so that nobody is sent in circles.
func (a *API) serveRedirect(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/redirect") && !strings.HasSuffix(r.URL.Path, "/redirect.json") {
		httpserver.Refuse(w, http.StatusNotFound)
		return
	}
	leader := a.cfg.Leader()
	if leader == nil {
		text(w, http.StatusServiceUnavailable, "No leader elected")
		return
	}
	redirect(w, base(leader))
}

// base is a URL without a scheme: the client stays with the one that it uses.
func base(m *mesos.MasterInfo) string {
	return "//" + net.JoinHostPort(m.GetHostname(), strconv.Itoa(int(m.GetPort())))
}

func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Content-Length", "0")
	// The address may be that of a proxy or Service in front of all masters: a client that
	// follows on the connection that it has would come here again.
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// failed answers when the engine had no answer: the term ended meanwhile, or
// the client is gone and reads nothing.
func (a *API) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, engine.ErrStopped):
		if a.isSelf(a.cfg.Leader()) {
			text(w, http.StatusServiceUnavailable, "This master stopped leading")
			return
		}
		a.sendToLeader(w, r)
	default:
		a.cfg.Log.Error(err, "answering a request", "path", r.URL.Path)
		text(w, http.StatusInternalServerError, err.Error())
	}
}
