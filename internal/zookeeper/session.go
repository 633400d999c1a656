package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-zookeeper/zk"
)

// DefaultTimeout is Mesos's --zk_session_timeout.
const DefaultTimeout = 10 * time.Second

// Errors of sessions, to be tested with errors.Is.
var (
	// ErrLost: the session is over. Its ephemeral nodes are gone, or will be.
	ErrLost = errors.New("ZooKeeper session lost")
	// ErrDenied: the credentials don't allow it.
	ErrDenied = errors.New("ZooKeeper denies it")
)

// Config says which ensemble, and how.
type Config struct {
	URL URL
	// Timeout is how long a session lives without a word; the ensemble may
	// grant another. Default DefaultTimeout.
	Timeout time.Duration
	Log     logr.Logger
}

// Session is one session with an ensemble. Its methods may be called from any
// goroutine.
type Session struct {
	conn *zk.Conn
	line *line
	acl  []zk.ACL
	log  logr.Logger

	ready    chan struct{} // closed when the ensemble has answered
	begun    sync.Once
	done     chan struct{}
	ending   sync.Once
	watching sync.WaitGroup

	mu     sync.Mutex
	reason error
}

// Open begins a session. It tries until ctx ends, each time looking up the
// servers' names, and fails otherwise only if the credentials are refused.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		s, err := open(ctx, cfg)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrDenied) {
			return s, err
		}
		cfg.Log.Info("ZooKeeper can't be reached", "severity", "warning", "url", cfg.URL.String(), "reason", err.Error())
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connecting to %s: %w", cfg.URL, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func open(ctx context.Context, cfg Config) (*Session, error) {
	s := &Session{
		line:  &line{limit: cfg.Timeout, heard: time.Now(), timeout: cfg.Timeout},
		acl:   zk.WorldACL(zk.PermAll),
		log:   cfg.Log,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	var err error
	s.conn, _, err = zk.Connect(cfg.URL.Servers, cfg.Timeout,
		zk.WithDialer(s.line.dial), zk.WithLogInfo(false), zk.WithLogger(s), zk.WithEventCallback(s.event))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", cfg.URL, err)
	}
	s.watching.Go(s.watch)
	if err := s.begin(ctx, cfg.URL.Credentials); err != nil {
		s.Close()
		return nil, fmt.Errorf("connecting to %s: %w", cfg.URL, err)
	}
	return s, nil
}

// begin waits for the ensemble's answer and shows the credentials.
func (s *Session) begin(ctx context.Context, credentials string) error {
	select {
	case <-s.ready:
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
	if credentials == "" {
		return nil
	}
	s.acl = append(zk.WorldACL(zk.PermRead), zk.AuthACL(zk.PermAll)...)
	return s.do(ctx, func() error { return s.conn.AddAuth("digest", []byte(credentials)) })
}

// event is called by the client's goroutine.
func (s *Session) event(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	switch e.State {
	case zk.StateHasSession:
		s.begun.Do(func() { close(s.ready) })
	case zk.StateExpired:
		s.end(fmt.Errorf("%w: expired", ErrLost))
	case zk.StateAuthFailed:
		s.end(fmt.Errorf("%w: %w: credentials are refused", ErrLost, ErrDenied))
	}
}

// watch ends the session when the ensemble must have ended it, whatever the
// client believes.
func (s *Session) watch() {
	for {
		silent, allowed := s.line.silence()
		if silent >= allowed {
			s.end(fmt.Errorf("%w: nothing heard of ZooKeeper for %v", ErrLost, silent.Round(time.Millisecond)))
			return
		}
		select {
		case <-s.done:
			return
		case <-time.After(min(allowed-silent, allowed/10) + time.Millisecond):
		}
	}
}

// end closes the connection, on which calls under way fail. Saying good-bye may
// take a while, or fail, and nobody waits for it.
func (s *Session) end(reason error) {
	s.ending.Do(func() {
		s.mu.Lock()
		s.reason = reason
		s.mu.Unlock()
		close(s.done)
		go s.conn.Close()
	})
}

// Close ends the session; its ephemeral nodes go with it.
func (s *Session) Close() {
	s.ending.Do(func() {
		s.mu.Lock()
		s.reason = fmt.Errorf("%w: closed", ErrLost)
		s.mu.Unlock()
		close(s.done)
		s.conn.Close()
	})
	s.watching.Wait()
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session is over; nil if it isn't.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// Printf implements zk.Logger.
func (s *Session) Printf(format string, args ...any) {
	s.log.V(1).Info("ZooKeeper client: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// do makes a call that ends with ctx and with the session. What the call was to
// change may or may not be changed then.
func (s *Session) do(ctx context.Context, call func() error) error {
	_, err := fetch(ctx, s, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// fetch is do with a result. A call that is given up goes on for a while, so it
// must not write to anything of its caller's.
func fetch[T any](ctx context.Context, s *Session, call func() (T, error)) (T, error) {
	type answer struct {
		result T
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		result, err := call()
		done <- answer{result, err}
	}()
	var none T
	select {
	case a := <-done:
		return a.result, s.explain(a.err)
	case <-s.done:
		return none, s.Err()
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// explain turns the client's errors into this package's, where it has its own.
func (s *Session) explain(err error) error {
	switch {
	case errors.Is(err, zk.ErrSessionExpired), errors.Is(err, zk.ErrClosing):
		if reason := s.Err(); reason != nil {
			return reason
		}
		return fmt.Errorf("%w: %w", ErrLost, err)
	case errors.Is(err, zk.ErrNoAuth), errors.Is(err, zk.ErrAuthFailed), errors.Is(err, zk.ErrInvalidACL):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// retryPause is between two attempts of a call that lost its connection.
const retryPause = 100 * time.Millisecond

// retry repeats a call that may be made twice until it doesn't fail for want of
// a connection.
func (s *Session) retry(ctx context.Context, call func() error) error {
	_, err := refetch(ctx, s, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// refetch is retry with a result; see fetch.
func refetch[T any](ctx context.Context, s *Session, call func() (T, error)) (T, error) {
	for {
		result, err := fetch(ctx, s, call)
		if !Unanswered(err) {
			return result, err
		}
		select {
		case <-s.done:
			return result, s.Err()
		case <-ctx.Done():
			return result, ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// Unanswered says that a call ended without an answer while its session goes
// on: what it was to change may or may not be changed.
func Unanswered(err error) bool {
	return errors.Is(err, zk.ErrConnectionClosed) || errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrSessionMoved)
}
