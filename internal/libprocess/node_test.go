package libprocess

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"
)

// testNode is a node on the loopback interface, with its HTTP side.
func testNode(t testing.TB, change ...func(*Config)) *Node {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Address: AddressFrom(inner.Addr().(*net.TCPAddr).AddrPort())}
	if tt, ok := t.(*testing.T); ok {
		cfg.Log = testr.NewWithOptions(tt, testr.Options{Verbosity: 0})
	}
	for _, f := range change {
		f(&cfg)
	}
	n, err := NewNode(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: n.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "http %s %s", r.Method, r.URL.Path)
	}))}
	listener := n.Listener(inner)
	go server.Serve(listener)
	t.Cleanup(func() {
		listener.Close()
		n.Close()
		server.Close()
	})
	return n
}

// events is a Handler that keeps what it gets.
type events struct {
	messages chan Message
	exits    chan PID
}

func newEvents() *events {
	return &events{messages: make(chan Message, 1024), exits: make(chan PID, 1024)}
}

func (e *events) Message(ctx context.Context, m Message) error {
	select {
	case e.messages <- m:
	case <-ctx.Done():
	}
	return nil
}

func (e *events) Exited(_ context.Context, pid PID) { e.exits <- pid }

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %T came within 10 s", *new(T))
		panic("unreachable")
	}
}

func silent[T any](t testing.TB, c <-chan T, d time.Duration) {
	t.Helper()
	select {
	case v := <-c:
		t.Fatalf("unexpected: %v", v)
	case <-time.After(d):
	}
}

func spawn(t testing.TB, n *Node, id string) (*Process, *events) {
	t.Helper()
	e := newEvents()
	p, err := n.Spawn(id, e)
	if err != nil {
		t.Fatal(err)
	}
	return p, e
}

func TestMessageBetweenNodes(t *testing.T) {
	a, b := testNode(t), testNode(t)
	master, fromAgent := spawn(t, a, "master")
	agent, fromMaster := spawn(t, b, b.NumberedID("slave"))
	if agent.PID().ID != "slave(1)" {
		t.Errorf("agent's ID is %s", agent.PID().ID)
	}
	for _, body := range []string{"", "x", strings.Repeat("large", 1<<20)} {
		if err := master.Send(agent.PID(), "mesos.internal.PingSlaveMessage", []byte(body)); err != nil {
			t.Fatal(err)
		}
		got := receive(t, fromMaster.messages)
		if !got.Remote.IsValid() {
			t.Error("the sender's address is missing")
		}
		got.Remote = netip.AddrPort{}
		want := Message{Name: "mesos.internal.PingSlaveMessage", From: master.PID(), To: agent.PID(), Body: []byte(body)}
		if string(got.Body) != body || got.Name != want.Name || got.From != want.From || got.To != want.To {
			t.Errorf("got %.80v", got)
		}
		if err := agent.Send(got.From, "PONG", nil); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, fromAgent.messages); got.Name != "PONG" || got.From != agent.PID() {
			t.Errorf("got %v", got)
		}
	}
}

func TestStats(t *testing.T) {
	a, b := testNode(t), testNode(t)
	sender, _ := spawn(t, a, "sender")
	receiver, got := spawn(t, b, "receiver")
	nobody := PID{ID: "nobody", Address: receiver.PID().Address}
	for range 3 {
		must(t, sender.Send(nobody, "M", nil))
		must(t, sender.Send(receiver.PID(), "M", []byte("body")))
		receive(t, got.messages)
	}
	for deadline := time.Now().Add(5 * time.Second); (b.receiving.Load() > 0 || a.Stats().Sent < 6) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if diff := cmp.Diff(Stats{Sent: 6, Peers: 1}, a.Stats()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Stats{Received: 3, Refused: 3, Connections: 1}, b.Stats()); diff != "" {
		t.Error(diff)
	}
	b.Close()
	must(t, sender.Send(PID{ID: "x", Address: Address{Host: "127.0.0.1", Port: 1}}, "M", nil))
	for deadline := time.Now().Add(5 * time.Second); a.Stats().Dropped != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", a.Stats())
		}
	}
}

