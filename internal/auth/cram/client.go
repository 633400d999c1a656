package cram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// Errors of Authenticate, to be tested with errors.Is.
var (
	// ErrRefused: the master doesn't accept the credential. Another attempt
	// will end likewise.
	ErrRefused = errors.New("the master refused the credential")
	// ErrLost: the connection to the master broke.
	ErrLost = errors.New("the master is gone")
	// ErrExchange: the master can't or won't go on with the exchange.
	ErrExchange = errors.New("the exchange failed")
)

// Authenticate proves to a master that the process client of the node has a
// credential. It returns when the master has decided, or when ctx ends: a master
// that doesn't answer doesn't end it.
func Authenticate(
	ctx context.Context, node *libprocess.Node, master, client libprocess.PID, credential auth.Credential,
) error {
	if credential.Secret == "" {
		return fmt.Errorf("authenticating as %s: %w: it has no secret", credential.Principal, ErrRefused)
	}
	x := &exchange{credential: credential, master: master.Address, result: make(chan error, 1)}
	var err error
	x.process, err = node.Spawn(node.NumberedID("crammd5-authenticatee"), libprocess.HandlerFuncs{
		OnMessage: x.mux().Message,
		OnExited:  func(context.Context, libprocess.PID) { x.finish(ErrLost) },
	})
	if err != nil {
		return fmt.Errorf("authenticating: %w", err)
	}
	defer x.process.Terminate()
	if err := x.process.Link(master, libprocess.Reuse); err != nil {
		return fmt.Errorf("authenticating: %w", err)
	}
	if err := typed.Send(x.process, master, &messages.AuthenticateMessage{Pid: new(client.String())}); err != nil {
		return fmt.Errorf("authenticating: %w", err)
	}
	select {
	case err = <-x.result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("authenticating as %s with %s: %w", credential.Principal, master, err)
	}
	return nil
}

// exchange is one attempt of a client.
type exchange struct {
	credential auth.Credential
	master     libprocess.Address
	process    *libprocess.Process
	result     chan error

	mu     sync.Mutex
	stage  stage
	server libprocess.PID // that the exchange is with
}

type stage int

const (
	starting stage = iota
	stepping
	responded
)

func (x *exchange) finish(err error) {
	select {
	case x.result <- err:
	default: // there is a result already
	}
}

func (x *exchange) mux() *typed.Mux {
	mux := typed.NewMux()
	handle(x, mux, x.mechanisms)
	handle(x, mux, x.challenged)
	handle(x, mux, func(libprocess.PID, *messages.AuthenticationCompletedMessage) error {
		if x.stage != responded {
			return fmt.Errorf("%w: completed before it began", ErrExchange)
		}
		x.finish(nil)
		return nil
	})
	handle(x, mux, func(libprocess.PID, *messages.AuthenticationFailedMessage) error { return ErrRefused })
	handle(x, mux, func(_ libprocess.PID, m *messages.AuthenticationErrorMessage) error {
		return fmt.Errorf("%w: %.200q", ErrExchange, m.GetError())
	})
	return mux
}

// handle ends the exchange with the error of f. Messages that are not of the
// master's node don't count.
func handle[M any, P interface {
	*M
	proto.Message
}](x *exchange, mux *typed.Mux, f func(from libprocess.PID, m P) error) {
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, m P) error {
		if from.Address != x.master {
			return fmt.Errorf("%w: a message of %s, which is not the master", ErrExchange, from)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if err := f(from, m); err != nil {
			x.finish(err)
		}
		return nil
	})
}

func (x *exchange) mechanisms(from libprocess.PID, m *messages.AuthenticationMechanismsMessage) error {
	if x.stage != starting {
		return fmt.Errorf("%w: mechanisms came twice", ErrExchange)
	}
	if !slices.Contains(m.GetMechanisms(), Mechanism) {
		return fmt.Errorf("%w: the master wants one of %.200q, not %s", ErrExchange, m.GetMechanisms(), Mechanism)
	}
	x.stage, x.server = stepping, from
	return typed.Send(x.process, from, &messages.AuthenticationStartMessage{Mechanism: new(Mechanism), Data: []byte{}})
}

func (x *exchange) challenged(from libprocess.PID, m *messages.AuthenticationStepMessage) error {
	if x.stage != stepping || from != x.server {
		return fmt.Errorf("%w: unexpected challenge", ErrExchange)
	}
	x.stage = responded
	response := respond(x.credential.Principal, x.credential.Secret, string(m.GetData()))
	return typed.Send(x.process, from, &messages.AuthenticationStepMessage{Data: []byte(response)})
}
