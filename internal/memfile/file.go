package memfile

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrUnsupported is returned where there are no such files.
var ErrUnsupported = errors.New("files in memory are not supported")

// File is an append-only file in memory. One goroutine may append while others
// send what is there. A File that nobody refers to is closed by the collector.
type File struct {
	file *os.File
	raw  syscall.RawConn
}

// Create makes a File. The name is for people who look at the process's
// descriptors. The error is ErrUnsupported or of the system: descriptors may be
// short, or a seccomp profile may forbid it.
func Create(name string) (*File, error) {
	file, err := create(name)
	if err != nil {
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("making a file in memory: %w", err)
	}
	return &File{file: file, raw: raw}, nil
}

// Append writes behind what is there.
func (f *File) Append(b []byte) error {
	if _, err := f.file.Write(b); err != nil {
		return fmt.Errorf("appending to a file in memory: %w", err)
	}
	return nil
}

// Close gives the descriptor back; a Send under way ends first, later ones fail
// with os.ErrClosed.
func (f *File) Close() error { return f.file.Close() }

// Send queues up to n bytes from an offset on a socket, as many as it takes. It
// fails with syscall.EAGAIN if a socket that doesn't wait takes none, and with
// os.ErrClosed after Close.
func (f *File) Send(socket uintptr, offset int64, n int) (sent int, err error) {
	if closed := f.raw.Control(func(fd uintptr) { sent, err = send(socket, fd, offset, n) }); closed != nil {
		return 0, fmt.Errorf("sending a file in memory: %w", os.ErrClosed)
	}
	return sent, err
}
