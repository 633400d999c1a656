package console

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
)

// heartbeat is the pause between signs of life on a silent input, as Mesos's clients
// make it.
const heartbeat = 30 * time.Second

// chunk is how much input is sent at once, at most.
const chunk = 4 << 10

// detach are the keys that leave a container to itself, docker's: ctrl-p ctrl-q.
const detachFirst, detachSecond = 'p' & 0x1f, 'q' & 0x1f

// terminal is the user's, nil if streams are none.
type terminal struct{ file *os.File }

// terminalOf returns the terminal behind a reader.
func terminalOf(in io.Reader) *terminal {
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &terminal{f}
	}
	return nil
}

// raw hands all keys through, interrupts too, until restore is called.
func (t *terminal) raw() (restore func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	state, err := term.MakeRaw(int(t.file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("preparing the terminal: %w", err)
	}
	return func() { _ = term.Restore(int(t.file.Fd()), state) }, nil
}

// size is the window's; nil if there is none.
func (t *terminal) size() *mesos.TTYInfo {
	if t == nil {
		return nil
	}
	columns, rows, err := term.GetSize(int(t.file.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return nil
	}
	return &mesos.TTYInfo{WindowSize: &mesos.TTYInfo_WindowSize{Rows: new(uint32(rows)), Columns: new(uint32(columns))}}
}

// input turns what the user types, and changes of the window, into messages.
type input struct {
	data    chan []byte // closed at the end
	resized chan os.Signal
	term    *terminal
	// detached is closed when the user typed the keys for it.
	detached chan struct{}
	ended    bool
	first    bool
}

// newInput begins to read. keys says whether those to detach are looked for.
func newInput(in io.Reader, t *terminal, keys bool) *input {
	i := &input{data: make(chan []byte), resized: make(chan os.Signal, 1), term: t, detached: make(chan struct{}), first: t != nil}
	if t != nil {
		signal.Notify(i.resized, syscall.SIGWINCH)
	}
	go i.read(in, keys)
	return i
}

func (i *input) stop() { signal.Stop(i.resized) }

func (i *input) read(in io.Reader, keys bool) {
	defer close(i.data)
	var last byte
	for {
		buffer := make([]byte, chunk)
		n, err := in.Read(buffer)
		for _, key := range buffer[:n] {
			if keys && last == detachFirst && key == detachSecond {
				close(i.detached)
				return
			}
			last = key
		}
		if n > 0 {
			i.data <- buffer[:n]
		}
		if err != nil {
			return
		}
	}
}

// next is the next message: input, an empty one at its end, the size of a window
// that changed, or a heartbeat.
func (i *input) next(ctx context.Context) (*agent.ProcessIO, error) {
	if i.ended {
		return nil, io.EOF
	}
	if i.first { // the window may have changed since the container was started
		i.first = false
		if size := i.term.size(); size != nil {
			return resize(size), nil
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case data, ok := <-i.data:
			i.ended = !ok
			return stdin(data), nil
		case <-i.resized:
			if size := i.term.size(); size != nil {
				return resize(size), nil
			}
		case <-time.After(heartbeat):
			return &agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
				Type: agent.ProcessIO_Control_HEARTBEAT.Enum(),
				Heartbeat: &agent.ProcessIO_Control_Heartbeat{
					Interval: &mesos.DurationInfo{Nanoseconds: new(int64(heartbeat))},
				},
			}}, nil
		}
	}
}

func stdin(data []byte) *agent.ProcessIO {
	return &agent.ProcessIO{Type: agent.ProcessIO_DATA.Enum(), Data: &agent.ProcessIO_Data{
		Type: agent.ProcessIO_Data_STDIN.Enum(), Data: append([]byte{}, data...), // there, also if empty
	}}
}

func resize(size *mesos.TTYInfo) *agent.ProcessIO {
	return &agent.ProcessIO{Type: agent.ProcessIO_CONTROL.Enum(), Control: &agent.ProcessIO_Control{
		Type: agent.ProcessIO_Control_TTY_INFO.Enum(), TtyInfo: size,
	}}
}
