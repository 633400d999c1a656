package libprocess

import (
	"context"
	"errors"
	"net/netip"
)

// Message is one message as it travelled.
type Message struct {
	// Name is the full name of the protobuf message, for example
	// "mesos.internal.PingSlaveMessage"; the last segment of the path.
	Name string
	// From is the sender, as the sender says. Nothing vouches for it unless
	// Config.RequirePeerIPMatch or Config.Admit does.
	From PID
	// To is the process that it is for, on this node.
	To PID
	// Body is the serialized message. The receiver owns it.
	Body []byte
	// Remote is the other end of the connection that it came over; not valid
	// for a message from a process of the same node.
	Remote netip.AddrPort
}

// Errors of this package, to be tested with errors.Is.
var (
	// ErrBadMessage: bytes on a connection are not a libprocess message.
	ErrBadMessage = errors.New("malformed libprocess message")
	// ErrTooLarge: a message is over Config.MaxMessageBytes, or its headers
	// are over Config.MaxHeaderBytes.
	ErrTooLarge = errors.New("libprocess message too large")
	// ErrNoProcess: no process of that ID runs on this node.
	ErrNoProcess = errors.New("no such process")
	// ErrNotAdmitted: Config.RequirePeerIPMatch or Config.Admit refused a message.
	ErrNotAdmitted = errors.New("message not admitted")
	// ErrOverflow: more waits for a peer than Config.MaxQueuedMessages or
	// MaxQueuedBytes allow; the connection to it is given up.
	ErrOverflow = errors.New("too many messages wait for the peer")
	// ErrClosed: the node or the process is gone.
	ErrClosed = errors.New("libprocess closed")
	// ErrDuplicateID: a process of that ID runs already.
	ErrDuplicateID = errors.New("process ID in use")
)

// Handler receives what is for one process. Both methods may be called from
// several goroutines at once.
type Handler interface {
	// Message handles one message. Messages over one connection come one
	// after the other: the next is read when this returns, so a handler that
	// blocks holds up that peer and no other. The context ends with the node.
	// An error is logged; the sender doesn't learn of it.
	Message(ctx context.Context, m Message) error
	// Exited says that a link to pid broke, or could not be made. The link is
	// gone; whoever still wants it links again.
	Exited(ctx context.Context, pid PID)
}

// HandlerFuncs makes a Handler of functions; nil ones ignore the event.
type HandlerFuncs struct {
	OnMessage func(ctx context.Context, m Message) error
	OnExited  func(ctx context.Context, pid PID)
}

// Message implements Handler.
func (h HandlerFuncs) Message(ctx context.Context, m Message) error {
	if h.OnMessage == nil {
		return nil
	}
	return h.OnMessage(ctx, m)
}

// Exited implements Handler.
func (h HandlerFuncs) Exited(ctx context.Context, pid PID) {
	if h.OnExited != nil {
		h.OnExited(ctx, pid)
	}
}

// isMessageName keeps out what can't stand in a request line. Names are
// protobuf full names, or single words like PING in old versions of Mesos.
func isMessageName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
