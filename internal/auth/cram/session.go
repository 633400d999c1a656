package cram

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// session is one exchange with one client.
type session struct {
	owner        *Authenticator
	from, client libprocess.PID // who talks, and who is to be authenticated
	process      *libprocess.Process
	timer        *time.Timer

	mu        sync.Mutex
	challenge string // "" until there is one
	over      bool
}

func (s *session) spawn() error {
	mux := typed.NewMux()
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, m *messages.AuthenticationStartMessage) error {
		return s.started(from, m)
	})
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, m *messages.AuthenticationStepMessage) error {
		return s.stepped(from, m)
	})
	node := s.owner.cfg.Node
	var err error
	s.process, err = node.Spawn(node.NumberedID("crammd5-authenticator-session"), libprocess.HandlerFuncs{
		OnMessage: mux.Message,
		OnExited:  func(context.Context, libprocess.PID) { s.fail("the client is gone", "") },
	})
	if err != nil {
		return err
	}
	s.timer = time.AfterFunc(s.owner.cfg.Timeout, func() { s.fail("it took too long", "") })
	return nil
}

func (s *session) send(m proto.Message) error { return typed.Send(s.process, s.from, m) }

// end stops the exchange without a word: its client began another one, or the
// master's term is over.
func (s *session) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.timer.Stop()
	s.process.Terminate()
}

// fail ends the exchange; the client is told unless text is "".
func (s *session) fail(reason, text string) {
	if !s.close() {
		return
	}
	s.owner.finished(s, "")
	s.owner.cfg.Log.Info("authentication ended", "client", s.client.String(), "reason", reason)
	if text != "" {
		s.tell(&messages.AuthenticationErrorMessage{Error: &text})
	}
	s.end()
}

// close is true for the first who wants to end the exchange.
func (s *session) close() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.over
	s.over = true
	return first
}

func (s *session) tell(m proto.Message) {
	if err := s.send(m); err != nil {
		s.owner.cfg.Log.V(1).Info("result of an authentication lost", "client", s.client.String(), "reason", err.Error())
	}
}

// started answers the choice of a mechanism with a challenge.
func (s *session) started(from libprocess.PID, m *messages.AuthenticationStartMessage) error {
	s.mu.Lock()
	unexpected := s.challenge != "" || s.over || from != s.from
	fits := m.GetMechanism() == Mechanism && len(m.GetData()) == 0
	if !unexpected && fits {
		s.challenge = newChallenge(s.owner.cfg.Node.Address().Host, time.Now())
	}
	challenge := s.challenge
	s.mu.Unlock()
	switch {
	case unexpected:
		s.unexpected(from, "Unexpected authentication 'start' received")
	case m.GetMechanism() != Mechanism:
		s.fail("an unknown mechanism", "no mechanism available: only "+Mechanism+" is")
	case !fits:
		s.fail("a first response", Mechanism+" does not accept a first response")
	default:
		return s.send(&messages.AuthenticationStepMessage{Data: []byte(challenge)})
	}
	return nil
}

// unexpected ends the exchange if it was its own client who is confused.
func (s *session) unexpected(from libprocess.PID, text string) {
	if from == s.from {
		s.fail("an unexpected message", text)
	}
}

// stepped checks the response.
func (s *session) stepped(from libprocess.PID, m *messages.AuthenticationStepMessage) error {
	s.mu.Lock()
	challenge, over := s.challenge, s.over
	s.mu.Unlock()
	if challenge == "" || over || from != s.from {
		s.unexpected(from, "Unexpected authentication 'step' received")
		return nil
	}
	principal, ok, err := verify(s.owner.cfg.Credentials, challenge, m.GetData())
	if err != nil {
		s.fail(err.Error(), err.Error())
		return nil
	}
	s.conclude(principal, ok)
	return nil
}

func (s *session) conclude(principal string, ok bool) {
	if !s.close() {
		return
	}
	log := s.owner.cfg.Log.WithValues("client", s.client.String())
	if !ok {
		s.owner.finished(s, "")
		log.Info("authentication failed: invalid credentials")
		s.tell(&messages.AuthenticationFailedMessage{})
	} else if s.owner.finished(s, principal) {
		log.Info("authenticated", "principal", principal)
		s.tell(&messages.AuthenticationCompletedMessage{})
	}
	s.end()
}
