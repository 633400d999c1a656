package libprocess

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Listener splits the connections of one port. Those that begin with a message
// are read here; Accept returns the others, to be given to http.Server.Serve. A
// connection may turn from messages to HTTP; the other way round, messages go
// through Node.Handler.
//
// A connection that sends nothing is kept, as it may be a link.
type Listener struct {
	node  *Node
	inner net.Listener

	http chan net.Conn
	done chan struct{} // accepting has ended
	err  error         // why; to be read after done
	once sync.Once
}

// Listener starts accepting on inner. The caller closes it, or the node.
func (n *Node) Listener(inner net.Listener) *Listener {
	l := &Listener{node: n, inner: inner, http: make(chan net.Conn), done: make(chan struct{})}
	context.AfterFunc(n.ctx, func() { l.Close() })
	if !n.start(l.accept) {
		l.end(ErrClosed)
	}
	return l
}

// Accept returns the next connection that speaks HTTP.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.http:
		return conn, nil
	case <-l.done:
		return nil, l.err
	}
}

// Close stops accepting. Messages on open connections still arrive, until
// Node.Close.
func (l *Listener) Close() error { return l.inner.Close() }

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

func (l *Listener) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
	})
}

func (l *Listener) accept() {
	for pause := time.Duration(0); ; {
		conn, err := l.inner.Accept()
		switch {
		case err == nil:
			pause = 0
			l.node.open(conn, l)
		case errors.Is(err, net.ErrClosed) || l.node.ctx.Err() != nil:
			l.end(net.ErrClosed)
			return
		default: // out of file descriptors, most likely: it may pass
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			l.node.cfg.Log.Error(err, "accepting a connection", "retryAfter", pause.String())
			select {
			case <-time.After(pause):
			case <-l.node.ctx.Done():
			}
		}
	}
}

// open takes over an accepted connection.
func (n *Node) open(conn net.Conn, l *Listener) {
	c := &inbound{node: n, raw: conn, conn: conn, remote: remoteOf(conn.RemoteAddr())}
	n.mu.Lock()
	refused := n.closed || len(n.inbound) >= n.cfg.MaxConnections
	if !refused {
		n.inbound[c] = struct{}{}
	}
	n.mu.Unlock()
	if refused || !n.start(func() { l.serve(c) }) {
		n.cfg.Log.Info("connection refused: too many are open", "remote", c.remote.String())
		n.release(c)
		conn.Close()
	}
}

func (n *Node) release(c *inbound) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.inbound, c)
}

// serve runs one connection until it ends or is the HTTP server's.
func (l *Listener) serve(c *inbound) {
	conn, err := c.serve(l.node.ctx)
	if conn != nil {
		l.give(conn)
		return
	}
	l.node.release(c)
	c.raw.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		l.node.cfg.Log.V(1).Info("connection closed", "remote", c.remote.String(), "reason", err.Error())
	}
}

// give hands a connection to whoever calls Accept. It counts as open until it is
// closed there.
func (l *Listener) give(conn net.Conn) {
	select {
	case l.http <- conn:
	case <-l.done:
		conn.Close()
	case <-l.node.ctx.Done():
		conn.Close()
	}
}
