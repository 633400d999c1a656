// Package registry is the durable memory of the masters: agents admitted,
// unreachable and gone, quotas, weights, maintenance. What a leader wrote here,
// every later leader knows.
//
// A Store keeps it; registry/memory and registry/raft are the
// implementations, and registry/storetest is the suite that both pass. A
// Writer turns the many small writes of a busy master into few. The engine of
// masterd is the only user; what operations there are and what they do is
// registry/op's business.
package registry

import (
	"context"
	"errors"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Errors of a Store and its Terms, to be tested with errors.Is.
var (
	// ErrNotLeader: another master leads, or none. Nothing was written.
	ErrNotLeader = errors.New("not the leader of the registry")
	// ErrUnknownFate: what was to be written may or may not be there. Its
	// author must stop leading; whoever leads next finds out.
	ErrUnknownFate = errors.New("fate of the registry write is unknown")
	// ErrDeposed goes with ErrUnknownFate when another master leads, or may:
	// the write failed by that, and not by a fault of this store.
	ErrDeposed = errors.New("the leadership of the registry was lost meanwhile")
	// ErrClosed: the store is closed. Nothing was written.
	ErrClosed = errors.New("registry closed")
)

// Store keeps one registry. All methods may be called from any goroutine.
//
// A master that was elected takes the lead and then writes, one call at a time
// or several at once:
//
//	term, reg, err := store.Lead(ctx, self)
//	results, err := term.Apply(ctx, []op.Operation{op.AdmitAgent{Info: agent}})
//
// Taking the lead ends every earlier term, of this and of every other member:
// a leader that was deposed and doesn't know it can't write any more.
type Store interface {
	// Lead begins a term and makes this master the one that the registry
	// names. It returns the registry with every operation that was ever
	// reported as durable, and nothing can be added to it but by the new
	// term. Its messages are shared: they must not be changed.
	//
	// The error wraps ErrNotLeader if the other members don't agree.
	Lead(ctx context.Context, master *mesos.MasterInfo) (Term, *registry.Registry, error)

	// Snapshot returns the registry as this member knows it, which may be out
	// of date. It must not be changed.
	Snapshot() *registry.Registry

	// Close releases files and connections. Calls under way fail.
	Close() error
}

// Term is the right of one leader to write.
type Term interface {
	// Apply performs operations in order, as one write: a crash keeps all or
	// none. When it returns without error they survive a crash of any
	// minority of the members, or of all. There is one result per operation;
	// one that did not fit says so there and doesn't touch the others.
	//
	// The error wraps ErrNotLeader or ErrClosed if nothing was written, and
	// ErrUnknownFate if that is not known, for instance because ctx ended.
	Apply(ctx context.Context, operations []op.Operation) ([]op.Result, error)
}
