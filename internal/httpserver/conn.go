package httpserver

import (
	"net"
	"time"
)

// writePiece is how much a client must take within the write timeout.
const writePiece = 64 << 10

// patientListener gives connections a deadline for each write. The server's own
// WriteTimeout counts from the request, which is of no use for streams.
type patientListener struct {
	net.Listener
	timeout time.Duration
}

func (l *patientListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: conn, timeout: l.timeout}, nil
}

type patientConn struct {
	net.Conn
	timeout time.Duration
}

func (c *patientConn) Write(b []byte) (written int, err error) {
	for {
		piece := b[:min(len(b), writePiece)]
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(piece)
		written += n
		if b = b[n:]; err != nil || len(b) == 0 {
			return written, err
		}
	}
}

// CloseWrite lets http.Server end an answer to a request that it didn't read to
// its end, so that the client gets it.
func (c *patientConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
