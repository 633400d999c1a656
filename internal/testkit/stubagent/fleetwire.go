package stubagent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

// This file is as much of libprocess as a Fleet needs. The node of package
// libprocess has one address; a fleet has as many as it has hosts.

// listenOnLoopback listens on all addresses of 127/8 at one port, and on no
// other interface.
func listenOnLoopback() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if failed := c.Control(func(fd uintptr) { err = syscall.BindToDevice(int(fd), "lo") }); failed != nil {
			return failed
		}
		return err
	}}
	return config.Listen(context.Background(), "tcp4", "0.0.0.0:0")
}

// request is a message as libprocess sends it.
func request(from, to, master string, m proto.Message, body []byte) []byte {
	head := fmt.Sprintf("POST /%s/%s HTTP/1.1\r\nUser-Agent: libprocess/%s\r\nLibprocess-From: %s\r\n"+
		"Connection: Keep-Alive\r\nHost: %s\r\n", to, typed.NameOf(m), from, from, master)
	if len(body) == 0 {
		return []byte(head + "\r\n")
	}
	out := fmt.Appendf(make([]byte, 0, len(head)+len(body)+64), "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n", head, len(body))
	out = append(out, body...)
	return append(out, "\r\n0\r\n\r\n"...)
}

// accept takes the master's connections.
func (f *Fleet) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		h := f.hostOf(conn.LocalAddr().(*net.TCPAddr).IP.To4())
		if h == nil {
			conn.Close()
			continue
		}
		f.keep(conn)
		f.work.Go(func() {
			defer f.drop(conn)
			h.serve(conn)
		})
	}
}

func (f *Fleet) hostOf(ip net.IP) *host {
	n := (int(ip[1])-16)<<16 | int(ip[2])<<8 | int(ip[3])
	if n < 0 || n >= len(f.hosts) {
		return nil
	}
	return f.hosts[n]
}

// serve reads what the master sends to a host until the connection ends.
func (h *host) serve(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 2<<10)
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		h.message(m)
	}
}

// received is a message of the master. Only small ones have a body.
type received struct {
	agent, name, from string
	body              []byte
}

func (h *host) message(m received) {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(m.agent, "slave("), ")"))
	if err != nil || n < 1 || n > len(h.agents) {
		return
	}
	a := h.agents[n-1]
	switch m.name {
	case "mesos.internal.SlaveRegisteredMessage":
		answer := &messages.SlaveRegisteredMessage{}
		if proto.Unmarshal(m.body, answer) == nil {
			a.id.Store(answer.SlaveId)
			h.fleet.registered(a)
		}
	case "mesos.internal.SlaveReregisteredMessage":
		h.fleet.registered(a)
	case "mesos.internal.PingSlaveMessage":
		observer, _, _ := strings.Cut(m.from, "@")
		pong := request(a.pid, observer, h.fleet.cfg.Master, &messages.PongSlaveMessage{}, nil)
		_ = h.write(context.Background(), pong) // a master that is gone gets none
	}
}

var errFraming = errors.New("not a message of libprocess")

// maxKept bounds the bodies that are kept; longer ones are of no interest.
const maxKept = 1 << 10

// readMessage reads one request.
func readMessage(in *bufio.Reader) (m received, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return m, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 {
		return m, errFraming
	}
	m.agent, m.name, _ = strings.Cut(strings.TrimPrefix(parts[1], "/"), "/")
	chunked := false
	for {
		header, err := in.ReadSlice('\n')
		if err != nil {
			return m, err
		}
		if len(header) <= 2 {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(string(header)), ": ")
		switch name {
		case "Libprocess-From":
			m.from = value
		case "Transfer-Encoding":
			chunked = true
		}
	}
	for chunked {
		if chunked, err = m.readChunk(in); err != nil {
			return m, err
		}
	}
	return m, nil
}

// readChunk reads a piece of the body, and says whether there is more.
func (m *received) readChunk(in *bufio.Reader) (more bool, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(line)), 16, 32)
	if err != nil {
		return false, errFraming
	}
	if size > 0 && len(m.body)+int(size) <= maxKept {
		at := len(m.body)
		m.body = append(m.body, make([]byte, size)...)
		_, err = io.ReadFull(in, m.body[at:])
	} else {
		_, err = in.Discard(int(size))
	}
	if err == nil {
		_, err = in.Discard(len("\r\n"))
	}
	return size > 0, err
}
