package httpauth

import (
	"context"
	"net/http"

	"github.com/mesos-operator/mesos-operator/internal/auth"
)

// Basic accepts principals with their secrets, as RFC 7617 has it.
func Basic(realm string, credentials *auth.Credentials) Authenticator {
	return &basic{realm: realm, credentials: credentials}
}

type basic struct {
	realm       string
	credentials *auth.Credentials
}

// Scheme implements Authenticator.
func (*basic) Scheme() string { return "Basic" }

// Authenticate implements Authenticator.
func (b *basic) Authenticate(_ context.Context, r *http.Request) (auth.Principal, error) {
	name, secret, ok := r.BasicAuth()
	if !ok || !b.credentials.Check(name, secret) {
		return auth.Principal{}, &Challenge{Header: `Basic realm="` + b.realm + `"`}
	}
	return auth.Principal{Name: name}, nil
}
