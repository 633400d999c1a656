package cram

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/internal/auth"
	"github.com/mesos-operator/mesos-operator/internal/libprocess"
	"github.com/mesos-operator/mesos-operator/internal/libprocess/typed"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newNode is a node on the loopback interface.
func newNode(t *testing.T) *libprocess.Node {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := libprocess.AddressFrom(inner.Addr().(*net.TCPAddr).AddrPort())
	n, err := libprocess.NewNode(libprocess.Config{Address: address, Log: testr.New(t)})
	must(t, err)
	server := &http.Server{Handler: n.Handler(http.NotFoundHandler())}
	go server.Serve(n.Listener(inner))
	t.Cleanup(func() { n.Close(); server.Close() })
	return n
}

// master is a node with an authenticator behind the process "master".
type master struct {
	*Authenticator
	pid libprocess.PID
}

func newMaster(t *testing.T, change ...func(*Config)) *master {
	t.Helper()
	node := newNode(t)
	cfg := Config{Node: node, Credentials: auth.NewCredentials(
		auth.Credential{Principal: "agent", Secret: "s3cret"}, auth.Credential{Principal: "with space", Secret: "x"},
		auth.Credential{Principal: "empty"},
	), Log: testr.New(t)}
	for _, f := range change {
		f(&cfg)
	}
	a, err := New(cfg)
	must(t, err)
	t.Cleanup(a.Close)
	mux := typed.NewMux()
	typed.Handle(mux, func(_ context.Context, from libprocess.PID, m *messages.AuthenticateMessage) error {
		return a.Begin(from, m)
	})
	p, err := node.Spawn("master", libprocess.HandlerFuncs{OnMessage: mux.Message})
	must(t, err)
	return &master{a, p.PID()}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAuthenticate(t *testing.T) {
	m := newMaster(t)
	for name, c := range map[string]struct {
		credential auth.Credential
		want       error
	}{
		"agent":            {auth.Credential{Principal: "agent", Secret: "s3cret"}, nil},
		"space in name":    {auth.Credential{Principal: "with space", Secret: "x"}, nil},
		"wrong secret":     {auth.Credential{Principal: "agent", Secret: "other"}, ErrRefused},
		"unknown":          {auth.Credential{Principal: "nobody", Secret: "s3cret"}, ErrRefused},
		"no secret":        {auth.Credential{Principal: "agent"}, ErrRefused},
		"empty on server":  {auth.Credential{Principal: "empty", Secret: "x"}, ErrRefused},
		"no name":          {auth.Credential{Principal: "", Secret: "x"}, ErrExchange},
		"another's secret": {auth.Credential{Principal: "with space", Secret: "s3cret"}, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			node := newNode(t)
			client := libprocess.PID{ID: "slave(1)", Address: node.Address()}
			err := Authenticate(within(t), node, m.pid, client, c.credential)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			want := ""
			if c.want == nil {
				want = c.credential.Principal
			}
			if got := m.Principal(client); got != want {
				t.Errorf("principal %q, want %q", got, want)
			}
		})
	}
}

