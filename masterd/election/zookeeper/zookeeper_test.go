package zookeeper_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	zk "github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
	"github.com/mesos-operator/mesos-operator/masterd/election"
	"github.com/mesos-operator/mesos-operator/masterd/election/zookeeper"
)

const patience = 60 * time.Second

// arena watches that at most one master leads.
type arena struct {
	t       *testing.T
	url     zk.URL
	leading atomic.Int32
	terms   chan string // IDs that begin to lead
	ids     atomic.Int32
}

func newArena(t *testing.T, e *zktest.Ensemble) *arena {
	return &arena{t: t, url: e.URL(t, ""), terms: make(chan string, 100)}
}

// contender is a master of the arena.
type contender struct {
	*zookeeper.Elector
	stop context.CancelFunc
	done chan error
	fail chan error // what ends its term
}

func (a *arena) config(name string) zookeeper.Config {
	return zookeeper.Config{URL: a.url, Timeout: 2 * time.Second, Log: testr.New(a.t), Identify: func() *mesos.MasterInfo {
		return master(name, fmt.Sprintf("%s-%d", name, a.ids.Add(1)))
	}}
}

func master(name, id string) *mesos.MasterInfo {
	return &mesos.MasterInfo{Id: &id, Ip: new(uint32(1)), Port: new(uint32(5050)), Pid: new("master@" + name + ":5050"), Hostname: &name}
}

func (a *arena) enter(name string) *contender {
	c := &contender{Elector: zookeeper.New(a.config(name)), done: make(chan error, 1), fail: make(chan error, 1)}
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	go func() { c.done <- c.Run(ctx, a.term(c)) }()
	a.t.Cleanup(func() {
		c.stop()
		select {
		case <-c.done:
		case <-time.After(patience):
			a.t.Error("a contender doesn't stop")
		}
		c.done <- nil
	})
	return c
}

func (a *arena) term(c *contender) election.Term {
	return func(ctx context.Context, self *mesos.MasterInfo) error {
		if n := a.leading.Add(1); n != 1 {
			a.t.Errorf("%d masters lead", n)
		}
		defer a.leading.Add(-1)
		a.terms <- self.GetId()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.fail:
			return err
		}
	}
}

// await returns the next leader.
func (a *arena) await() string {
	a.t.Helper()
	select {
	case id := <-a.terms:
		return id
	case <-time.After(patience):
		a.t.Fatal("nobody leads")
		return ""
	}
}

// agree waits until all contenders name the leader.
func (a *arena) agree(id string, contenders ...*contender) {
	a.t.Helper()
	for _, c := range contenders {
		for deadline := time.Now().Add(patience); c.Leader().GetId() != id; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				a.t.Fatalf("leader %q, want %q", c.Leader().GetId(), id)
			}
		}
	}
}

func (a *arena) session() (*zk.Session, *zk.Group) {
	a.t.Helper()
	s, err := zk.Open(a.t.Context(), zk.Config{URL: a.url, Timeout: 2 * time.Second})
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(s.Close)
	return s, zk.NewGroup(s, a.url)
}

func (a *arena) members() []string {
	a.t.Helper()
	_, g := a.session()
	names, _, err := g.Members(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	return names
}

func TestElection(t *testing.T) {
	e := zktest.Start(t, 1)
	for name, test := range map[string]func(*testing.T, *zktest.Ensemble){
		"one leads, the next follows":       succession,
		"a term that fails":                 failing,
		"a term that is deposed":            deposed,
		"the node of the leader is removed": removed,
		"a leader shows itself":             published,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
	t.Run("ZooKeeper stops for a while", func(t *testing.T) { pause(t, e) })
}

func succession(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	first := a.enter("a")
	id := a.await()
	second := a.enter("b")
	a.agree(id, first, second)
	begin := time.Now()
	first.stop()
	next := a.await()
	t.Logf("the next leads %v after the first stopped", time.Since(begin))
	if next == id {
		t.Error("the same leads again")
	}
	a.agree(next, second)
	if err := <-first.done; err != nil {
		t.Error(err)
	}
	first.done <- nil
	if names := a.members(); len(names) != 1 {
		t.Errorf("members %v, want one", names)
	}
}

func failing(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	c := a.enter("a")
	a.await()
	failure := errors.New("no registry")
	c.fail <- failure
	if err := <-c.done; !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	c.done <- nil
	if names := a.members(); len(names) != 0 {
		t.Errorf("members %v after the only one failed", names)
	}
}

func deposed(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	c := a.enter("a")
	id := a.await()
	c.fail <- fmt.Errorf("writing: %w", election.ErrDeposed)
	if next := a.await(); next == id {
		t.Error("the ID of an earlier term")
	}
	if names := a.members(); len(names) != 1 {
		t.Errorf("members %v, want one", names)
	}
}

func removed(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	c := a.enter("a")
	id := a.await()
	s, _ := a.session()
	if err := s.Delete(t.Context(), a.url.Join(a.members()[0])); err != nil {
		t.Fatal(err)
	}
	next := a.await()
	if next == id {
		t.Error("the ID of an earlier term")
	}
	a.agree(next, c)
}

// pause: when ZooKeeper can't be reached for longer than a session may last, the
// leader stops leading by itself.
func pause(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	first, second := a.enter("a"), a.enter("b")
	id := a.await()
	a.agree(id, first, second)
	e.Servers[0].Pause()
	begin := time.Now()
	for a.leading.Load() != 0 {
		if time.Since(begin) > patience {
			t.Fatal("it leads without ZooKeeper")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("the leader stopped after %v", time.Since(begin))
	a.agree("", first, second)
	e.Servers[0].Resume()
	a.agree(a.await(), first, second)
}

// published: with leaders elected elsewhere there is one node, whatever became
// of the leader before.
func published(t *testing.T, e *zktest.Ensemble) {
	a := newArena(t, e)
	s, g := a.session()
	foreign, err := g.Join(t.Context(), master("foreign", "foreign"))
	if err != nil {
		t.Fatal(err)
	}
	stale, err := g.Join(t.Context(), master("a", "old")) // of a leader that crashed
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	b := zookeeper.NewPublisher(a.config("b"))
	running.Go(func() { b.Run(ctx) })
	b.Lead(master("b", "b-1"), master("a", "old"))
	awaitMembers(t, a, g, "foreign", "b-1")
	if err := g.Leave(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, a, g, "b-1")
	if _, _, err := s.Get(t.Context(), a.url.Join(stale.Name)); !errors.Is(err, zk.ErrNoNode) {
		t.Errorf("the node of the crashed leader: %v", err)
	}
	b.Lead(master("b", "b-2"), nil) // another term
	awaitMembers(t, a, g, "b-2")
	b.Follow()
	awaitMembers(t, a, g)
	b.Lead(master("b", "b-3"), nil)
	awaitMembers(t, a, g, "b-3")
	stop()
	running.Wait()
	awaitMembers(t, a, g)
}

func awaitMembers(t *testing.T, a *arena, g *zk.Group, want ...string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		names, _, err := g.Members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, m := range zk.ParseMembers(names) {
			if info, _ := g.Info(t.Context(), m); info != nil {
				got = append(got, info.GetId())
			}
		}
		if len(want) == 1 && len(got) > 1 && got[0] != "foreign" && got[1] != "foreign" {
			t.Errorf("two leaders at a time: %v", got)
		}
		if fmt.Sprint(sorted(got)) == fmt.Sprint(sorted(want)) {
			return
		}
	}
	t.Fatalf("members %v, want %v", got, want)
}

func sorted(list []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}
