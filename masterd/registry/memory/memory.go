// Package memory keeps the registry in the memory of the process, as mesos-master
// does with --registry=in_memory: a restart forgets it. It is for tests and for
// trying things out.
package memory

import (
	"context"
	"sync"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Store implements registry.Store.
type Store struct {
	mu     sync.Mutex
	state  *registry.State
	term   *term // the current one
	closed bool
}

var _ registry.Store = (*Store)(nil)

// New returns an empty registry.
func New() *Store { return &Store{state: registry.NewState(nil)} }

// Lead implements registry.Store.
func (s *Store) Lead(ctx context.Context, master *mesos.MasterInfo) (registry.Term, *registrypb.Registry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, registry.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.state.SetMaster(master)
	s.term = &term{store: s}
	return s.term, s.state.Snapshot(), nil
}

// Snapshot implements registry.Store.
func (s *Store) Snapshot() *registrypb.Registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Snapshot()
}

// Close implements registry.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

type term struct{ store *Store }

// Apply implements registry.Term.
func (t *term) Apply(_ context.Context, operations []op.Operation) ([]op.Result, error) {
	s := t.store
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, registry.ErrClosed
	case s.term != t:
		return nil, registry.ErrNotLeader
	}
	return s.state.Apply(operations), nil
}
