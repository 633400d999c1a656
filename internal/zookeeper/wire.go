package zookeeper

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// line is what a session knows of its connections: when the ensemble was last
// heard, and what timeout it granted.
type line struct {
	limit time.Duration // of a read; a server that hangs is left

	mu      sync.Mutex
	heard   time.Time
	timeout time.Duration
}

// dial is a zk.Dialer.
func (l *line) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, err
	}
	return &wire{Conn: conn, line: l}, nil
}

// silence is for how long nothing was heard, and how long that may be.
func (l *line) silence() (silent, allowed time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.heard), l.timeout
}

func (l *line) hear(granted time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
	if granted > 0 {
		l.timeout = granted
	}
}

// handshake is the part of the server's first packet that says which timeout it
// grants: length, protocol version and timeout in milliseconds, 4 bytes each.
const handshake = 12

// wire is a connection that listens in.
type wire struct {
	net.Conn
	line  *line
	first []byte // of what the server said
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	var granted time.Duration
	if missing := handshake - len(w.first); missing > 0 {
		w.first = append(w.first, p[:min(missing, n)]...)
		if len(w.first) == handshake {
			granted = time.Duration(binary.BigEndian.Uint32(w.first[8:])) * time.Millisecond
		}
	}
	w.line.hear(granted)
	return n, err
}

// SetReadDeadline implements net.Conn. The client would wait for the answer to
// its handshake for minutes.
func (w *wire) SetReadDeadline(t time.Time) error {
	if latest := time.Now().Add(w.line.limit); t.After(latest) {
		t = latest
	}
	return w.Conn.SetReadDeadline(t)
}
