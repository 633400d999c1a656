package raft

import (
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
	return &stream{Listener: l, advertised: address(cfg.Address)}, nil
}

// Addr is what peers connect to.
func (s *stream) Addr() net.Addr { return s.advertised }

// Dial implements hraft.StreamLayer.
func (s *stream) Dial(to hraft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	dialer := s.dialer
	dialer.Timeout = timeout
	return dialer.Dial("tcp", string(to))
}
