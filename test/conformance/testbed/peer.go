package testbed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// Message is a libprocess message that a Peer got.
type Message struct {
	// From is the sender's PID, To the ID of the process it is for.
	From, To string
	// Name is the message's full name, such as mesos.internal.PingSlaveMessage.
	Name string
	Body []byte
}

// Peer is a process of another libprocess: a native scheduler driver, an agent
// that isn't ours. It has sockets and nothing else.
type Peer struct {
	// PID is "id@127.0.0.1:port".
	PID string

	t        testing.TB
	id       string
	listener net.Listener

	mu       sync.Mutex
	outgoing map[string]net.Conn
	incoming []net.Conn
	messages []Message
	changed  chan struct{}
	// answers, by name of message, are called as messages arrive.
	answers map[string]func(Message)
}

// NewPeer starts to listen.
func NewPeer(t testing.TB, id string) *Peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening for messages: %v", err)
	}
	p := &Peer{PID: id + "@" + listener.Addr().String(), t: t, id: id, listener: listener,
		outgoing: map[string]net.Conn{}, changed: make(chan struct{}), answers: map[string]func(Message){}}
	t.Cleanup(p.Close)
	go p.accept()
	return p
}

// Close ends the process: its connections break, which is how linked processes
// learn of it.
func (p *Peer) Close() {
	_ = p.listener.Close()
	p.Break()
}

// Break breaks its connections, as if the process had ended and another one had
// begun at its address.
func (p *Peer) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.outgoing {
		_ = c.Close()
	}
	for _, c := range p.incoming {
		_ = c.Close()
	}
	clear(p.outgoing)
	p.incoming = nil
}

// On has f called for messages of a name, besides their being recorded. It must
// be called before they can come.
func (p *Peer) On(name string, f func(Message)) { p.answers[name] = f }

func (p *Peer) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.incoming = append(p.incoming, conn)
		p.mu.Unlock()
		go p.receive(conn)
	}
}

func (p *Peer) receive(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		from := request.Header.Get("Libprocess-From")
		if from == "" {
			if agent, ok := strings.CutPrefix(request.Header.Get("User-Agent"), "libprocess/"); ok {
				from = agent
			}
		}
		if from == "" { // no message
			if p.redirect(conn, request) != nil {
				return
			}
			continue
		}
		to, name, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
		m := Message{From: from, To: to, Name: name, Body: body}
		p.mu.Lock()
		p.messages = append(p.messages, m)
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if answer := p.answers[name]; answer != nil {
			answer(m)
		}
	}
}

// redirect answers what a leading master is asked by who looks for the leader.
func (p *Peer) redirect(conn net.Conn, request *http.Request) error {
	if !strings.HasSuffix(request.URL.Path, "/redirect") {
		_, err := io.WriteString(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		return err
	}
	_, err := fmt.Fprintf(conn, "HTTP/1.1 307 Temporary Redirect\r\nLocation: //%s\r\nContent-Length: 0\r\n\r\n", p.listener.Addr())
	return err
}

// Send sends a message as libprocess does: one chunk, no answer awaited. name is
// the message's full name in the protocol of Mesos.
func (p *Peer) Send(to, name string, message proto.Message) {
	p.t.Helper()
	if err := p.send(to, name, message); err != nil {
		p.t.Errorf("sending %s to %s: %v", name, to, err)
	}
}

func (p *Peer) send(to, name string, message proto.Message) error {
	id, address, ok := strings.Cut(to, "@")
	if !ok {
		return errors.New("not a PID")
	}
	body, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	conn, err := p.connect(address)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST /%s/%s HTTP/1.1\r\nUser-Agent: libprocess/%s\r\nLibprocess-From: %s\r\nConnection: Keep-Alive\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n",
		id, name, p.PID, p.PID)
	if len(body) > 0 {
		fmt.Fprintf(&out, "%x\r\n%s\r\n", len(body), body)
	}
	out.WriteString("0\r\n\r\n")
	_, err = conn.Write(out.Bytes())
	return err
}

func (p *Peer) connect(address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if conn := p.outgoing[address]; conn != nil {
		return conn, nil
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	p.outgoing[address] = conn
	// What comes back, if anything, is thrown away, as libprocess does; who was
	// restarted is connected to again.
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.outgoing[address] == conn {
			delete(p.outgoing, address)
		}
	}()
	return conn, nil
}

// Receive takes the next message of a name and reads it into message.
func (p *Peer) Receive(name string, message proto.Message) Message {
	p.t.Helper()
	timeout := time.After(Patience)
	for {
		p.mu.Lock()
		for i, m := range p.messages {
			if m.Name != name {
				continue
			}
			p.messages = append(p.messages[:i:i], p.messages[i+1:]...)
			p.mu.Unlock()
			if err := proto.Unmarshal(m.Body, message); err != nil {
				p.t.Fatalf("reading %s: %v", name, err)
			}
			return m
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatalf("waiting for %s; got %s", name, p.Names())
		}
	}
}

// ReceiveOne takes the first message that has one of several names.
func (p *Peer) ReceiveOne(names ...string) Message {
	p.t.Helper()
	timeout := time.After(Patience)
	for {
		p.mu.Lock()
		for i, m := range p.messages {
			if slices.Contains(names, m.Name) {
				p.messages = append(p.messages[:i:i], p.messages[i+1:]...)
				p.mu.Unlock()
				return m
			}
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-timeout:
			p.t.Fatalf("waiting for one of %s; got %s", names, p.Names())
		}
	}
}

// Names lists what was received and not taken.
func (p *Peer) Names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, m := range p.messages {
		out = append(out, m.Name)
	}
	return out
}
