package op

import (
	"errors"
	"fmt"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
)

// Errors of operations that don't fit the registry. They leave it unchanged.
var (
	// ErrAdmitted means that an agent of this ID is known already, admitted or
	// unreachable.
	ErrAdmitted = errors.New("agent is already admitted")
	// ErrUnknownAgent means that the registry doesn't list the agent where
	// the operation expects it.
	ErrUnknownAgent = errors.New("agent is not in the registry")
	// ErrGone means that the agent is gone: it is never admitted again.
	ErrGone = errors.New("agent is gone")
	// ErrNotDraining means that the agent is not being drained.
	ErrNotDraining = errors.New("agent is not draining")
)

// Operation is one change of the registry. It must not be changed once it was
// handed out.
type Operation interface {
	// apply changes the registry and says whether it did. On error it has
	// changed nothing.
	apply(b *book) (mutated bool, err error)
	// code and body are the operation's encoding.
	code() byte
	body() message
}

// Result is what became of an operation.
type Result struct {
	// Mutated says whether the registry changed. An operation that found
	// everything as it wanted it is no error.
	Mutated bool
	// Err is set when the operation does not fit the registry; it wraps one
	// of this package's errors.
	Err error
}

// Apply applies operations in order. One that fails does not keep the others
// from being applied. There is one result per operation.
func Apply(r *registry.Registry, ix *Index, ops []Operation) []Result {
	b := &book{r: r, ix: ix}
	results := make([]Result, len(ops))
	for i, o := range ops {
		mutated, err := o.apply(b)
		if err != nil {
			err = fmt.Errorf("%s: %w", Name(o), err)
		}
		results[i] = Result{Mutated: mutated, Err: err}
	}
	b.settle()
	return results
}

// Name returns the operation's name for logs and metrics, "admit-agent".
func Name(o Operation) string {
	if int(o.code()) < len(names) {
		return names[o.code()]
	}
	return "unknown"
}
