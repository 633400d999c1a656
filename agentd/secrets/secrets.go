package secrets

import (
	"context"
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// Resolver returns the value of a secret. Its errors don't tell it.
type Resolver func(ctx context.Context, secret *mesos.Secret) ([]byte, error)

// Errors of all resolvers.
var (
	// ErrReference: references are not resolved here.
	ErrReference = errors.New("this agent resolves no references to secrets (--secret_resolver)")
	// ErrInvalid: a secret has neither a value nor a reference, or a name that none can have.
	ErrInvalid = errors.New("invalid secret")
	// ErrNotFound: there is no secret of that name, or nothing under that key.
	ErrNotFound = errors.New("secret not found")
)

// maxSize bounds a value, in bytes: what a Kubernetes Secret can hold.
const maxSize = 1 << 20

// Values resolves secrets that hold their value.
func Values(_ context.Context, s *mesos.Secret) ([]byte, error) {
	if s.GetReference() != nil || s.GetType() == mesos.Secret_REFERENCE {
		return nil, ErrReference
	}
	if s.GetValue() == nil {
		return nil, fmt.Errorf("%w: it has no value", ErrInvalid)
	}
	return s.GetValue().GetData(), nil
}

// maxName is how long a name of a Kubernetes Secret, or of an entry, may be.
const maxName = 253

// named says whether a name is one that a Kubernetes Secret and its entries can
// have, and a file anywhere. (Not a regular expression: that would be compiled by
// every executor when it begins.)
func named(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if digit := '0' <= c && c <= '9'; !letter && !digit && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// references makes a Resolver of what finds references.
func references(find func(ctx context.Context, name, key string) ([]byte, error)) Resolver {
	return func(ctx context.Context, s *mesos.Secret) ([]byte, error) {
		if s.GetType() != mesos.Secret_REFERENCE {
			return Values(ctx, s)
		}
		name, key := s.GetReference().GetName(), s.GetReference().GetKey()
		if !named(name) || s.GetReference().Key != nil && !named(key) {
			return nil, fmt.Errorf("%w: name %q, key %q", ErrInvalid, name, key)
		}
		value, err := find(ctx, name, key)
		if err != nil {
			return nil, fmt.Errorf("resolving secret %s: %w", describe(name, key), err)
		}
		if len(value) > maxSize {
			return nil, fmt.Errorf("resolving secret %s: it is larger than %d bytes", describe(name, key), maxSize)
		}
		return value, nil
	}
}

func describe(name, key string) string {
	if key == "" {
		return name
	}
	return name + "/" + key
}
