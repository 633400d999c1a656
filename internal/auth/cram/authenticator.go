package cram

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// Config are the settings of an Authenticator.
type Config struct {
	// Node is where its processes are spawned. Required.
	Node *libprocess.Node
	// Credentials are those that are accepted; nil accepts nobody.
	Credentials *auth.Credentials
	// Timeout bounds one exchange (--authentication_v0_timeout). Default 15 s.
	Timeout time.Duration
	// MaxSessions bounds the exchanges that are under way. Default 65,536:
	// after a change of leader all agents come at once.
	MaxSessions int
	Log         logr.Logger
}

// Authenticator is the master's side. All methods may be called from any
// goroutine.
type Authenticator struct {
	cfg     Config
	process *libprocess.Process // watches the nodes of who authenticated

	mu         sync.Mutex
	closed     bool
	sessions   map[libprocess.PID]*session // by the client that is to be authenticated
	principals map[libprocess.PID]string
}

// New returns an authenticator, which Close ends.
func New(cfg Config) (*Authenticator, error) {
	if cfg.Node == nil {
		return nil, errors.New("CRAM-MD5 settings: no node")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Second
	}
	if cfg.MaxSessions == 0 {
		cfg.MaxSessions = 1 << 16
	}
	if cfg.Log.GetSink() == nil {
		cfg.Log = logr.Discard()
	}
	a := &Authenticator{cfg: cfg, sessions: map[libprocess.PID]*session{}, principals: map[libprocess.PID]string{}}
	var err error
	a.process, err = cfg.Node.Spawn(cfg.Node.NumberedID("crammd5-authenticator"), libprocess.HandlerFuncs{OnExited: a.exited})
	if err != nil {
		return nil, fmt.Errorf("authenticator: %w", err)
	}
	return a, nil
}

// Close ends all exchanges and forgets who authenticated.
func (a *Authenticator) Close() {
	a.mu.Lock()
	a.closed = true
	sessions := a.sessions
	a.sessions, a.principals = map[libprocess.PID]*session{}, map[libprocess.PID]string{}
	a.mu.Unlock()
	for _, s := range sessions {
		s.end()
	}
	a.process.Terminate()
}

// Principal returns who authenticated at a PID, "" if nobody did.
func (a *Authenticator) Principal(pid libprocess.PID) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.principals[pid]
}

// exited forgets a client whose node is gone: what connects from there next has
// to authenticate again.
func (a *Authenticator) exited(_ context.Context, pid libprocess.PID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.principals, pid)
}

// Begin is for AuthenticateMessage: a client wants the process it names to be
// authenticated. That ends what was known of the process, and an exchange that
// is under way for it.
func (a *Authenticator) Begin(from libprocess.PID, m *messages.AuthenticateMessage) error {
	client, err := libprocess.ParsePID(m.GetPid())
	if err != nil {
		return fmt.Errorf("authenticating %q: %w", m.GetPid(), err)
	}
	if client.Address != from.Address {
		a.refuse(from, "a process can be authenticated from its own node only")
		return fmt.Errorf("authenticating %s: asked for by %s, which is another node", client, from)
	}
	s, err := a.begin(from, client)
	if err != nil {
		a.refuse(from, err.Error())
		return fmt.Errorf("authenticating %s: %w", client, err)
	}
	// A new connection: the last one may have broken without either side
	// knowing, and its end would count against this exchange.
	if err := s.process.Link(from, libprocess.Reconnect); err != nil {
		s.end()
		return fmt.Errorf("authenticating %s: %w", client, err)
	}
	a.cfg.Log.V(1).Info("authenticating", "client", client.String())
	return s.send(&messages.AuthenticationMechanismsMessage{Mechanisms: []string{Mechanism}})
}

func (a *Authenticator) refuse(to libprocess.PID, text string) {
	m := &messages.AuthenticationErrorMessage{Error: &text}
	if err := typed.Send(a.process, to, m); err != nil {
		a.cfg.Log.V(1).Info("refusal of an authentication lost", "to", to.String(), "reason", err.Error())
	}
}

var errTooMany = errors.New("too many authentications are under way")

// begin makes the session of a client in place of an earlier one.
func (a *Authenticator) begin(from, client libprocess.PID) (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.principals, client)
	a.process.Unlink(client)
	if old := a.sessions[client]; old != nil {
		delete(a.sessions, client)
		defer old.end()
	}
	if a.closed {
		return nil, libprocess.ErrClosed
	}
	if len(a.sessions) >= a.cfg.MaxSessions {
		return nil, errTooMany
	}
	s := &session{owner: a, from: from, client: client}
	if err := s.spawn(); err != nil {
		return nil, err
	}
	a.sessions[client] = s
	return s, nil
}

// finished takes a session's result, unless it was replaced meanwhile. principal
// is "" if nobody authenticated.
func (a *Authenticator) finished(s *session, principal string) (current bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions[s.client] != s {
		return false
	}
	delete(a.sessions, s.client)
	if principal == "" {
		return true
	}
	a.principals[s.client] = principal
	if err := a.process.Link(s.client, libprocess.Reuse); err != nil {
		delete(a.principals, s.client)
		return false
	}
	return true
}