func TestMessagesToOnePeerStayInOrder(t *testing.T) {
	a, b := testNode(t), testNode(t)
	const perSender, senders = 5_000, 3
	var mu sync.Mutex
	next := map[PID]int{}
	done := make(chan error, senders)
	to, err := b.Spawn("receiver", HandlerFuncs{OnMessage: func(_ context.Context, m Message) error {
		mu.Lock()
		defer mu.Unlock()
		if want := fmt.Sprint(next[m.From]); string(m.Body[:len(want)]) != want {
			done <- fmt.Errorf("%s: got %.10q, want %s", m.From, m.Body, want)
		}
		if next[m.From]++; next[m.From] == perSender {
			done <- nil
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range senders {
		p, _ := spawn(t, a, a.NumberedID("sender"))
		go func() {
			for i := range perSender {
				body := fmt.Appendf(nil, "%d %s", i, strings.Repeat(".", i%997))
				if err := p.Send(to.PID(), "Count", body); err != nil {
					done <- err
				}
			}
		}()
	}
	for range senders {
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
	}
}

func TestMessagesOfOneNode(t *testing.T) {
	n := testNode(t)
	a, _ := spawn(t, n, "a")
	b, gotB := spawn(t, n, "b")
	for i := range 100 {
		if err := a.Send(b.PID(), "M", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		m := receive(t, gotB.messages)
		if diff := cmp.Diff(Message{Name: "M", From: a.PID(), To: b.PID(), Body: fmt.Append(nil, i)}, m,
			cmp.Comparer(func(x, y netip.AddrPort) bool { return x == y })); diff != "" {
			t.Fatal(diff)
		}
	}
	if err := a.Link(b.PID(), Reuse); err != nil {
		t.Fatal(err)
	}
	b.Terminate()
	b.Terminate()
}

func TestLocalLinks(t *testing.T) {
	n := testNode(t)
	a, gotA := spawn(t, n, "a")
	b, _ := spawn(t, n, "b")
	if err := a.Link(b.PID(), Reuse); err != nil {
		t.Fatal(err)
	}
	silent(t, gotA.exits, 20*time.Millisecond)
	b.Terminate()
	if got := receive(t, gotA.exits); got != b.PID() {
		t.Errorf("exited %s", got)
	}
	// Nobody there: it exited.
	if err := a.Link(b.PID(), Reuse); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, gotA.exits); got != b.PID() {
		t.Errorf("exited %s", got)
	}
	c, _ := spawn(t, n, "b") // the ID is free again
	if err := a.Link(c.PID(), Reuse); err != nil {
		t.Fatal(err)
	}
	a.Unlink(c.PID())
	c.Terminate()
	silent(t, gotA.exits, 20*time.Millisecond)
}

func TestUnusableArguments(t *testing.T) {
	n := testNode(t)
	p, _ := spawn(t, n, "p")
	somewhere := PID{ID: "x", Address: Address{Host: "127.0.0.1", Port: 1}}
	if _, err := n.Spawn("p", newEvents()); !errors.Is(err, ErrDuplicateID) {
		t.Errorf("second p: %v", err)
	}
	if _, err := n.Spawn("a b", newEvents()); !errors.Is(err, ErrBadPID) {
		t.Errorf("ID with a space: %v", err)
	}
	if err := p.Send(somewhere, "a/b", nil); !errors.Is(err, ErrBadMessage) {
		t.Errorf("name with a slash: %v", err)
	}
	if err := p.Send(somewhere, "a HTTP/1.1\r\nX: y", nil); !errors.Is(err, ErrBadMessage) {
		t.Errorf("name with a header: %v", err)
	}
	if err := p.Send(PID{ID: "x"}, "M", nil); !errors.Is(err, ErrBadPID) {
		t.Errorf("no address: %v", err)
	}
	if err := p.Link(PID{}, Reuse); !errors.Is(err, ErrBadPID) {
		t.Errorf("link to nothing: %v", err)
	}
	p.Terminate()
	if err := p.Send(somewhere, "M", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("send of an ended process: %v", err)
	}
	if err := p.Link(somewhere, Reuse); !errors.Is(err, ErrClosed) {
		t.Errorf("link of an ended process: %v", err)
	}
	n.Close()
	if _, err := n.Spawn("q", newEvents()); !errors.Is(err, ErrClosed) {
		t.Errorf("spawn on a closed node: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	n := testNode(t)
	entered := make(chan struct{})
	blocked, err := n.Spawn("blocked", HandlerFuncs{OnMessage: func(ctx context.Context, _ Message) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	other := testNode(t)
	sender, exits := spawn(t, other, "sender")
	if err := sender.Link(blocked.PID(), Reuse); err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(blocked.PID(), "M", nil); err != nil {
		t.Fatal(err)
	}
	receive(t, entered)
	n.Close()
	if got := receive(t, exits.exits); got != blocked.PID() {
		t.Errorf("exited %s", got)
	}
}

// request sends raw bytes to a node and returns the open connection.
func request(t testing.TB, n *Node, raw string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", n.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return conn, bufio.NewReader(conn)
}
