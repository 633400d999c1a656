package switchboard

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// patience is how long a client that watches a container may take no output before
	// it is dropped: the container waits for it meanwhile.
	patience = 10 * time.Second
	// firstPatience is how long the first client may take to come, if the container
	// was started for it.
	firstPatience = time.Minute
	// farewell is how long who sends input may take to hear of the container's end.
	farewell = time.Second
	// chunk is how much is read at once.
	chunk = 32 << 10
)

// server is the state of the process.
type server struct {
	stdin *os.File // or the terminal
	tty   bool
	// session says that the container was started for a client, which is waited for
	// at the beginning and gets everything, as slowly as it likes.
	session bool

	// life ends with the container's launch stage; nil for never.
	life <-chan struct{}

	mu      sync.Mutex
	outputs map[net.Conn]bool
	input   bool
	first   chan struct{} // closed when the first output client is there
	came    sync.Once
	ended   chan struct{} // closed when the container has closed its output
	inputs  sync.WaitGroup
}

func newServer(stdin *os.File, tty, session bool) *server {
	return &server{
		stdin: stdin, tty: tty, session: session,
		outputs: map[net.Conn]bool{}, first: make(chan struct{}), ended: make(chan struct{}),
	}
}

// source is a stream of the container and the file that keeps it.
type source struct {
	kind byte
	from *os.File
	to   *os.File
}

// serve serves clients until the container has closed all sources.
func (s *server) serve(listener net.Listener, sources ...source) {
	go s.accept(listener)
	if s.session {
		select {
		case <-s.first:
		case <-time.After(firstPatience):
		}
	}
	var copying sync.WaitGroup
	for _, src := range sources {
		copying.Go(func() { s.copy(src) })
	}
	copying.Wait()
	close(s.ended)
	listener.Close()
	s.mu.Lock()
	for conn := range s.outputs {
		conn.Close()
	}
	s.mu.Unlock()
	left := make(chan struct{})
	go func() { s.inputs.Wait(); close(left) }()
	select {
	case <-left:
	case <-time.After(farewell):
	}
}

func (s *server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go s.client(conn)
	}
}

// client serves one connection.
func (s *server) client(conn net.Conn) {
	var want [1]byte
	if _, err := io.ReadFull(conn, want[:]); err != nil {
		conn.Close()
		return
	}
	switch want[0] {
	case wantOutput:
		s.addOutput(conn)
	case wantInput:
		s.takeInput(conn)
	default:
		conn.Close()
	}
}

func (s *server) addOutput(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := conn.Write([]byte{accepted}); err != nil {
		conn.Close()
		return
	}
	select {
	case <-s.ended:
		conn.Close()
		return
	default:
	}
	s.outputs[conn] = true
	s.came.Do(func() { close(s.first) })
	// It sends no more: the end of that is the end of the client.
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		s.drop(conn)
	}()
}

func (s *server) drop(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.outputs, conn)
}

// A terminal that nobody has open gives EIO, also before the container has it. How
// often to look again, and how long what is left of the output may take.
const (
	lookAgain = 20 * time.Millisecond
	lastWords = 200 * time.Millisecond
)

// copy copies a stream to its end. That of a terminal is the end of the stage.
func (s *server) copy(src source) {
	buf := make([]byte, chunk)
	for {
		n, err := src.from.Read(buf)
		if n > 0 {
			_, _ = src.to.Write(buf[:n]) // a full disk is no reason to stop the container
			s.send(Frame{Type: src.kind, Data: buf[:n]})
		}
		switch {
		case err == nil:
		case !s.tty || !errors.Is(err, syscall.EIO):
			return
		default:
			select {
			case <-s.life:
				return
			case <-time.After(lookAgain):
			}
		}
	}
}

// endWith ends the copying of a terminal when the stage has ended.
func (s *server) endWith(life *os.File) {
	ended := make(chan struct{})
	s.life = ended
	go func() {
		_, _ = life.Read(make([]byte, 1)) // nothing is ever written
		_ = s.stdin.SetReadDeadline(time.Now().Add(lastWords))
		close(ended)
	}()
}

// send sends a frame to all clients, and waits for them.
func (s *server) send(f Frame) {
	s.mu.Lock()
	clients := make([]net.Conn, 0, len(s.outputs))
	for conn := range s.outputs {
		clients = append(clients, conn)
	}
	s.mu.Unlock()
	for _, conn := range clients {
		if !s.session {
			_ = conn.SetWriteDeadline(time.Now().Add(patience))
		}
		if err := WriteFrame(conn, f); err != nil {
			s.drop(conn)
		}
	}
}

func (s *server) takeInput(conn net.Conn) {
	defer conn.Close()
	s.mu.Lock()
	if s.input {
		s.mu.Unlock()
		_, _ = conn.Write([]byte{busy})
		return
	}
	s.input = true
	s.inputs.Add(1)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.input = false
		s.mu.Unlock()
		s.inputs.Done()
	}()
	if _, err := conn.Write([]byte{accepted}); err != nil {
		return
	}
	result := make(chan error, 1)
	go func() { result <- s.feed(conn) }()
	select {
	case err := <-result:
		answer := byte(done)
		if err != nil {
			answer = failed
		}
		_, _ = conn.Write([]byte{answer})
	case <-s.ended:
		_, _ = conn.Write([]byte{done})
	}
}

// feed passes a client's input on to its end.
func (s *server) feed(conn net.Conn) error {
	for {
		f, err := ReadFrame(conn)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch {
		case f.Type == Window && s.tty && len(f.Data) == 4:
			if err := setWindow(s.stdin, f.Data); err != nil {
				return err
			}
		case f.Type == Window:
			return errors.New("the container has no terminal")
		case f.Type == Stdin && len(f.Data) == 0 && !s.tty:
			s.stdin.Close() // the end of input; a terminal gets a character for that
		case f.Type == Stdin:
			if _, err := s.stdin.Write(f.Data); err != nil {
				return err
			}
		}
	}
}

func setWindow(tty *os.File, size []byte) error {
	conn, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = conn.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{
			Row: binary.BigEndian.Uint16(size), Col: binary.BigEndian.Uint16(size[2:]),
		})
	})
	return errors.Join(err, set)
}
