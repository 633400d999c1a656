package libprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// inbound is an incoming connection for as long as it carries messages.
type inbound struct {
	node   *Node
	raw    net.Conn // as accepted
	conn   net.Conn // raw, or TLS over it
	remote netip.AddrPort
	reader reader
	parser parser

	mu      sync.Mutex
	handed  bool // it belongs to the HTTP server
	aborted bool
}

// serve reads messages until the connection ends or turns out to speak HTTP;
// then it returns what the HTTP server is to go on with.
func (c *inbound) serve(ctx context.Context) (net.Conn, error) {
	if err := c.secure(ctx); err != nil {
		return nil, err
	}
	c.reader.limit = c.node.cfg.MaxHeaderBytes
	c.reader.src = &patient{conn: c.conn, timeout: c.node.cfg.ReceiveTimeout, reader: &c.reader}
	for {
		again, err := c.receive(ctx)
		if errors.Is(err, errNotMessage) {
			return c.hand()
		}
		if err != nil || !again || ctx.Err() != nil {
			return nil, err
		}
	}
}

// receive reads one message and has it handled. Until that is done the body
// counts as being received: handlers that are slow hold memory, too. again says
// whether another message may follow.
func (c *inbound) receive(ctx context.Context) (again bool, err error) {
	b := &body{limit: c.node.cfg.MaxMessageBytes, total: &c.node.receiving, maxTotal: c.node.cfg.MaxReceivingBytes}
	defer b.release()
	m, again, err := c.next(b)
	if err != nil {
		return false, err
	}
	if err := c.node.receive(ctx, m); err != nil {
		c.node.logDropped(m, err)
		again = again && (m.To.ID != c.node.cfg.Main || !errors.Is(err, ErrNoProcess))
	}
	return again, nil
}

// next reads one message, its body through b.
func (c *inbound) next(b *body) (m Message, again bool, err error) {
	block, err := c.reader.nextHead()
	if err != nil {
		return Message{}, false, err
	}
	h, err := c.parser.parse(block)
	if err != nil {
		return Message{}, false, err
	}
	c.reader.skip(len(block))
	if err := c.reader.body(h, b); err != nil {
		return Message{}, false, err
	}
	m = Message{
		Name: h.name, From: h.from, Body: b.bytes, Remote: c.remote,
		To: PID{ID: h.to, Address: c.node.cfg.Address},
	}
	return m, h.keepAlive, nil
}

// patient is the connection as reader reads it: it waits for ever for the first
// byte of a request, and not long for the others.
type patient struct {
	conn    net.Conn
	timeout time.Duration
	reader  *reader
	inside  bool // a deadline is set
}

func (p *patient) Read(b []byte) (int, error) {
	switch begun := p.reader.begun; {
	case begun:
		p.inside = true
		p.conn.SetReadDeadline(time.Now().Add(p.timeout))
	case p.inside:
		p.inside = false
		p.conn.SetReadDeadline(time.Time{})
	}
	return p.conn.Read(b)
}

// tlsHandshake is the first byte of a TLS connection: a handshake record.
const tlsHandshake = 0x16

// secure begins TLS, as far as the settings ask for it. The client's first byte
// is awaited without a deadline, as on plain connections.
func (c *inbound) secure(ctx context.Context) error {
	cfg := &c.node.cfg
	if cfg.ServerTLS == nil {
		return nil
	}
	var first [1]byte
	if _, err := io.ReadFull(c.conn, first[:]); err != nil {
		return err
	}
	plain := &prefixed{Conn: c.conn, prefix: first[:]}
	if first[0] != tlsHandshake {
		if !cfg.AllowPlain {
			return fmt.Errorf("%w: plain connection where TLS is required", ErrBadMessage)
		}
		c.conn = plain
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.ReceiveTimeout)
	defer cancel()
	secured := serverSealed(plain, cfg.ServerTLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.conn = secured
	return nil
}

// hand makes the connection the HTTP server's.
func (c *inbound) hand() (net.Conn, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aborted {
		return nil, net.ErrClosed
	}
	c.handed = true
	release := func() { c.node.release(c) }
	return &prefixed{Conn: c.conn, prefix: c.reader.rest(), release: release}, nil
}

// abort closes the connection, unless it is the HTTP server's.
func (c *inbound) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.aborted = true
	if !c.handed {
		c.raw.Close()
	}
}

// prefixed is a connection of which some bytes were read already.
type prefixed struct {
	net.Conn
	prefix  []byte
	once    sync.Once
	release func() // called by the first Close; nil for nothing
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.prefix)
	if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
		p.prefix = nil
	}
	return n, nil
}

func (p *prefixed) Close() error {
	if p.release != nil {
		p.once.Do(p.release)
	}
	return p.Conn.Close()
}

// SyscallConn gives what the connection itself has: nothing with TLS.
func (p *prefixed) SyscallConn() (syscall.RawConn, error) {
	if plain, ok := p.Conn.(syscall.Conn); ok {
		return plain.SyscallConn()
	}
	return nil, fmt.Errorf("a connection of type %T: %w", p.Conn, errors.ErrUnsupported)
}

// Sealed returns the TLS connection that it is, nil if it is none.
func (p *prefixed) Sealed() *Sealed {
	s, _ := p.Conn.(*Sealed)
	return s
}

// CloseWrite lets http.Server end an answer to a request that it didn't read
// to its end, so that the client gets it.
func (p *prefixed) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
