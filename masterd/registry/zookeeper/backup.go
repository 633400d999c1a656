package zookeeper

import (
	"context"
	"errors"
	"fmt"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
)

// ErrNotEmpty says that there is a registry where one was to be put.
var ErrNotEmpty = errors.New("there is a registry already")

// ErrEmpty says that there is no registry.
var ErrEmpty = errors.New("there is no registry")

// Export reads the registry, whether or not a master leads.
func (s *Store) Export(ctx context.Context) (*registrypb.Registry, error) {
	var state *registry.State
	err := s.with(ctx, func(zs *zookeeper.Session) error {
		if err := zs.Sync(ctx, "/"); err != nil {
			return err
		}
		h, _, loaded, err := s.load(ctx, zs)
		if errors.Is(err, zookeeper.ErrNoNode) || err == nil && h.Number == 0 {
			return fmt.Errorf("%w at %s", ErrEmpty, s.root)
		}
		state = loaded
		return err
	})
	if err != nil {
		return nil, err
	}
	return state.Snapshot(), nil
}

// Import puts a registry where there is none.
func (s *Store) Import(ctx context.Context, r *registrypb.Registry) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	t := &term{store: s}
	err := s.with(ctx, func(zs *zookeeper.Session) (err error) {
		if err := zs.Ensure(ctx, s.root); err != nil {
			return err
		}
		t.head, t.version, _, err = s.load(ctx, zs)
		return err
	})
	if err != nil {
		return err
	}
	if t.head.Number != 0 {
		return fmt.Errorf("%w at %s", ErrNotEmpty, s.root)
	}
	r = registry.NewState(r).Snapshot()
	r.Master = nil
	return t.snapshot(ctx, r)
}
