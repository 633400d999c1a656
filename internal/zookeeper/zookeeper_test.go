package zookeeper_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
)

func session(t *testing.T, u zookeeper.URL) *zookeeper.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	s, err := zookeeper.Open(ctx, zookeeper.Config{URL: u, Timeout: 3 * time.Second, Log: testr.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func info(id string) *mesos.MasterInfo {
	return &mesos.MasterInfo{
		Id: &id, Ip: new(uint32(16777343)), Port: new(uint32(5050)), Pid: new("master@127.0.0.1:5050"), Hostname: new("h"),
		Version: new("1.11.0"), Address: &mesos.Address{Hostname: new("h"), Ip: new("127.0.0.1"), Port: new(int32(5050))},
	}
}

func TestZooKeeper(t *testing.T) {
	e := zktest.Start(t, 1)
	for name, test := range map[string]func(*testing.T, *zktest.Ensemble){
		"nodes":                     nodes,
		"access":                    access,
		"the group":                 group,
		"old formats of the leader": oldFormats,
		"a session is cut off":      cutOff,
		"a server that only hangs":  hangs,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
	t.Run("the server is killed", func(t *testing.T) { killed(t, e) }) // at last
}

func nodes(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	s, ctx := session(t, u), t.Context()
	if _, _, err := s.Get(ctx, u.Path); !errors.Is(err, zookeeper.ErrNoNode) {
		t.Errorf("reading what isn't there: %v", err)
	}
	for range 2 {
		if err := s.Ensure(ctx, u.Join("a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Commit(ctx, zookeeper.Write{Path: u.Join("a", "x"), Data: []byte("1"), Version: zookeeper.New},
		zookeeper.Write{Path: u.Join("a", "b"), Data: []byte("2")})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(ctx, zookeeper.Write{Path: u.Join("a", "y"), Version: zookeeper.New},
		zookeeper.Write{Path: u.Join("a", "b"), Data: []byte("3")}) // its version is 1 now
	if !errors.Is(err, zookeeper.ErrVersion) {
		t.Errorf("replacing an old version: %v", err)
	}
	names, _, err := s.Children(ctx, u.Join("a"))
	if diff := cmp.Diff(map[string]bool{"b": true, "x": true}, set(names)); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if data, version, err := s.Get(ctx, u.Join("a", "b")); string(data) != "2" || version != 1 || err != nil {
		t.Errorf("read %q, version %d, %v", data, version, err)
	}
	for range 2 {
		if err := s.Delete(ctx, u.Join("a", "x")); err != nil {
			t.Error(err)
		}
	}
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	return out
}

// access: with credentials everybody may read and only they may write.
func access(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "mesos:secret")
	ctx := t.Context()
	if err := session(t, u).Ensure(ctx, u.Join("x")); err != nil {
		t.Fatal(err)
	}
	other := u
	other.Credentials = "somebody:else"
	s := session(t, other)
	if _, _, err := s.Get(ctx, u.Join("x")); err != nil {
		t.Errorf("reading as somebody else: %v", err)
	}
	err := s.Commit(ctx, zookeeper.Write{Path: u.Join("x"), Data: []byte("1")})
	if !errors.Is(err, zookeeper.ErrDenied) {
		t.Errorf("writing as somebody else: %v", err)
	}
	raw, _, err := zk.Connect(u.Servers, time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	acl, _, err := raw.GetACL(u.Join("x"))
	var got []string
	for _, a := range acl {
		got = append(got, fmt.Sprintf("%s:%s:%d", a.Scheme, strings.Split(a.ID, ":")[0], a.Perms))
	}
	if diff := cmp.Diff([]string{"world:anyone:1", "digest:mesos:31"}, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func group(t *testing.T, e *zktest.Ensemble) {
	u, ctx := e.URL(t, ""), t.Context()
	a, b := session(t, u), session(t, u)
	first, err := zookeeper.NewGroup(a, u).Join(ctx, info("a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := zookeeper.NewGroup(b, u).Join(ctx, info("b"))
	if err != nil || first.Sequence >= second.Sequence || !strings.HasPrefix(first.Name, "json.info_00000") {
		t.Fatalf("members %v and %v, %v", first, second, err)
	}
	data, _, err := b.Get(ctx, u.Join(first.Name))
	want := `{"id":"a","ip":16777343,"port":5050,"pid":"master@127.0.0.1:5050","hostname":"h","version":"1.11.0",` +
		`"address":{"hostname":"h","ip":"127.0.0.1","port":5050}}`
	if err != nil || string(data) != want {
		t.Errorf("node %s, %v\nwant %s", data, err, want)
	}
	// "log_replicas" of Mesos stands beside the masters.
	if err := b.Ensure(ctx, u.Join("log_replicas")); err != nil {
		t.Fatal(err)
	}
	g := zookeeper.NewGroup(b, u)
	leader := func() (string, <-chan zk.Event) {
		t.Helper()
		names, changed, err := g.Members(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, leads, err := g.Leader(ctx, names)
		if err != nil {
			t.Fatal(err)
		}
		return leads.GetId(), changed
	}
	id, changed := leader()
	if id != "a" {
		t.Errorf("leader %q, want a", id)
	}
	a.Close()
	<-changed
	if id, _ = leader(); id != "b" {
		t.Errorf("leader %q, want b", id)
	}
	if err := g.Leave(ctx, second); err != nil {
		t.Fatal(err)
	}
	if id, _ = leader(); id != "" {
		t.Errorf("leader %q of an empty group", id)
	}
}

func oldFormats(t *testing.T, e *zktest.Ensemble) {
	u, ctx := e.URL(t, ""), t.Context()
	s := session(t, u)
	if err := s.Ensure(ctx, u.Path); err != nil {
		t.Fatal(err)
	}
	g := zookeeper.NewGroup(s, u)
	for name, tt := range map[string]struct{ data, pid, err string }{
		"info_0000000001":      {data: "\x0a\x01m\x10\x01\x18\xba\x27\x22\x0amaster@x:1", pid: "master@x:1"},
		"0000000002":           {data: "master@y:2", pid: "master@y:2"},
		"json.info_0000000003": {data: `{"id":"m","ip":1,"port":5050,"pid":"master@z:3","unknown":[{}]}`, pid: "master@z:3"},
		"json.info_0000000004": {data: "{", err: "json.info_0000000004"},
		"other_0000000005":     {data: "x", err: "not known"},
	} {
		if err := s.Create(ctx, u.Join(name), []byte(tt.data)); err != nil {
			t.Fatal(err)
		}
		_, leads, err := g.Leader(ctx, []string{name})
		if leads.GetPid() != tt.pid || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v", name, leads.GetPid(), err)
		}
	}
}

// proxy is a way to the ensemble that can be cut.
type proxy struct {
	address string
	mu      sync.Mutex
	silent  bool
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{address: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			go p.copy(c, server)
			go p.copy(server, c)
		}
	}()
	return p
}

// copy drops what it reads while the way is cut, as a network does.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if n > 0 && !silent {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}

func (p *proxy) cut(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
}

// cutOff: the member knows that it lost its place no later than the others can
// see it, although nothing tells it so.
func cutOff(t *testing.T, e *zktest.Ensemble) {
	u, ctx := e.URL(t, ""), t.Context()
	p := newProxy(t, e.Servers[0].Address)
	far := u
	far.Servers = []string{p.address}
	s := session(t, far)
	member, err := zookeeper.NewGroup(s, far).Join(ctx, info("a"))
	if err != nil {
		t.Fatal(err)
	}
	near := session(t, u)
	p.cut(true)
	begin := time.Now()
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the session goes on")
	}
	t.Logf("over after %v: %v", time.Since(begin), s.Err())
	if _, _, err := near.Get(ctx, u.Join(member.Name)); err != nil {
		t.Errorf("the others saw it first: %v", err)
	}
	if _, _, err := s.Get(ctx, "/"); !errors.Is(err, zookeeper.ErrLost) {
		t.Errorf("a call of a lost session: %v", err)
	}
}

// hangs: a server that accepts connections and says nothing is no session, and
// no reason to wait for longer than the caller does.
func hangs(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	p := newProxy(t, e.Servers[0].Address)
	p.cut(true)
	u.Servers = []string{p.address}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := zookeeper.Open(ctx, zookeeper.Config{URL: u, Timeout: 500 * time.Millisecond, Log: testr.New(t)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	go func() { time.Sleep(time.Second); p.cut(false) }()
	session(t, u)
}

// killed: who watches learns that nobody can tell, and again who leads.
func killed(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	member := session(t, u)
	if _, err := zookeeper.NewGroup(member, u).Join(t.Context(), info("a")); err != nil {
		t.Fatal(err)
	}
	leaders := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cfg := zookeeper.Config{URL: u, Timeout: 2 * time.Second, Log: testr.New(t)}
		zookeeper.Watch(ctx, cfg, func(m *mesos.MasterInfo) { leaders <- m.GetId() })
	}()
	await := func(want string) {
		t.Helper()
		select {
		case got := <-leaders:
			if got != want {
				t.Errorf("leader %q, want %q", got, want)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("nobody says that %q leads", want)
		}
	}
	await("a")
	e.Servers[0].Kill()
	await("")
	<-member.Done()
	e.Servers[0].Start()
	e.Servers[0].Await()
	if _, err := zookeeper.NewGroup(session(t, u), u).Join(t.Context(), info("b")); err != nil {
		t.Fatal(err)
	}
	// The node of the first may outlive the server's restart until its session ends.
	for got := ""; got != "b"; {
		select {
		case got = <-leaders:
		case <-time.After(60 * time.Second):
			t.Fatal("nobody says that b leads")
		}
	}
	cancel()
	<-watched
}
