package libprocess

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network of net.Pipes: what a node dials arrives on accepted. It
// works inside synctest, where real sockets don't.
type pipes struct {
	accepted chan net.Conn
	refuse   atomic.Bool
	hang     atomic.Bool
	dialled  atomic.Int32
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.dialled.Add(1)
	if p.refuse.Load() {
		return nil, errors.New("refused")
	}
	if p.hang.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	here, there := net.Pipe()
	p.accepted <- there
	return here, nil
}

// remote is a process on the other end of the pipes.
var remote = PID{ID: "slave(1)", Address: Address{Host: "10.0.0.2", Port: 5051}}

// inBubble runs f with one process on a node whose peers are pipes.
func inBubble(t *testing.T, change func(*Config), f func(t *testing.T, net *pipes, p *Process, e *events)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{accepted: make(chan net.Conn, 100)}
		cfg := Config{Address: Address{Host: "10.0.0.1", Port: 5050}, Dial: network.dial}
		if change != nil {
			change(&cfg)
		}
		n, err := NewNode(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p, e := spawn(t, n, "master")
		f(t, network, p, e)
		n.Close()
	})
}

// accept takes the next connection that was dialled, if any.
func (p *pipes) accept(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	synctest.Wait()
	select {
	case conn := <-p.accepted:
		return conn, bufio.NewReader(conn)
	default:
		t.Fatal("nobody dialled")
		return nil, nil
	}
}

func expectRequest(t *testing.T, r *bufio.Reader, path, body string) {
	t.Helper()
	request, err := http.ReadRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatal(err)
	}
	if request.URL.Path != path || string(got) != body {
		t.Errorf("got %s with %.20q, want %s with %.20q", request.URL.Path, got, path, body)
	}
}

func expectExits(t *testing.T, e *events, want ...PID) {
	t.Helper()
	synctest.Wait()
	got := map[PID]int{}
	for len(e.exits) > 0 {
		got[<-e.exits]++
	}
	for _, pid := range want {
		if got[pid] != 1 {
			t.Errorf("%s exited %d times", pid, got[pid])
		}
		delete(got, pid)
	}
	if len(got) > 0 {
		t.Errorf("exited unexpectedly: %v", got)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinkBreaksWithTheConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		other := remote
		other.ID = "executor(1)"
		must(t, p.Link(remote, Reuse))
		must(t, p.Link(remote, Reuse)) // twice is once
		must(t, p.Link(other, Reuse))
		conn, r := network.accept(t)
		must(t, p.Send(remote, "A", []byte("1")))
		expectRequest(t, r, "/slave(1)/A", "1")
		time.Sleep(24 * time.Hour) // an idle link lives on
		expectExits(t, e)
		io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n") // a genuine peer answers
		conn.Close()
		expectExits(t, e, remote, other)

		must(t, p.Send(remote, "B", nil)) // a new connection, and no link
		conn, r = network.accept(t)
		expectRequest(t, r, "/slave(1)/B", "")
		conn.Close()
		expectExits(t, e)

		must(t, p.Link(remote, Reuse))
		conn, _ = network.accept(t)
		conn.Close()
		expectExits(t, e, remote)
	})
}

func TestDisconnectBreaksLinks(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		must(t, p.Link(remote, Reuse))
		conn, _ := network.accept(t)
		p.node.Disconnect()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Error("the peer can still read")
		}
		expectExits(t, e, remote)
		must(t, p.Send(remote, "A", nil)) // the node goes on
		_, r := network.accept(t)
		expectRequest(t, r, "/slave(1)/A", "")
	})
}

func TestLinkThatCannotConnect(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		network.refuse.Store(true)
		must(t, p.Link(remote, Reuse))
		expectExits(t, e, remote)
		must(t, p.Send(remote, "A", nil)) // dropped with nobody to tell
		expectExits(t, e)

		network.refuse.Store(false)
		network.hang.Store(true)
		must(t, p.Link(remote, Reuse))
		must(t, p.Send(remote, "B", nil))
		time.Sleep(9 * time.Second)
		expectExits(t, e)
		time.Sleep(2 * time.Second)
		expectExits(t, e, remote)
		if n := network.dialled.Load(); n != 3 {
			t.Errorf("dialled %d times", n)
		}
	})
}

func TestReconnect(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		must(t, p.Link(remote, Reconnect)) // nothing to replace
		old, r := network.accept(t)
		must(t, p.Send(remote, "A", []byte("1")))
		expectRequest(t, r, "/slave(1)/A", "1")

		must(t, p.Link(remote, Reconnect))
		if _, err := old.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the old connection lives: %v", err)
		}
		conn, r := network.accept(t)
		must(t, p.Send(remote, "B", []byte("2")))
		expectRequest(t, r, "/slave(1)/B", "2")
		expectExits(t, e) // neither was told of the replacement
		conn.Close()
		expectExits(t, e, remote)
	})
}

