// Package typed adds protobuf messages to package libprocess: it sends them
// under their full name and hands incoming ones, decoded, to the function that
// is registered for that name.
//
//	mux := typed.NewMux()
//	typed.Handle(mux, func(ctx context.Context, from libprocess.PID, m *messages.PingSlaveMessage) error { … })
//	agent, err := node.Spawn(id, libprocess.HandlerFuncs{OnMessage: mux.Message})
//	err = typed.Send(agent, from, &messages.PongSlaveMessage{})
//
// It owns no connection and no goroutine.
package typed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// Errors of Mux.Message, to be tested with errors.Is.
var (
	// ErrUnknown: no function is registered for the message's name.
	ErrUnknown = errors.New("unknown message")
	// ErrMalformed: the body is not a message of that name, or lacks a
	// required field.
	ErrMalformed = errors.New("malformed message body")
)

// Mux maps names of messages to functions. Register everything before the
// first message arrives.
type Mux struct {
	handlers map[string]func(context.Context, libprocess.Message) error
}

// NewMux returns a Mux that knows no message.
func NewMux() *Mux {
	return &Mux{handlers: map[string]func(context.Context, libprocess.Message) error{}}
}

// message is a pointer to a generated message struct M.
type message[M any] interface {
	*M
	proto.Message
}

// Handle registers f for messages of type M under their full protobuf name. It
// panics if that name is taken: two handlers of one message are a mistake in
// the program, never in its input.
func Handle[M any, P message[M]](mux *Mux, f func(ctx context.Context, from libprocess.PID, m P) error) {
	HandleAs(mux, NameOf(P(new(M))), f)
}

// HandleAs is Handle under another name, for the few messages whose name on the
// wire is not that of their type.
func HandleAs[M any, P message[M]](mux *Mux, name string, f func(ctx context.Context, from libprocess.PID, m P) error) {
	if mux.handlers[name] != nil {
		panic("typed: two handlers for " + name)
	}
	mux.handlers[name] = func(ctx context.Context, raw libprocess.Message) error {
		m := P(new(M))
		if err := codec.Unmarshal(codec.Protobuf, raw.Body, m); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
		}
		return f(ctx, raw.From, m)
	}
}

// Message decodes a message and calls the function registered for it. It fits
// libprocess.HandlerFuncs.
func (mux *Mux) Message(ctx context.Context, m libprocess.Message) error {
	handle := mux.handlers[m.Name]
	if handle == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, m.Name)
	}
	return handle(ctx, m)
}

// Names returns the names that are registered, sorted.
func (mux *Mux) Names() []string { return slices.Sorted(maps.Keys(mux.handlers)) }

// NameOf returns the name under which m travels.
func NameOf(m proto.Message) string {
	return string(m.ProtoReflect().Descriptor().FullName())
}

// Send sends m from one process to another. On top of the errors of
// libprocess.Process.Send it fails if m lacks a required field.
func Send(from *libprocess.Process, to libprocess.PID, m proto.Message) error {
	body, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding %s for %s: %w", NameOf(m), to, err)
	}
	return from.Send(to, NameOf(m), body)
}
