package httpserver

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/lane"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// writePiece is how much a client must take within the write timeout, and how
// much is written in one turn.
const writePiece = 64 << 10

// turnFrom is the length from which a write waits for its turn.
const turnFrom = 16 << 10

// patientListener gives connections a deadline for each write. The server's own
// WriteTimeout counts from the request, which is of no use for streams.
type patientListener struct {
	net.Listener
	writing
}

// writing is how connections are written to.
type writing struct {
	timeout time.Duration
	lane    *lane.Lane
	answers *lane.Lane // the same, paced
}

func (l *patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &patientConn{Conn: conn, writing: l.writing}
	c.raw, c.sealed = below(conn)
	return c, nil
}

type patientConn struct {
	net.Conn
	writing
	raw    syscall.RawConn    // nil: there is only Conn
	sealed *libprocess.Sealed // nil without TLS
}

// InMemory is an answer that is all in memory: its Read never waits, and fills
// the buffer unless that was the end. io.Copy to an answer's
// http.ResponseWriter lets each of its blocks be made and written in one paced turn
// of the server's Lane.
type InMemory interface {
	io.Reader
	InMemory()
}

func (c *patientConn) Write(b []byte) (written int, err error) {
	for {
		piece := b[:min(len(b), writePiece)]
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return written, err
		}
		n, err := c.writePiece(piece)
		written += n
		if b = b[n:]; err != nil || len(b) == 0 {
			return written, err
		}
	}
}

func (c *patientConn) writePiece(piece []byte) (int, error) {
	if c.raw == nil || len(piece) < turnFrom {
		return c.Conn.Write(piece)
	}
	return c.inTurns(c.lane, func() ([]byte, error) { return piece, nil })
}

var blocks = sync.Pool{New: func() any { return new([writePiece]byte) }}

// ReadFrom implements io.ReaderFrom, which http.Server looks for when an answer
// has a length.
func (c *patientConn) ReadFrom(src io.Reader) (written int64, err error) {
	block := blocks.Get().(*[writePiece]byte)
	defer blocks.Put(block)
	if _, ready := src.(InMemory); !ready || c.raw == nil {
		return io.CopyBuffer(struct{ io.Writer }{c}, struct{ io.Reader }{src}, block[:])
	}
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return written, err
		}
		n, err := c.inTurns(c.answers, func() ([]byte, error) {
			n, err := src.Read(block[:])
			return block[:n], err
		})
		written += int64(n)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

// inTurns makes a block and writes it. A client that doesn't read makes it wait
// outside of the Lane.
func (c *patientConn) inTurns(turns *lane.Lane, fill func() ([]byte, error)) (written int, err error) {
	out := c.outlet()
	var block []byte
	var made, taken bool
	var broken error
	for !taken && broken == nil {
		waiting := c.raw.Write(func(fd uintptr) bool {
			turns.Enter()
			defer turns.Leave()
			if !made {
				made = true
				block, err = fill()
			}
			if !taken {
				if taken, broken = out.take(block); !taken || broken != nil {
					return true
				}
			}
			var done bool
			done, broken = flush(fd, out)
			return done || broken != nil
		})
		switch {
		case waiting != nil:
			return out.written(), waiting
		case broken != nil:
			return out.written(), &net.OpError{Op: "write", Net: "tcp", Addr: c.RemoteAddr(), Err: broken}
		case !taken:
			c.sealed.Wait()
		}
	}
	return len(block), err
}

// CloseWrite lets http.Server end an answer to a request that it didn't read to
// its end, so that the client gets it.
func (c *patientConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
