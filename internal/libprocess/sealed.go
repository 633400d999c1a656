package libprocess

import (
	"crypto/tls"
	"net"
	"sync"
	"syscall"
)

// Sealed is a TLS connection that can encrypt without sending. So who writes much
// can do both in a turn that doesn't wait for the client, which tls.Conn does with
// its lock held: Seal, and then write what is Pending to RawConn.
type Sealed struct {
	*tls.Conn
	below *held
}

// serverSealed is tls.Server.
func serverSealed(conn net.Conn, cfg *tls.Config) *Sealed {
	below := &held{Conn: conn}
	return &Sealed{Conn: tls.Server(below, cfg), below: below}
}

// Seal encrypts bytes and holds them back, and whatever TLS itself has to say
// after them, until all is Sent. It doesn't wait: if something is being written at
// this moment it returns false. See Wait. After an error the connection is of no
// use.
func (s *Sealed) Seal(b []byte) (bool, error) {
	if !s.below.hold() {
		return false, nil
	}
	_, err := s.Write(b)
	return true, err
}

// Wait waits until what made Seal return false is written.
func (s *Sealed) Wait() {
	s.below.mu.Lock()
	defer s.below.mu.Unlock()
}

// Pending returns what is held back and not sent yet.
func (s *Sealed) Pending() []byte { return s.below.pending() }

// Sent says that the first bytes of what is pending are sent. Once there are no
// more, nothing is held back any longer.
func (s *Sealed) Sent(n int) { s.below.gone(n) }

// RawConn is the connection below, nil if it is none of the system's. Only
// what is Pending may be written to it.
func (s *Sealed) RawConn() syscall.RawConn {
	c, ok := s.below.Conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// sealedBytes has what is sealed at one time. A connection that sends nothing
// needs none.
var sealedBytes = sync.Pool{New: func() any { return new([]byte) }}

// held is the connection below TLS.
type held struct {
	net.Conn

	// mu is held while something is written, so that whoever has seen it free
	// and set on knows that TLS holds its own lock for moments only.
	mu   sync.Mutex
	on   bool
	text *[]byte // while on
	sent int     // of text
}

func (h *held) hold() bool {
	if !h.mu.TryLock() {
		return false
	}
	defer h.mu.Unlock()
	if !h.on {
		h.on, h.text, h.sent = true, sealedBytes.Get().(*[]byte), 0
	}
	return true
}

// Write implements net.Conn.
func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return h.Conn.Write(b)
	}
	*h.text = append(*h.text, b...)
	return len(b), nil
}

func (h *held) pending() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on {
		return nil
	}
	return (*h.text)[h.sent:]
}

func (h *held) gone(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sent += n; !h.on || h.sent < len(*h.text) {
		return
	}
	*h.text = (*h.text)[:0]
	sealedBytes.Put(h.text)
	h.on, h.text = false, nil
}
