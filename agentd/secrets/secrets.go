package secrets

import (
	"context"
	"errors"
	"fmt"
	"regexp"

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

// names are those that a Kubernetes Secret and its entries can have, and a file
// anywhere.
var names = regexp.MustCompile(`^[A-Za-z0-9_][-A-Za-z0-9_.]{0,252}$`)

// references makes a Resolver of what finds references.
func references(find func(ctx context.Context, name, key string) ([]byte, error)) Resolver {
	return func(ctx context.Context, s *mesos.Secret) ([]byte, error) {
		if s.GetType() != mesos.Secret_REFERENCE {
			return Values(ctx, s)
		}
		name, key := s.GetReference().GetName(), s.GetReference().GetKey()
		if !names.MatchString(name) || s.GetReference().Key != nil && !names.MatchString(key) {
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
