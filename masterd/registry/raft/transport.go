package raft

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	hraft "github.com/hashicorp/raft"
)

const (
	// maxPooledConnections is per peer: hashicorp/raft uses one for heartbeats
	// and one for entries, and a third while a snapshot travels.
	maxPooledConnections = 3
	// transportTimeout bounds one exchange with a peer.
	transportTimeout = 10 * time.Second
)

// stream is raft's way through the network. Unlike hashicorp/raft's own it
// advertises a name as it is, so that a peer whose IP address changes (a pod)
// is still found.
type stream struct {
	net.Listener
	advertised address
	dialer     net.Dialer
	tls        *tls.Config // of a client; nil: in the clear
}

// address is a "host:port" as a net.Addr.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

func listen(cfg Config) (*stream, error) {
	l, err := net.Listen("tcp", cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("listening for raft peers: %w", err)
	}
	s := &stream{Listener: l, advertised: address(cfg.Address)}
	if cfg.TLS == nil {
		return s, nil
	}
	certificates := &certificates{files: *cfg.TLS}
	server, client, err := certificates.configs()
	if err != nil {
		_ = l.Close() // the first error tells what happened
		return nil, err
	}
	s.Listener, s.tls = tls.NewListener(l, server), client
	return s, nil
}

// Addr is what peers connect to.
func (s *stream) Addr() net.Addr { return s.advertised }

// Dial implements hraft.StreamLayer.
func (s *stream) Dial(to hraft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	dialer := s.dialer
	dialer.Timeout = timeout
	if s.tls == nil {
		return dialer.Dial("tcp", string(to))
	}
	conn, err := tls.DialWithDialer(&dialer, "tcp", string(to), s.tls)
	if err != nil { // not a *tls.Conn that is nil
		return nil, err
	}
	return conn, nil
}