func TestReconnectKeepsWhatIsQueued(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		network.hang.Store(true)
		must(t, p.Send(remote, "A", []byte("1")))
		must(t, p.Send(remote, "B", []byte("2")))
		synctest.Wait()
		network.hang.Store(false)
		must(t, p.Link(remote, Reconnect))
		_, r := network.accept(t)
		expectRequest(t, r, "/slave(1)/A", "1")
		expectRequest(t, r, "/slave(1)/B", "2")
		expectExits(t, e)
	})
}

func TestUnlink(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		must(t, p.Link(remote, Reuse))
		conn, _ := network.accept(t)
		p.Unlink(remote)
		p.Unlink(remote)
		conn.Close()
		expectExits(t, e)

		must(t, p.Link(remote, Reuse))
		conn, _ = network.accept(t)
		p.Terminate()
		conn.Close()
		expectExits(t, e)
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
		must(t, p.Send(remote, "A", nil))
		conn, r := network.accept(t)
		expectRequest(t, r, "/slave(1)/A", "")
		time.Sleep(59 * time.Second)
		must(t, p.Send(remote, "B", nil))
		expectRequest(t, r, "/slave(1)/B", "")
		time.Sleep(80 * time.Second)
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the idle connection lives: %v", err)
		}
		conn.Close()
		must(t, p.Send(remote, "C", nil))
		_, r = network.accept(t)
		expectRequest(t, r, "/slave(1)/C", "")
		p.node.mu.RLock()
		defer p.node.mu.RUnlock()
		if n := len(p.node.peers); n != 1 {
			t.Errorf("%d peers are remembered", n)
		}
	})
}

func TestPeerThatReadsNothing(t *testing.T) {
	t.Run("time", func(t *testing.T) {
		inBubble(t, nil, func(t *testing.T, network *pipes, p *Process, e *events) {
			must(t, p.Link(remote, Reuse))
			must(t, p.Send(remote, "A", nil))
			network.accept(t)
			time.Sleep(119 * time.Second)
			expectExits(t, e)
			time.Sleep(2 * time.Second)
			expectExits(t, e, remote)
		})
	})
	for name, bound := range map[string]func(*Config){
		"messages": func(c *Config) { c.MaxQueuedMessages = 10 },
		"bytes":    func(c *Config) { c.MaxQueuedBytes = 4000 },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, bound, func(t *testing.T, network *pipes, p *Process, e *events) {
				network.hang.Store(true)
				must(t, p.Link(remote, Reuse))
				var err error
				sent := 0
				for err == nil && sent < 100 {
					err = p.Send(remote, "A", make([]byte, 100))
					sent++
				}
				if !errors.Is(err, ErrOverflow) || sent < 10 || sent > 12 {
					t.Errorf("after %d messages: %v", sent, err)
				}
				expectExits(t, e, remote)
				network.hang.Store(false)
				must(t, p.Send(remote, "B", nil)) // a new start
				_, r := network.accept(t)
				expectRequest(t, r, "/slave(1)/B", "")
			})
		})
	}
}

func TestSlowHandlerHoldsUpOnlyItsPeer(t *testing.T) {
	n := testNode(t)
	release := make(chan struct{})
	got := make(chan string, 1<<16)
	var handled atomic.Int32
	p, err := n.Spawn("p", HandlerFuncs{OnMessage: func(_ context.Context, m Message) error {
		if m.Name == "Slow" {
			handled.Add(1)
			<-release
			return nil
		}
		got <- m.From.ID
		return nil
	}})
	must(t, err)
	slow, fast := testNode(t, func(c *Config) { c.MaxQueuedBytes = 8 << 20 }), testNode(t)
	slowSender, exits := spawn(t, slow, "slow")
	fastSender, _ := spawn(t, fast, "fast")
	must(t, slowSender.Link(p.PID(), Reuse))
	// The sender's queue fills up: nothing is read behind the blocked handler.
	for i := 0; err == nil; i++ {
		if i > 100_000 {
			t.Fatal("an unlimited number of messages was taken")
		}
		err = slowSender.Send(p.PID(), "Slow", make([]byte, 16<<10))
	}
	if !errors.Is(err, ErrOverflow) || handled.Load() > 1 {
		t.Errorf("%v; %d handled", err, handled.Load())
	}
	receive(t, exits.exits)
	for range 100 {
		must(t, fastSender.Send(p.PID(), "Fast", nil))
	}
	for range 100 {
		receive(t, got)
	}
	close(release)
}

