package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Config says where the registry is.
type Config struct {
	// URL is the one of the masters' group; the registry is below its path.
	URL zookeeper.URL
	// Timeout is that of sessions. Default zookeeper.DefaultTimeout.
	Timeout time.Duration
	Log     logr.Logger
}

// Store implements registry.Store.
type Store struct {
	cfg    zookeeper.Config
	root   string // the head's path
	log    logr.Logger
	closed chan struct{}
	once   sync.Once

	writing sync.Mutex // one call to ZooKeeper that writes at a time

	mu      sync.Mutex
	session *zookeeper.Session
	state   *registry.State // as far as this member knows
	term    *term           // the current one
}

var _ registry.Store = (*Store)(nil)

// Open returns the store; ZooKeeper is asked when this master is to lead.
func Open(cfg Config) *Store {
	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}
	return &Store{
		cfg:    zookeeper.Config{URL: cfg.URL, Timeout: cfg.Timeout, Log: cfg.Log},
		root:   cfg.URL.Join("log_replicas", "registry"),
		log:    cfg.Log,
		closed: make(chan struct{}),
		state:  registry.NewState(nil),
	}
}

func (s *Store) path(name string) string { return s.root + "/" + name }

// Snapshot implements registry.Store: a member that never led knows nothing.
func (s *Store) Snapshot() *registrypb.Registry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Snapshot()
}

// Close implements registry.Store.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.closed) })
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session != nil {
		session.Close()
	}
	return nil
}

// until is ctx that also ends with the store.
func (s *Store) until(ctx context.Context) (context.Context, context.CancelFunc, error) {
	select {
	case <-s.closed:
		return nil, nil, registry.ErrClosed
	default:
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.closed:
			cancel(registry.ErrClosed)
		case <-stop:
		}
	}()
	return ctx, func() { close(stop); cancel(nil) }, nil
}

// connect returns the session, a new one if the last is over.
func (s *Store) connect(ctx context.Context) (*zookeeper.Session, error) {
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session != nil && session.Err() == nil {
		return session, nil
	}
	session, err := zookeeper.Open(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = session
	return session, nil
}

// with makes calls that may be repeated, in a new session if the last is lost
// on the way.
func (s *Store) with(ctx context.Context, calls func(*zookeeper.Session) error) error {
	for {
		zs, err := s.connect(ctx)
		if err != nil {
			return err
		}
		if err = calls(zs); !errors.Is(err, zookeeper.ErrLost) || ctx.Err() != nil {
			return err
		}
	}
}

// load reads the registry and the version of its head.
func (s *Store) load(ctx context.Context, zs *zookeeper.Session) (h head, version int32, state *registry.State, err error) {
	for {
		data, version, err := zs.Get(ctx, s.root)
		if err != nil {
			return head{}, 0, nil, err
		}
		if h, err = decodeHead(data); err != nil {
			return head{}, 0, nil, err
		}
		state, err := s.loadParts(ctx, zs, h)
		if errors.Is(err, zookeeper.ErrNoNode) { // another leader replaced it meanwhile
			again, _, err := zs.Get(ctx, s.root)
			if err != nil {
				return head{}, 0, nil, err
			}
			if string(again) != string(data) {
				continue
			}
			return head{}, 0, nil, fmt.Errorf("%w: a part is missing", ErrDamaged)
		}
		return h, version, state, err
	}
}

func (s *Store) loadParts(ctx context.Context, zs *zookeeper.Session, h head) (*registry.State, error) {
	snapshot, err := s.read(ctx, zs, h.Snapshot, h.snapshotNode, "snapshot")
	if err != nil {
		return nil, err
	}
	log, err := s.read(ctx, zs, h.Log, h.logNode, "log")
	if err != nil {
		return nil, err
	}
	return restore(snapshot, log)
}

// Lead implements registry.Store.
func (s *Store) Lead(ctx context.Context, master *mesos.MasterInfo) (registry.Term, *registrypb.Registry, error) {
	ctx, cancel, err := s.until(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer cancel()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.setTerm(nil)
	t, state, err := s.lead(ctx, master)
	if err != nil {
		return nil, nil, s.explain(ctx, fmt.Errorf("taking the lead of the registry: %w", err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.term = state, t
	return t, state.Snapshot(), nil
}

func (s *Store) lead(ctx context.Context, master *mesos.MasterInfo) (*term, *registry.State, error) {
	for attempt := 1; ; attempt++ {
		t, state, err := s.takeLead(ctx, master)
		if errors.Is(err, registry.ErrNotLeader) && attempt < leadAttempts {
			continue
		}
		return t, state, err
	}
}

// leadAttempts bounds the attempts to take the lead from one that doesn't know
// yet that it has lost it and goes on writing.
const leadAttempts = 10

func (s *Store) takeLead(ctx context.Context, master *mesos.MasterInfo) (*term, *registry.State, error) {
	t := &term{store: s}
	var state *registry.State
	err := s.with(ctx, func(zs *zookeeper.Session) (err error) {
		if err := zs.Ensure(ctx, s.root); err != nil {
			return err
		}
		if err := zs.Sync(ctx, s.root); err != nil {
			return err
		}
		t.head, t.version, state, err = s.load(ctx, zs)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	state.SetMaster(master)
	if err := t.snapshot(ctx, state.Snapshot()); err != nil {
		return nil, nil, err
	}
	s.log.Info("took the lead of the registry", "path", s.root, "number", t.head.Number, "bytes", t.head.Snapshot.Bytes)
	return t, state, nil
}

func (s *Store) setTerm(t *term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = t
}

func (s *Store) current(t *term) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term == t
}

func (s *Store) apply(ops []op.Operation) []op.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Apply(ops)
}

// explain makes errors of the registry out of what a call failed with.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, registry.ErrNotLeader), errors.Is(err, ErrDamaged), errors.Is(err, zookeeper.ErrDenied):
		return err
	case errors.Is(context.Cause(ctx), registry.ErrClosed):
		return fmt.Errorf("%w: %w", registry.ErrClosed, err)
	case errors.Is(err, zookeeper.ErrLost):
		return fmt.Errorf("%w: %w: %w", registry.ErrUnknownFate, registry.ErrDeposed, err)
	}
	return fmt.Errorf("%w: %w", registry.ErrUnknownFate, err)
}

// random is a name or a mark that nobody else has.
func random() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }

// encodeSnapshot is the registry as bytes, the same on every member.
func encodeSnapshot(r *registrypb.Registry) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the registry: %w", err)
	}
	return data, nil
}
