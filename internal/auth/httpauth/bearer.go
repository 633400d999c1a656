package httpauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/auth/token"
)

// Token accepts the tokens that a key signs; the principal has claims and no
// name.
func Token(realm string, key *token.Key) Authenticator { return &tokens{realm: realm, key: key} }

type tokens struct {
	realm string
	key   *token.Key
}

// Scheme implements Authenticator.
func (*tokens) Scheme() string { return "Bearer" }

// Authenticate implements Authenticator.
func (t *tokens) Authenticate(_ context.Context, r *http.Request) (auth.Principal, error) {
	text, err := bearer(r, t.realm)
	if err != nil {
		return auth.Principal{}, err
	}
	claims, err := t.key.Verify(text)
	if err != nil {
		return auth.Principal{}, invalid(t.realm, "Invalid JWT: "+err.Error())
	}
	return auth.Principal{Claims: claims}, nil
}

// bearer returns the token of a request, or the challenge for one that has
// none.
func bearer(r *http.Request, realm string) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		// RFC 6750, section 3.1: without credentials there is no error to tell.
		return "", &Challenge{Header: `Bearer realm="` + realm + `"`}
	}
	scheme, text, ok := strings.Cut(header, " ")
	if !ok || text == "" || strings.Contains(text, " ") {
		return "", invalid(realm, "Malformed 'Authorization' header")
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return "", invalid(realm, "Scheme '"+scheme+"' unsupported")
	}
	return text, nil
}

// invalid is the challenge for a token that isn't accepted.
func invalid(realm, why string) *Challenge {
	return &Challenge{Header: `Bearer realm="` + realm + `", error="invalid_token", error_description="` + quoted(why) + `"`}
}

// quoted keeps a text within a quoted string of a header. It may hold what the
// client sent.
func quoted(s string) string {
	const most = 200
	return strings.Map(func(c rune) rune {
		if c == '"' || c == '\\' || c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s[:min(len(s), most)])
}
