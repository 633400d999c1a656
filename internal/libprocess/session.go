package libprocess

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// batchBytes is how much is put into one write, so that a burst of small
	// messages costs few system calls; a larger message is written alone.
	batchBytes = 64 << 10
	// discardBytes is read at a time from peers that answer messages, as
	// genuine ones do with "202 Accepted". It stays allocated for the life of
	// a connection.
	discardBytes = 512
)

// errPeerClosed is why most connections end.
var errPeerClosed = errors.New("closed by the peer")

// session is one connection to a peer, from dialling to its end.
//
// One goroutine dials and then reads, to throw away answers and to notice the
// end. A second one writes while there is something to write: an idle link
// costs one goroutine and no buffer.
type session struct {
	peer   *peer
	ctx    context.Context // ends with close
	cancel context.CancelFunc

	// Guarded by peer.mu.
	conn    net.Conn // nil while dialling
	writing bool     // write is running
}

// run is the life of the session.
func (s *session) run() {
	defer s.close()
	conn, err := s.dial()
	if err != nil {
		s.peer.drop(s, err)
		return
	}
	context.AfterFunc(s.ctx, func() { conn.Close() })
	s.connected(conn)
	s.peer.drop(s, discard(conn))
}

// close ends dialling, or closes the connection, without waiting for it.
func (s *session) close() { s.cancel() }

func (s *session) dial() (net.Conn, error) {
	cfg := &s.peer.node.cfg
	ctx, cancel := context.WithTimeout(s.ctx, cfg.DialTimeout)
	defer cancel()
	conn, err := cfg.Dial(ctx, "tcp", s.peer.addr.String())
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if cfg.ClientTLS == nil {
		return conn, nil
	}
	secured := tls.Client(conn, cfg.ClientTLS(s.peer.addr.Host))
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}

func (s *session) connected(conn net.Conn) {
	s.peer.mu.Lock()
	defer s.peer.mu.Unlock()
	s.conn = conn
	s.wake()
}

// wake starts the writer if there is something to write. peer.mu is held.
func (s *session) wake() {
	if s.conn == nil || s.writing || s.peer.queue.len() == 0 {
		return
	}
	s.writing = true
	s.peer.node.start(s.write)
}

// buffers keeps the writers' batches. A buffer that grew for a large message
// is not kept.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, batchBytes+batchBytes/4)) }}

// write writes until nothing waits.
func (s *session) write() {
	buf := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 2*batchBytes {
			buffers.Put(buf)
		}
	}()
	for n := s.fill(buf); n > 0; n = s.fill(buf) {
		if err := s.flush(*buf); err != nil {
			s.peer.node.counters.dropped.Add(uint64(n))
			s.peer.drop(s, err)
			return
		}
		s.peer.node.counters.sent.Add(uint64(n))
	}
}

// fill takes the next batch from the queue and returns how many messages it is.
func (s *session) fill(buf *[]byte) (n int) {
	p := s.peer
	p.mu.Lock()
	defer p.mu.Unlock()
	*buf = (*buf)[:0]
	for s == p.current && !p.broken && len(*buf) < batchBytes {
		if n > 0 && len(*buf)+p.queue.nextSize() > cap(*buf) {
			break
		}
		out, ok := p.queue.pop()
		if !ok {
			break
		}
		*buf = appendRequest(*buf, out)
		n++
	}
	s.writing = n > 0
	p.lastUsed = time.Now()
	return n
}

// flush writes a batch. The deadline moves with progress: a large message to a
// slow peer may take longer than WriteTimeout, a stalled peer may not.
func (s *session) flush(batch []byte) error {
	for len(batch) > 0 {
		piece := batch[:min(len(batch), 4*batchBytes)]
		if err := s.conn.SetWriteDeadline(time.Now().Add(s.peer.node.cfg.WriteTimeout)); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		if _, err := s.conn.Write(piece); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		batch = batch[len(piece):]
	}
	return nil
}

// discard reads until the connection ends and returns why.
func discard(conn net.Conn) error {
	var buf [discardBytes]byte
	for {
		if _, err := conn.Read(buf[:]); errors.Is(err, io.EOF) {
			return errPeerClosed
		} else if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	}
}
