package containerizer

import "errors"

// ErrNotAttachable says that a container has nothing to attach to: it was started
// without a terminal and for no client, or has ended.
var ErrNotAttachable = errors.New("I/O switchboard server was disabled for this container")

// ErrInputTaken says that another client sends input to the container, in the words
// that Mesos has for it.
var ErrInputTaken = errors.New("Multiple input connections are not allowed")

// Chunk is a piece of a container's output.
type Chunk struct {
	// Stderr says which stream it is of. A terminal has one only.
	Stderr bool
	Data   []byte
}

// Output is a container's output from when it was attached to.
type Output interface {
	// Next waits for the next piece; io.EOF is the end.
	Next() (Chunk, error)
	// Close may be called at any time, and ends a Next.
	Close() error
}

// Input goes to a container. One client at a time has it.
type Input interface {
	// Write sends data; none at all closes the container's standard input, unless that
	// is a terminal.
	Write(data []byte) error
	// Resize sets the size of the terminal's window.
	Resize(rows, columns uint32) error
	// End says that no more will come.
	End() error
	// Result has nil once all was passed on or the container has ended, else why not.
	Result() <-chan error
	// Close gives the input free.
	Close() error
}
