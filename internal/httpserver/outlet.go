package httpserver

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/mesos-operator/mesos-operator/internal/libprocess"
)

// below is what a connection is written to in turns: neither if that can't be.
func below(conn net.Conn) (syscall.RawConn, *libprocess.Sealed) {
	if c, ok := conn.(interface{ Sealed() *libprocess.Sealed }); ok {
		if sealed := c.Sealed(); sealed != nil {
			return sealed.RawConn(), sealed
		}
	}
	plain, ok := conn.(syscall.Conn)
	if !ok {
		return nil, nil
	}
	raw, _ := plain.SyscallConn() // none if this fails
	return raw, nil
}

// outlet is where a block of an answer goes.
type outlet interface {
	// take gets the block, unless it returns false. It doesn't wait.
	take(block []byte) (bool, error)
	// pending is what is to be sent, and sent says how much of it was.
	pending() []byte
	sent(n int)
	// written is how much of the block is known to be sent.
	written() int
}

func (c *patientConn) outlet() outlet {
	if c.sealed != nil {
		return sealedOutlet{c.sealed}
	}
	return &plainOutlet{}
}

// flush sends what is pending. It isn't done when the socket is full.
func flush(fd uintptr, out outlet) (done bool, err error) {
	for b := out.pending(); len(b) > 0; b = out.pending() {
		n, err := syscall.Write(int(fd), b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return false, nil
		case err != nil:
			return false, os.NewSyscallError("write", err)
		default:
			out.sent(n)
		}
	}
	return true, nil
}

type plainOutlet struct {
	block []byte
	n     int
}

func (o *plainOutlet) take(block []byte) (bool, error) {
	o.block = block
	return true, nil
}

func (o *plainOutlet) pending() []byte { return o.block[o.n:] }

func (o *plainOutlet) sent(n int) { o.n += n }

func (o *plainOutlet) written() int { return o.n }

type sealedOutlet struct{ conn *libprocess.Sealed }

func (o sealedOutlet) take(block []byte) (bool, error) { return o.conn.Seal(block) }

func (o sealedOutlet) pending() []byte { return o.conn.Pending() }

func (o sealedOutlet) sent(n int) { o.conn.Sent(n) }

// written doesn't know how much of a block is in what was sent of it. After an
// error nobody can go on with the connection anyway.
func (o sealedOutlet) written() int { return 0 }