func TestWithoutCredentialsAllAreRefused(t *testing.T) {
	m, node := newMaster(t, func(c *Config) { c.Credentials = nil }), newNode(t)
	client := libprocess.PID{ID: "slave(1)", Address: node.Address()}
	err := Authenticate(within(t), node, m.pid, client, auth.Credential{Principal: "agent", Secret: "s3cret"})
	if !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestAuthenticatingAgainEndsWhatWasKnown(t *testing.T) {
	m, node := newMaster(t), newNode(t)
	client := libprocess.PID{ID: "slave(1)", Address: node.Address()}
	good := auth.Credential{Principal: "agent", Secret: "s3cret"}
	for range 3 {
		must(t, Authenticate(within(t), node, m.pid, client, good))
		if m.Principal(client) != "agent" {
			t.Fatal("not authenticated")
		}
	}
	if err := Authenticate(within(t), node, m.pid, client, auth.Credential{Principal: "agent", Secret: "no"}); !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	if p := m.Principal(client); p != "" {
		t.Errorf("still authenticated as %q", p)
	}
	if other := (libprocess.PID{ID: "slave(2)", Address: node.Address()}); m.Principal(other) != "" {
		t.Error("another process is authenticated")
	}
}

func TestTheEndOfANodeEndsItsAuthentication(t *testing.T) {
	m, node := newMaster(t), newNode(t)
	client := libprocess.PID{ID: "slave(1)", Address: node.Address()}
	must(t, Authenticate(within(t), node, m.pid, client, auth.Credential{Principal: "agent", Secret: "s3cret"}))
	node.Close()
	for deadline := time.Now().Add(10 * time.Second); m.Principal(client) != ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still authenticated")
		}
	}
}

func TestAMasterThatIsGone(t *testing.T) {
	node, gone := newNode(t), newNode(t)
	gone.Close()
	err := Authenticate(within(t), node, libprocess.PID{ID: "master", Address: gone.Address()},
		libprocess.PID{ID: "slave(1)", Address: node.Address()}, auth.Credential{Principal: "agent", Secret: "s3cret"})
	if !errors.Is(err, ErrLost) {
		t.Error(err)
	}
}

func TestAMasterThatDoesNotAnswer(t *testing.T) {
	node, silent := newNode(t), newNode(t)
	p, err := silent.Spawn("master", libprocess.HandlerFuncs{})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = Authenticate(ctx, node, p.PID(), libprocess.PID{ID: "slave(1)", Address: node.Address()},
		auth.Credential{Principal: "agent", Secret: "s3cret"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// talker is a client that says what it is told to.
type talker struct {
	t       *testing.T
	process *libprocess.Process
	got     chan libprocess.Message
	session libprocess.PID
}

func newTalker(t *testing.T, m *master) *talker {
	t.Helper()
	x := &talker{t: t, got: make(chan libprocess.Message, 16)}
	var err error
	x.process, err = newNode(t).Spawn("talker", libprocess.HandlerFuncs{
		OnMessage: func(_ context.Context, m libprocess.Message) error { x.got <- m; return nil },
	})
	must(t, err)
	x.say(m.pid, &messages.AuthenticateMessage{Pid: new(x.process.PID().String())})
	x.session = x.expect(&messages.AuthenticationMechanismsMessage{}).From
	return x
}

func (x *talker) say(to libprocess.PID, m proto.Message) {
	x.t.Helper()
	must(x.t, typed.Send(x.process, to, m))
}

func (x *talker) expect(m proto.Message) libprocess.Message {
	x.t.Helper()
	select {
	case got := <-x.got:
		if got.Name != typed.NameOf(m) {
			x.t.Fatalf("got %s, want %s", got.Name, typed.NameOf(m))
		}
		must(x.t, proto.Unmarshal(got.Body, m))
		return got
	case <-time.After(10 * time.Second):
		x.t.Fatalf("no %s came", typed.NameOf(m))
		return libprocess.Message{}
	}
}

func TestClientsThatBreakTheRules(t *testing.T) {
	start := func(mechanism, data string) *messages.AuthenticationStartMessage {
		return &messages.AuthenticationStartMessage{Mechanism: &mechanism, Data: []byte(data)}
	}
	step := func(data string) *messages.AuthenticationStepMessage {
		return &messages.AuthenticationStepMessage{Data: []byte(data)}
	}
	for name, say := range map[string][]proto.Message{
		"another mechanism": {start("PLAIN", "")},
		"first response":    {start(Mechanism, "x")},
		"step first":        {step("agent 00")},
		"start twice":       {start(Mechanism, ""), start(Mechanism, "")},
		"no digest":         {start(Mechanism, ""), step("agent")},
		"short digest":      {start(Mechanism, ""), step("agent 00")},
		"no hex":            {start(Mechanism, ""), step("agent zz000000000000000000000000000000")},
		"empty":             {start(Mechanism, ""), step("")},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMaster(t)
			x := newTalker(t, m)
			for i, message := range say {
				x.say(x.session, message)
				if i < len(say)-1 {
					x.expect(&messages.AuthenticationStepMessage{})
				}
			}
			got := &messages.AuthenticationErrorMessage{}
			x.expect(got)
			if got.GetError() == "" {
				t.Error("no reason is given")
			}
			if p := m.Principal(x.process.PID()); p != "" {
				t.Errorf("authenticated as %q", p)
			}
		})
	}
}

func TestNobodySpeaksForAnotherNode(t *testing.T) {
	m, node := newMaster(t), newNode(t)
	x := newTalker(t, m)
	x.say(m.pid, &messages.AuthenticateMessage{Pid: new("slave(1)@" + node.Address().String())})
	x.expect(&messages.AuthenticationErrorMessage{})

	// Nor goes an exchange on with somebody else.
	other := newTalker(t, m)
	other.say(x.session, &messages.AuthenticationStartMessage{Mechanism: new(Mechanism)})
	x.say(x.session, &messages.AuthenticationStartMessage{Mechanism: new(Mechanism)})
	x.expect(&messages.AuthenticationStepMessage{})
	select {
	case got := <-other.got:
		t.Errorf("a stranger got %s", got.Name)
	default:
	}
}

func TestAnExchangeThatTakesTooLongEnds(t *testing.T) {
	m := newMaster(t, func(c *Config) { c.Timeout = 10 * time.Millisecond })
	x := newTalker(t, m)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		n := len(m.sessions)
		m.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the session is still there")
		}
	}
	x.say(x.session, &messages.AuthenticationStartMessage{Mechanism: new(Mechanism)})
	select {
	case got := <-x.got:
		t.Errorf("got %s", got.Name)
	case <-time.After(20 * time.Millisecond):
	}
}

