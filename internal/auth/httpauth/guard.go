package httpauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// Authenticator knows one way to authenticate.
type Authenticator interface {
	// Scheme is the word that its Authorization headers begin with.
	Scheme() string
	// Authenticate looks at a request. It returns a *Challenge if the request
	// doesn't authenticate anybody, and another error if it can't tell.
	Authenticate(ctx context.Context, r *http.Request) (auth.Principal, error)
}

// Challenge is an error that asks the client to authenticate.
type Challenge struct {
	// Header is the value of WWW-Authenticate.
	Header string
	// Body explains it, "" for no explanation but the status, as Mesos gives it.
	Body string
}

// plainBody is the body of a challenge that explains nothing.
const plainBody = "401 Unauthorized."

// Error implements error.
func (c *Challenge) Error() string { return "unauthorized: " + c.Header }

// Guard authenticates requests of realms. The zero Guard lets everybody in as
// nobody.
type Guard struct {
	realms map[string][]Authenticator
	log    logr.Logger
}

// NewGuard returns a guard of some realms. Realms without an entry are open: who
// asks is not looked at, as in Mesos.
func NewGuard(realms map[string][]Authenticator, log logr.Logger) *Guard {
	if log.GetSink() == nil {
		log = logr.Discard()
	}
	return &Guard{realms: realms, log: log}
}

// Authenticate finds out who makes a request to an endpoint of a realm. If it is
// nobody that the realm accepts it answers the request and returns false.
func (g *Guard) Authenticate(w http.ResponseWriter, r *http.Request, realm string) (auth.Principal, bool) {
	if g == nil {
		return auth.Principal{}, true
	}
	authenticators, guarded := g.realms[realm]
	if !guarded {
		return auth.Principal{}, true
	}
	var refused combined
	for _, a := range authenticators {
		principal, err := a.Authenticate(r.Context(), r)
		if err == nil {
			return principal, true
		}
		refused.add(a.Scheme(), err, len(authenticators) > 1)
	}
	refused.answer(w)
	if refused.failure != nil {
		g.log.Error(refused.failure, "authenticating a request", "realm", realm, "remote", r.RemoteAddr)
	} else {
		g.log.V(1).Info("request refused: not authenticated", "realm", realm, "path", r.URL.Path, "remote", r.RemoteAddr)
	}
	return auth.Principal{}, false
}

// combined is the answer of several authenticators that failed.
type combined struct {
	headers, bodies []string
	failure         error
}

func (c *combined) add(scheme string, err error, named bool) {
	challenge, ok := errors.AsType[*Challenge](err)
	if !ok {
		c.failure = errors.Join(c.failure, err)
		return
	}
	c.headers = append(c.headers, challenge.Header)
	body := cmp.Or(challenge.Body, plainBody)
	if named {
		body = `"` + scheme + "\" authenticator returned:\n" + body
	}
	c.bodies = append(c.bodies, body)
}

// answer asks for another attempt if any authenticator does; otherwise none of
// them could tell.
func (c *combined) answer(w http.ResponseWriter) {
	body := strings.Join(c.bodies, "\n\n")
	status := http.StatusUnauthorized
	if len(c.headers) == 0 {
		status, body = http.StatusServiceUnavailable, "Authentication is not possible at the moment"
	} else {
		w.Header().Set("WWW-Authenticate", strings.Join(c.headers, ","))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // an error means that the client is gone
}
