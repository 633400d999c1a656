package libprocess

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-logr/logr"
)

// Config holds the settings of a Node. The zero value of every field but
// Address stands for its default.
type Config struct {
	// Address is what peers connect to, and the second half of every PID of
	// the node: --advertise_ip and --advertise_port if given, else where it
	// listens. Required.
	Address Address

	// Main is the ID of the process for whose sake peers connect, such as
	// "master". While it isn't there, a connection that brings a message for it
	// is closed, so that whoever linked to it learns that it is gone, also if
	// the link was made too late. Default: connections stay open.
	Main string

	// Dial opens a connection to "host:port". Default: a net.Dialer with TCP
	// keep-alive, so that a link notices a peer that vanished.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialTimeout bounds Dial and the TLS handshake. Default 10 s.
	DialTimeout time.Duration
	// WriteTimeout is how long a peer may accept no byte before the connection
	// to it is given up. Default 2 min: above the 75 s after which a master
	// gives up an agent that doesn't answer pings.
	WriteTimeout time.Duration
	// IdleTimeout closes a connection over which nothing was sent and to which
	// nobody is linked. Default 1 min.
	IdleTimeout time.Duration
	// MaxQueuedMessages and MaxQueuedBytes bound what waits for one peer.
	// Exceeding one breaks the connection (ErrOverflow), because a later
	// message must not arrive when an earlier one was dropped. Defaults
	// 65,536 and 256 MiB: Mesos itself has no bound.
	MaxQueuedMessages int
	MaxQueuedBytes    int

	// MaxConnections bounds incoming connections, HTTP ones included; more are
	// closed at once. Default 100,000: a master has two per agent.
	MaxConnections int
	// MaxHeaderBytes bounds request line and headers. Default 32 KiB.
	MaxHeaderBytes int
	// MaxMessageBytes bounds one body. Default 256 MiB: an agent reregisters
	// with all its tasks in one message.
	MaxMessageBytes int
	// MaxReceivingBytes bounds the bodies that are being received at one time
	// on all connections; over it the connection that wants more is closed.
	// Default 1 GiB.
	MaxReceivingBytes int64
	// ReceiveTimeout is how long a peer may pause inside a message. Between
	// messages it may pause for ever: that is what a link is. Default 30 s.
	ReceiveTimeout time.Duration

	// ClientTLS makes the settings for a connection to a host; ServerTLS is for incoming
	// ones; nil means plain TCP.
	ClientTLS func(host string) *tls.Config
	ServerTLS *tls.Config
	// AllowPlain lets incoming connections without TLS in although ServerTLS
	// is set (Mesos's LIBPROCESS_SSL_SUPPORT_DOWNGRADE).
	AllowPlain bool

	// RequirePeerIPMatch refuses messages whose sender's PID has another IP
	// address than the connection they come over
	// (LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH).
	RequirePeerIPMatch bool
	// Admit, if set, is asked about every message from outside before its
	// process is; an error drops the message. Authentication hooks in here:
	// its own messages are ordinary ones for a process that it spawned.
	Admit func(m Message) error

	// Log gets connection failures at V(1) and drops at V(0).
	Log logr.Logger
}

// withDefaults returns a copy with every unset field set.
func (c Config) withDefaults() Config {
	if c.Dial == nil {
		dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4,
		}}
		c.Dial = dialer.DialContext
	}
	setDefault(&c.DialTimeout, 10*time.Second)
	setDefault(&c.WriteTimeout, 2*time.Minute)
	setDefault(&c.IdleTimeout, time.Minute)
	setDefault(&c.MaxQueuedMessages, 1<<16)
	setDefault(&c.MaxQueuedBytes, 256<<20)
	setDefault(&c.MaxConnections, 100_000)
	setDefault(&c.MaxHeaderBytes, 32<<10)
	setDefault(&c.MaxMessageBytes, 256<<20)
	setDefault(&c.MaxReceivingBytes, 1<<30)
	setDefault(&c.ReceiveTimeout, 30*time.Second)
	if c.Log.GetSink() == nil {
		c.Log = logr.Discard()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	var errs []error
	if c.Address.Host == "" || c.Address.Port == 0 {
		errs = append(errs, errors.New("no address to be reached at"))
	}
	if ip, ok := c.Address.IP(); ok && ip.IsUnspecified() {
		errs = append(errs, fmt.Errorf("%s is no address that peers could connect to", ip))
	}
	for _, bound := range []struct {
		name string
		n    int64
	}{
		{"dial timeout", int64(c.DialTimeout)},
		{"write timeout", int64(c.WriteTimeout)},
		{"idle timeout", int64(c.IdleTimeout)},
		{"receive timeout", int64(c.ReceiveTimeout)},
		{"bound of queued messages", int64(c.MaxQueuedMessages)},
		{"bound of queued bytes", int64(c.MaxQueuedBytes)},
		{"bound of connections", int64(c.MaxConnections)},
		{"bound of header bytes", int64(c.MaxHeaderBytes)},
		{"bound of message bytes", int64(c.MaxMessageBytes)},
		{"bound of receiving bytes", c.MaxReceivingBytes},
	} {
		if bound.n < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", bound.name))
		}
	}
	return errors.Join(errs...)
}