func TestSessionsAreBounded(t *testing.T) {
	m := newMaster(t, func(c *Config) { c.MaxSessions = 1 })
	first := newTalker(t, m)
	second := &talker{t: t, got: make(chan libprocess.Message, 1)}
	var err error
	second.process, err = newNode(t).Spawn("talker", libprocess.HandlerFuncs{
		OnMessage: func(_ context.Context, m libprocess.Message) error { second.got <- m; return nil },
	})
	must(t, err)
	second.say(m.pid, &messages.AuthenticateMessage{Pid: new(second.process.PID().String())})
	second.expect(&messages.AuthenticationErrorMessage{})
	// Whoever begins anew gives up its own session first.
	first.say(m.pid, &messages.AuthenticateMessage{Pid: new(first.process.PID().String())})
	first.expect(&messages.AuthenticationMechanismsMessage{})
}

// RFC 2195 has this example.
func TestDigest(t *testing.T) {
	got := respond("tim", "tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>")
	if want := "tim b913a602c7eda7a495b4e6e7334d3890"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if a, b := newChallenge("h", time.Now()), newChallenge("h", time.Now()); a == b {
		t.Error("two challenges are the same")
	}
}

func FuzzResponse(f *testing.F) {
	credentials := auth.NewCredentials(auth.Credential{Principal: "p", Secret: "s"})
	f.Add([]byte(respond("p", "s", "<c>")))
	f.Add([]byte("p 00"))
	f.Add([]byte(" 00000000000000000000000000000000"))
	f.Add([]byte("p  "))
	f.Fuzz(func(t *testing.T, data []byte) {
		principal, ok, err := verify(credentials, "<c>", data)
		if ok && (err != nil || string(data) != respond("p", "s", "<c>") && principal != "p") {
			t.Errorf("%q is accepted as %q", data, principal)
		}
	})
}
