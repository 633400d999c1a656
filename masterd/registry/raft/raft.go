package raft

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// Store implements registry.Store and election.Ensemble.
type Store struct {
	cfg     Config
	log     logr.Logger
	storage *storage
	fsm     *fsm
	raft    *hraft.Raft
	self    hraft.ServerID
	words   <-chan bool

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
		cfg: cfg, log: cfg.Log, storage: storage, fsm: newFSM(),
		closing: make(chan struct{}), snapshot: make(chan struct{}, 1),
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, storage.close())
	}
	s.work.Go(s.takeSnapshots)
	s.work.Go(s.keepGroup)
	return s, nil
}

func (s *Store) start() error {
	hc := s.cfg.raft()
	if err := s.storage.join(s.cfg, hc); err != nil {
		return err
	}
	var err error
	s.raft, err = hraft.NewRaft(hc, s.fsm, s.storage.logs, s.storage.bolt, s.storage.snapshots, s.storage.transport)
	if err != nil {
		return fmt.Errorf("starting raft: %w", err)
	}
	s.self, s.words = hc.LocalID, s.raft.LeaderCh()
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

// Leadership implements election.Ensemble: true when this member is elected,
// false when it is deposed.
func (s *Store) Leadership() <-chan bool { return s.words }

// Leader returns the master that leads as far as this member knows, or nil.
// Between its election and its first entry a new leader is not known yet.
func (s *Store) Leader() *mesos.MasterInfo {
	_, elected := s.raft.LeaderWithID()
	member, info := s.fsm.leader()
	if elected == "" || string(elected) != member {
		return nil
	}
	return info
}

// Resign passes the leadership on. It fails in a group of one.
func (s *Store) Resign() error {
	if err := s.raft.LeadershipTransfer().Error(); err != nil {
		return fmt.Errorf("passing on the leadership: %w", err)
	}
	return nil
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

// Close implements registry.Store.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		s.work.Wait()
		s.leaveInGoodOrder()
		s.closed = errors.Join(s.raft.Shutdown().Error(), s.storage.close())
	})
	return s.closed
}

// leaveInGoodOrder spares the others the wait for a leader that is gone.
func (s *Store) leaveInGoodOrder() {
	if len(s.cfg.Peers) < 2 || s.raft.State() != hraft.Leader {
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
	future := s.raft.Apply(data, enqueueTimeout)
	done := make(chan error, 1)
	go func() { done <- future.Error() }()
	select {
	case <-ctx.Done():
		return 0, applied{}, fmt.Errorf("%w: %w", registry.ErrUnknownFate, ctx.Err())
	case err := <-done:
		if err != nil {
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
	if errors.Is(err, hraft.ErrNotLeader) {
		return fmt.Errorf("%w: %w", registry.ErrNotLeader, err)
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
