package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// WithTimeout bounds each write of a term. One that takes longer fails with
// ErrUnknownFate, after which its author must not lead any more: it is how a
// leader gets rid of a store that hangs (--registry_store_timeout).
func WithTimeout(term Term, limit time.Duration) Term { return bounded{term, limit} }

type bounded struct {
	term  Term
	limit time.Duration
}

// Apply implements Term.
func (b bounded) Apply(ctx context.Context, operations []op.Operation) ([]op.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.limit, fmt.Errorf("not stored within %v", b.limit))
	defer cancel()
	results, err := b.term.Apply(ctx, operations)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w (%w)", err, cause)
	}
	return results, err
}
