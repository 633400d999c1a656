package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	hraft "github.com/hashicorp/raft"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// enqueueTimeout bounds the wait for raft to take an entry, which it does
// between two writes to its disk.
const enqueueTimeout = 30 * time.Second

// trailingLogs is how many entries stay behind a snapshot for followers that
// are a little late; one that is later gets the snapshot.
const trailingLogs = 1024

// closeTimeout bounds the wait for the last writes.
const closeTimeout = 10 * time.Second

// Store implements registry.Store and election.Ensemble.
type Store struct {
	cfg     Config
	log     logr.Logger
	storage *storage
	fsm     *fsm
	raft    *hraft.Raft
	self    hraft.ServerID
	words   chan bool // latest word on the leadership
	listed  atomic.Int32

	closing  chan struct{}
	snapshot chan struct{} // a token asks for a snapshot
	work     sync.WaitGroup
	once     sync.Once
	closed   error
}

var _ registry.Store = (*Store)(nil)

// Open starts this member. It takes part in elections at once.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("raft settings: %w", err)
	}
	cfg = cfg.withDefaults()
	storage, err := openStorage(cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Log, storage: storage, fsm: newFSM(), words: make(chan bool, 1),
		closing: make(chan struct{}), snapshot: make(chan struct{}, 1),
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, storage.close())
	}
	s.work.Go(s.takeSnapshots)
	s.work.Go(s.keepGroup)
	s.work.Go(s.tellLeadership)
	return s, nil
}

func (s *Store) start() error {
	hc := s.cfg.raft()
	if err := s.storage.join(s.cfg, hc); err != nil {
		return err
	}
	var err error
	s.raft, err = hraft.NewRaft(hc, s.fsm, s.storage.logs, s.storage.disk, s.storage.snapshots, s.storage.transport)
	if err != nil {
		return fmt.Errorf("starting raft: %w", err)
	}
	s.self = hc.LocalID
	return nil
}

func (c Config) raft() *hraft.Config {
	hc := hraft.DefaultConfig()
	hc.HeartbeatTimeout = c.HeartbeatTimeout
	hc.ElectionTimeout = c.ElectionTimeout
	hc.LeaderLeaseTimeout = c.HeartbeatTimeout / 2
	hc.SnapshotThreshold = c.SnapshotEntries
	hc.TrailingLogs = trailingLogs
	hc.ShutdownOnRemove = false
	hc.NoLegacyTelemetry = true
	hc.Logger = newLogger(c.Log)
	return hc
}

// Lead implements registry.Store. The entry that it writes is applied only
// behind all earlier ones, so it is the barrier as well.
func (s *Store) Lead(ctx context.Context, master *mesos.MasterInfo) (registry.Term, *registrypb.Registry, error) {
	data, err := leadEntry{member: string(s.self), master: master}.encode()
	if err != nil {
		return nil, nil, err
	}
	index, answer, err := s.propose(ctx, data)
	if err != nil {
		return nil, nil, fmt.Errorf("taking the lead of the registry: %w", err)
	}
	return &term{store: s, began: index}, answer.registry, nil
}

// Snapshot implements registry.Store.
func (s *Store) Snapshot() *registrypb.Registry { return s.fsm.registry() }

// Close implements registry.Store. With a disk that hangs it gives up waiting
// for it, with an error.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		_ = bounded(closeTimeout, func() error { s.work.Wait(); return nil }) // then they hang on the disk
		s.leaveInGoodOrder()
		s.closed = bounded(closeTimeout, func() error {
			return errors.Join(s.raft.Shutdown().Error(), s.storage.close())
		})
	})
	return s.closed
}

// leaveInGoodOrder spares the others the wait for a leader that is gone.
func (s *Store) leaveInGoodOrder() {
	if s.raft.State() != hraft.Leader || s.Voters() < 2 {
		return
	}
	if err := s.Resign(); err != nil { // then they wait
		s.log.V(1).Info("leadership could not be passed on", "reason", err.Error())
	}
}

// term is the right to write since an index of the log.
type term struct {
	store *Store
	began uint64
}

// Apply implements registry.Term.
func (t *term) Apply(ctx context.Context, operations []op.Operation) ([]op.Result, error) {
	data, err := applyEntry{term: t.began, ops: operations}.encode()
	if err != nil {
		return nil, err
	}
	_, answer, err := t.store.propose(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("writing %d operations to the registry: %w", len(operations), err)
	}
	return answer.results, nil
}

// propose writes an entry and waits until it is applied.
func (s *Store) propose(ctx context.Context, data []byte) (uint64, applied, error) {
	select {
	case <-s.closing:
		return 0, applied{}, registry.ErrClosed
	default:
	}
	done := make(chan hraft.ApplyFuture, 1)
	go func() { // the wait for raft to take it is as long as its disk hangs
		future := s.raft.Apply(data, enqueueTimeout)
		_ = future.Error() // which waits; it is asked again below
		done <- future
	}()
	var future hraft.ApplyFuture
	select {
	case <-ctx.Done():
		return 0, applied{}, fmt.Errorf("%w: %w", registry.ErrUnknownFate, ctx.Err())
	case future = <-done:
		if err := future.Error(); err != nil {
			return 0, applied{}, fateOf(err)
		}
	}
	if s.fsm.grown(s.cfg.SnapshotBytes) {
		select {
		case s.snapshot <- struct{}{}:
		default:
		}
	}
	answer := future.Response().(applied)
	return future.Index(), answer, answer.err
}

func fateOf(err error) error {
	switch {
	case errors.Is(err, hraft.ErrNotLeader), errors.Is(err, hraft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w: %w", registry.ErrNotLeader, err)
	case errors.Is(err, hraft.ErrLeadershipLost):
		return fmt.Errorf("%w: %w: %w", registry.ErrUnknownFate, registry.ErrDeposed, err)
	}
	return fmt.Errorf("%w: %w", registry.ErrUnknownFate, err)
}

// takeSnapshots keeps the log short when its entries are large. When they are
// many, raft does.
func (s *Store) takeSnapshots() {
	for {
		select {
		case <-s.closing:
			return
		case <-s.snapshot:
		}
		if err := s.raft.Snapshot().Error(); err != nil && !errors.Is(err, hraft.ErrNothingNewToSnapshot) {
			s.log.Error(err, "taking a snapshot of the registry")
		}
	}
}
