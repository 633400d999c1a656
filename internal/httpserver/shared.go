package httpserver

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/mesos-operator/mesos-operator/internal/memfile"
)

// Shared is bytes that many connections send. They never change.
type Shared struct {
	Bytes []byte
	// File has the same bytes from Offset on; nil if there is none.
	File   *memfile.File
	Offset int64
}

// SharedWriter is a connection that can send Shared bytes without copying them.
// Those that the handlers of a Server hijack are.
type SharedWriter interface {
	// WriteShared writes all of it, with the Server's WriteTimeout for each part.
	// It doesn't matter if the File is closed meanwhile.
	WriteShared(Shared) error
}

// sharedPiece is how much is queued in one turn: none of it is copied, so that it
// takes no longer than to write a writePiece.
const sharedPiece = 256 << 10

// WriteShared implements SharedWriter.
func (c *patientConn) WriteShared(s Shared) error {
	sent, err := 0, error(nil)
	for s.File != nil && c.raw != nil && c.sealed == nil && len(s.Bytes)-sent >= turnFrom && err == nil {
		var n int
		n, err = c.sendPiece(s.File, s.Offset+int64(sent), min(len(s.Bytes)-sent, sharedPiece))
		sent += n
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	_, err = c.Write(s.Bytes[sent:]) // if it was the connection that failed, so does this
	return err
}

// sendPiece queues some bytes. A client that doesn't read makes it wait outside
// of the Lane.
func (c *patientConn) sendPiece(f *memfile.File, offset int64, length int) (sent int, err error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	waiting := c.raw.Write(func(fd uintptr) bool {
		c.lane.Enter()
		defer c.lane.Leave()
		sent, err = f.Send(fd, offset, length)
		return sent > 0 || !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case waiting != nil:
		return sent, waiting
	case sent == 0 && err == nil:
		return 0, io.ErrUnexpectedEOF // of the file
	}
	return sent, err
}
