package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/codec"
)

// Credential is a principal's name and secret. It prints without the secret.
type Credential struct {
	Principal string
	Secret    string
}

// String implements fmt.Stringer for logs.
func (c Credential) String() string { return c.Principal + " (secret not shown)" }

// GoString implements fmt.GoStringer, so that no verb prints the secret.
func (c Credential) GoString() string { return c.String() }

// ErrNoCredentials says that a file that should hold secrets holds none.
var ErrNoCredentials = errors.New("there is no credential in it")

// Credentials are the secrets that a daemon accepts; a nil *Credentials accepts
// nobody. They may be used by any goroutine.
type Credentials struct {
	secrets atomic.Pointer[map[string]string] // what it points to is immutable
}

// NewCredentials returns a set; of two credentials of one principal the last
// one counts.
func NewCredentials(all ...Credential) *Credentials {
	secrets := make(map[string]string, len(all))
	for _, one := range all {
		secrets[one.Principal] = one.Secret
	}
	c := &Credentials{}
	c.secrets.Store(&secrets)
	return c
}

// Replace has other's secrets accepted from now on, and none else. Who has
// authenticated stays who it is.
func (c *Credentials) Replace(other *Credentials) { c.secrets.Store(other.secrets.Load()) }

// ParseCredentials reads either form of --credentials: JSON of Credentials, or
// a line with principal and secret for each, as before Mesos 0.23.
func ParseCredentials(text []byte) (*Credentials, error) {
	var all []Credential
	var err error
	if isJSON(text) {
		all, err = parseJSON(text)
	} else {
		all, err = parseLines(text)
	}
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNoCredentials
	}
	return NewCredentials(all...), nil
}

// ParseCredential reads either form of --credential: JSON of Credential, or one
// line.
func ParseCredential(text []byte) (Credential, error) {
	if isJSON(text) {
		one := &mesos.Credential{}
		if err := codec.Unmarshal(codec.JSON, text, one); err != nil {
			return Credential{}, errMalformed(err)
		}
		return credentialOf(one)
	}
	all, err := parseLines(text)
	switch {
	case err != nil:
		return Credential{}, err
	case len(all) != 1:
		return Credential{}, fmt.Errorf("want one credential, not %d: %w", len(all), ErrNoCredentials)
	}
	return all[0], nil
}

func isJSON(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && text[0] == '{'
}

func parseJSON(text []byte) ([]Credential, error) {
	list := &mesos.Credentials{}
	if err := codec.Unmarshal(codec.JSON, text, list); err != nil {
		return nil, errMalformed(err)
	}
	var all []Credential
	for i, m := range list.Credentials {
		one, err := credentialOf(m)
		if err != nil {
			return nil, fmt.Errorf("credential %d: %w", i+1, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func credentialOf(m *mesos.Credential) (Credential, error) {
	if m.GetPrincipal() == "" {
		return Credential{}, errors.New("the principal is empty")
	}
	return Credential{Principal: m.GetPrincipal(), Secret: m.GetSecret()}, nil
}

// errMalformed keeps what was read out of the error, because it is secret.
func errMalformed(err error) error {
	if missing, ok := errors.AsType[*codec.MissingFieldsError](err); ok {
		return fmt.Errorf("malformed: %w", missing)
	}
	return errors.New("malformed JSON, or a field has the wrong type")
}

func parseLines(text []byte) ([]Credential, error) {
	var all []Credential
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		fields := strings.Fields(line)
		switch len(fields) {
		case 0:
		case 2:
			all = append(all, Credential{Principal: fields[0], Secret: fields[1]})
		default:
			return nil, fmt.Errorf("line %d: want a principal and a secret, not %d words", n, len(fields))
		}
	}
	return all, nil
}

// Check says whether a secret is that of a principal. How long it takes tells
// nothing about the secret, nor whether the principal exists.
func (c *Credentials) Check(principal, secret string) bool {
	want, known := c.Secret(principal)
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && known
}

// Secret returns the secret of a principal, for challenges that need it.
func (c *Credentials) Secret(principal string) (secret string, known bool) {
	if c == nil {
		return "", false
	}
	secret, known = (*c.secrets.Load())[principal]
	return secret, known
}

// Len returns the number of principals.
func (c *Credentials) Len() int {
	if c == nil {
		return 0
	}
	return len(*c.secrets.Load())
}