func TestSlowSender(t *testing.T) {
	n := testNode(t, func(c *Config) { c.ReceiveTimeout = 100 * time.Millisecond })
	_, got := spawn(t, n, "master")
	message := genuine("master", "A", "s@10.0.0.9:1", "h", "body")
	// Silence between messages is fine,
	conn, _ := request(t, n, message)
	receive(t, got.messages)
	time.Sleep(300 * time.Millisecond)
	io.WriteString(conn, message)
	receive(t, got.messages)
	// before the first too,
	conn, _ = request(t, n, "")
	time.Sleep(300 * time.Millisecond)
	io.WriteString(conn, message)
	receive(t, got.messages)
	// but not inside of one.
	for _, part := range []string{"POST /mas", message[:len(message)-8]} {
		start := time.Now()
		_, r := request(t, n, part)
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) || time.Since(start) > 5*time.Second {
			t.Errorf("%.9q: %v after %v", part, err, time.Since(start))
		}
	}
}

func TestAdmission(t *testing.T) {
	refused := errors.New("unknown sender")
	n := testNode(t, func(c *Config) {
		c.RequirePeerIPMatch = true
		c.Admit = func(m Message) error {
			if m.From.ID == "bad" {
				return refused
			}
			return nil
		}
	})
	_, got := spawn(t, n, "master")
	post := "POST /master/A HTTP/1.1\r\nHost: h\r\nLibprocess-From: %s\r\n\r\n"
	for from, status := range map[string]int{
		"s@127.0.0.1:1": 202, "s@10.0.0.9:1": 400, "s@localhost:1": 400, "bad@127.0.0.1:1": 400,
	} {
		_, r := request(t, n, fmt.Sprintf(post, from))
		expectStatus(t, r, status)
	}
	request(t, n, genuine("master", "A", "s@10.0.0.9:1", "h", "")+genuine("master", "B", "s@127.0.0.1:1", "h", ""))
	for _, want := range []string{"A", "B"} {
		if m := receive(t, got.messages); m.Name != want || m.From.Address.Host != "127.0.0.1" {
			t.Errorf("got %v", m)
		}
	}
	silent(t, got.messages, 10*time.Millisecond)
}

func TestTooManyConnections(t *testing.T) {
	n := testNode(t, func(c *Config) { c.MaxConnections = 2 })
	_, got := spawn(t, n, "master")
	first, _ := request(t, n, genuine("master", "A", "s@10.0.0.9:1", "h", ""))
	receive(t, got.messages)
	web, r := request(t, n, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	expectStatus(t, r, 200)
	_, r = request(t, n, "")
	if _, err := r.ReadByte(); err == nil {
		t.Error("a third connection is served")
	}
	first.Close()
	web.Close()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		n.mu.RLock()
		open := len(n.inbound)
		n.mu.RUnlock()
		if open == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections still count", open)
		}
	}
	request(t, n, genuine("master", "B", "s@10.0.0.9:1", "h", ""))
	receive(t, got.messages)
}

func TestManyPeers(t *testing.T) {
	master := testNode(t)
	m, got := spawn(t, master, "master")
	const peers = 50
	agents := map[PID]*Node{}
	for range peers {
		n := testNode(t)
		p, _ := spawn(t, n, "slave(1)")
		agents[p.PID()] = n
		must(t, m.Link(p.PID(), Reuse))
		must(t, m.Send(p.PID(), "Ping", nil))
		must(t, p.Send(m.PID(), "Pong", []byte(strings.Repeat("x", 100))))
	}
	for range peers {
		receive(t, got.messages)
	}
	for _, n := range agents {
		n.Close()
	}
	for range peers {
		pid := receive(t, got.exits)
		if agents[pid] == nil {
			t.Errorf("%s exited twice, or never was", pid)
		}
		delete(agents, pid)
	}
}

// What waits in handlers is memory, too: once there is too much of it, senders
// are cut off, until the handlers are done.
func TestMessagesInHandlersCount(t *testing.T) {
	n := testNode(t, func(c *Config) { c.MaxReceivingBytes = 300 << 10 })
	entered, release := make(chan struct{}), make(chan struct{})
	_, err := n.Spawn("master", HandlerFuncs{OnMessage: func(ctx context.Context, m Message) error {
		entered <- struct{}{}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	}})
	must(t, err)
	message := genuine("master", "A", "s@10.0.0.9:1", "h", strings.Repeat("x", 200<<10))
	request(t, n, message)
	receive(t, entered)
	_, r := request(t, n, message)
	if _, err := r.ReadByte(); err == nil {
		t.Error("the second message was answered")
	}
	silent(t, entered, 10*time.Millisecond)
	release <- struct{}{}
	for deadline := time.Now().Add(5 * time.Second); n.receiving.Load() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	request(t, n, message)
	receive(t, entered)
	close(release)
}
