// Package token makes and checks the JSON web tokens by which executors prove to
// their agent who they are: signed with HMAC-SHA256 and the key of
// --jwt_secret_key, with the claims fid, eid and cid, as Mesos's agents make
// them.
//
// A Key may be used by any goroutine. agentd makes tokens when it launches
// executors; internal/auth/httpauth checks them.
package token

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// maxLength bounds a token: headers have 64 KiB altogether, and three IDs are
// far less.
const maxLength = 16 << 10

// Errors of Verify, to be tested with errors.Is.
var (
	// ErrInvalid: it is no token that this key signed, or its time is over.
	ErrInvalid = errors.New("invalid token")
	// ErrNoClaims: it says nothing about its bearer.
	ErrNoClaims = errors.New("claims missing")
)

// Key signs and checks tokens.
type Key struct {
	secret []byte
	parser *jwt.Parser
}

// NewKey returns a key. The secret must not be empty.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) == 0 {
		return nil, errors.New("the key is empty")
	}
	return &Key{
		secret: secret,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithJSONNumber()),
	}, nil
}

// Sign makes a token. Like Mesos's it has no end: it is worth something only
// while its container lives.
func (k *Key) Sign(claims map[string]string) (string, error) {
	all := jwt.MapClaims{}
	for name, value := range claims {
		all[name] = value
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString(k.secret)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// Executor makes the token of an executor's container.
func (k *Key) Executor(framework, executor, container string) (string, error) {
	return k.Sign(map[string]string{"fid": framework, "eid": executor, "cid": container})
}

// Verify returns what a token says. Claims that aren't strings are returned as
// JSON.
func (k *Key) Verify(text string) (map[string]string, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("%w: too long", ErrInvalid)
	}
	all := jwt.MapClaims{}
	if _, err := k.parser.ParseWithClaims(text, all, func(*jwt.Token) (any, error) { return k.secret, nil }); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, why(err))
	}
	if len(all) == 0 {
		return nil, ErrNoClaims
	}
	claims := make(map[string]string, len(all))
	for name, value := range all {
		if s, ok := value.(string); ok {
			claims[name] = s
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%w: claim %q", ErrInvalid, name)
		}
		claims[name] = string(text)
	}
	return claims, nil
}

// why is the kind of an error, without what the token held.
func why(err error) string {
	for _, kind := range []error{
		jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet,
		jwt.ErrTokenInvalidClaims,
	} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "it can't be checked"
}
