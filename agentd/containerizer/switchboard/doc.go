// Package switchboard is the process beside a container whose terminal or standard
// streams can be attached to: "executord switchboard". It copies what the container
// writes to the sandbox's files and to whoever is attached, and what an attached client sends to the container.
//
// It is a process of its own so that the container keeps its streams while the agent is
// away. It ends by itself when the container has closed its output. Its parent hears how
// by its status; the agent's next life, which is none, by a file ([VerdictOf]).
//
// # Conversation
//
// The agent listens on a socket for it and connects to that for each client.
//
//	'O'  ──>                      'I'  ──>
//	     <── accepted                  <── accepted, or busy: one client at a time
//	     <── frame, frame, …           ──> frame, frame, …   (half-closed at the end)
//	     <── end                       <── done or failed, or the end
//
// A frame is a byte of type, four bytes of length in network order, and the data.
//
// The containerizer's implementation is the only user.
package switchboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Name is the argument that selects this process.
const Name = "switchboard"

// The first byte that a client sends.
const (
	wantOutput = 'O'
	wantInput  = 'I'
)

// Answers of one byte.
const (
	accepted = 1 + iota
	busy
	done
	failed
)

// Types of frames.
const (
	// Stdin is data for the container.
	Stdin = 1 + iota
	// Stdout and Stderr are data of the container. A terminal has Stdout only.
	Stdout
	Stderr
	// Window is a new size of the terminal's window: rows and columns, two bytes each.
	Window
)

// maxFrame bounds a frame.
const maxFrame = 1 << 20

// Errors that callers tell apart with errors.Is.
var (
	// ErrBusy says that another client sends input already.
	ErrBusy = errors.New("another client is attached to the input")
	// ErrInput says that the container did not take input.
	ErrInput = errors.New("writing to the container's input failed")
)

// Frame is a piece of a stream.
type Frame struct {
	Type byte
	Data []byte
}

// WriteFrame writes a frame at once.
func WriteFrame(w io.Writer, f Frame) error {
	for first := true; first || len(f.Data) > 0; first = false {
		part := f.Data[:min(len(f.Data), maxFrame)]
		f.Data = f.Data[len(part):]
		buf := make([]byte, 5, 5+len(part))
		buf[0] = f.Type
		binary.BigEndian.PutUint32(buf[1:], uint32(len(part)))
		if _, err := w.Write(append(buf, part...)); err != nil {
			return err
		}
	}
	return nil
}

// ReadFrame reads a frame. io.EOF is the end of the stream.
func ReadFrame(r io.Reader) (Frame, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return Frame{}, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return Frame{}, fmt.Errorf("frame of %d bytes", n)
	}
	f := Frame{Type: head[0], Data: make([]byte, n)}
	if _, err := io.ReadFull(r, f.Data); err != nil {
		return Frame{}, io.ErrUnexpectedEOF
	}
	return f, nil
}

// WindowFrame is the frame that sets the size of a window.
func WindowFrame(rows, columns uint32) Frame {
	data := make([]byte, 4)
	binary.BigEndian.PutUint16(data, uint16(min(rows, 1<<16-1)))
	binary.BigEndian.PutUint16(data[2:], uint16(min(columns, 1<<16-1)))
	return Frame{Type: Window, Data: data}
}
