package zookeeper_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	zk "github.com/mesos-operator/mesos-operator/internal/zookeeper"
	"github.com/mesos-operator/mesos-operator/internal/zookeeper/zktest"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
	"github.com/mesos-operator/mesos-operator/masterd/registry/zookeeper"
)

func open(t *testing.T, u zk.URL) *zookeeper.Store {
	t.Helper()
	s := zookeeper.Open(zookeeper.Config{URL: u, Timeout: 3 * time.Second, Log: testr.New(t)})
	t.Cleanup(func() { s.Close() })
	return s
}

func lead(t *testing.T, s *zookeeper.Store, id string) registry.Term {
	t.Helper()
	term, _, err := s.Lead(t.Context(), storetest.Master(id))
	if err != nil {
		t.Fatal(err)
	}
	return term
}

func admit(ids ...string) (ops []op.Operation) {
	for _, id := range ids {
		ops = append(ops, op.AdmitAgent{Info: storetest.Agent(id)})
	}
	return ops
}

func TestStore(t *testing.T) {
	e := zktest.Start(t, 1)
	for name, credentials := range map[string]string{"open": "", "with credentials": "mesos:secret"} {
		t.Run(name, func(t *testing.T) {
			urls := map[string]zk.URL{} // by the suite's directory
			storetest.Suite{Durable: true, Open: func(t *testing.T, dir string) registry.Store {
				if _, ok := urls[dir]; !ok {
					urls[dir] = e.URL(t, credentials)
				}
				return open(t, urls[dir])
			}}.Run(t)
		})
	}
	t.Run("a deposed leader can't write", func(t *testing.T) { deposed(t, e) })
	t.Run("one of several leads", func(t *testing.T) { rivals(t, e) })
	t.Run("a large registry", func(t *testing.T) { large(t, e) })
	t.Run("the log is replaced", func(t *testing.T) { compacts(t, e) })
	t.Run("damage is reported", func(t *testing.T) { damaged(t, e) })
}

func deposed(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	a, b := open(t, u), open(t, u)
	old := lead(t, a, "a")
	if _, err := old.Apply(t.Context(), admit("1")); err != nil {
		t.Fatal(err)
	}
	term, reg, err := b.Lead(t.Context(), storetest.Master("b"))
	if diff := cmp.Diff([]string{"1"}, storetest.Admitted(reg)); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	for range 2 {
		if _, err := old.Apply(t.Context(), admit("2")); !errors.Is(err, registry.ErrNotLeader) {
			t.Errorf("the deposed leader: %v", err)
		}
	}
	if _, err := term.Apply(t.Context(), admit("3")); err != nil {
		t.Fatal(err)
	}
	lead(t, a, "a")
	if diff := cmp.Diff([]string{"1", "3"}, storetest.Admitted(a.Snapshot())); diff != "" {
		t.Error(diff)
	}
}

// rivals: members that believe that they lead, all at the same time, write
// nothing over each other and lose nothing that was acknowledged.
func rivals(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	var acknowledged sync.Map
	var work sync.WaitGroup
	for i := range 4 {
		s := open(t, u)
		work.Go(func() {
			for round := range 10 {
				term, _, err := s.Lead(t.Context(), storetest.Master(fmt.Sprint(i)))
				if err != nil {
					if !errors.Is(err, registry.ErrNotLeader) {
						t.Errorf("leading: %v", err)
					}
					continue
				}
				for n := range 3 {
					id := fmt.Sprintf("%d-%d-%d", i, round, n)
					if _, err := term.Apply(t.Context(), admit(id)); err == nil {
						acknowledged.Store(id, true)
					} else if !errors.Is(err, registry.ErrNotLeader) {
						t.Errorf("writing: %v", err)
					}
				}
			}
		})
	}
	work.Wait()
	s := open(t, u)
	lead(t, s, "x")
	there := map[string]bool{}
	for _, id := range storetest.Admitted(s.Snapshot()) {
		there[id] = true
	}
	n := 0
	acknowledged.Range(func(id, _ any) bool {
		n++
		if !there[id.(string)] {
			t.Errorf("agent %s was acknowledged and is lost", id)
		}
		return true
	})
	if n == 0 || n != len(there) {
		t.Errorf("%d acknowledged, %d there", n, len(there))
	}
}

// fat is an agent of about 10 kB.
func fat(id string) *mesos.AgentInfo {
	info := storetest.Agent(id)
	info.Attributes = []*mesos.Attribute{{
		Name: new("text"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new(strings.Repeat(id, 10<<10/len(id)))},
	}}
	return info
}

// large: a registry and single writes far beyond the size of a node.
func large(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	s := open(t, u)
	term := lead(t, s, "a")
	const batches, agents = 3, 400
	for b := range batches {
		var ops []op.Operation
		for i := range agents {
			ops = append(ops, op.AdmitAgent{Info: fat(fmt.Sprintf("%d-%d", b, i))})
		}
		begin := time.Now()
		if _, err := term.Apply(t.Context(), ops); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d agents, 4 MB, in %v", agents, time.Since(begin))
	}
	other := open(t, u)
	begin := time.Now()
	term = lead(t, other, "b")
	t.Logf("another leads after %v", time.Since(begin))
	if n := len(storetest.Admitted(other.Snapshot())); n != batches*agents {
		t.Errorf("%d agents, want %d", n, batches*agents)
	}
	if _, err := term.Apply(t.Context(), admit("small")); err != nil {
		t.Error(err)
	}
}

// compacts: many small writes don't leave many nodes.
func compacts(t *testing.T, e *zktest.Ensemble) {
	u := e.URL(t, "")
	s := open(t, u)
	term := lead(t, s, "a")
	begin := time.Now()
	const writes = 1200
	for i := range writes {
		if _, err := term.Apply(t.Context(), admit(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d writes, %v each", writes, time.Since(begin)/writes)
	if names := children(t, u); len(names) > 1010 {
		t.Errorf("%d nodes", len(names))
	}
	other := open(t, u)
	lead(t, other, "b")
	if n := len(storetest.Admitted(other.Snapshot())); n != writes {
		t.Errorf("%d agents, want %d", n, writes)
	}
	if names := children(t, u); len(names) != 1 {
		t.Errorf("nodes %v, want one snapshot", names)
	}
}

func session(t *testing.T, u zk.URL) *zk.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	s, err := zk.Open(ctx, zk.Config{URL: u, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func children(t *testing.T, u zk.URL) []string {
	t.Helper()
	names, _, err := session(t, u).Children(t.Context(), u.Join("log_replicas", "registry"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func damaged(t *testing.T, e *zktest.Ensemble) {
	for name, damage := range map[string]func(t *testing.T, u zk.URL, s *zk.Session, part string){
		"a part is gone": func(t *testing.T, u zk.URL, s *zk.Session, part string) {
			if err := s.Delete(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		},
		"a part is another": func(t *testing.T, u zk.URL, s *zk.Session, part string) {
			if err := s.Commit(t.Context(), zk.Write{Path: part, Data: []byte("x")}); err != nil {
				t.Fatal(err)
			}
		},
		"a newer format": func(t *testing.T, u zk.URL, s *zk.Session, part string) {
			head := filepath.Dir(part)
			_, version, err := s.Get(t.Context(), head)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(t.Context(), zk.Write{Path: head, Data: []byte(`{"format":2}`), Version: version}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := e.URL(t, "")
			if _, err := lead(t, open(t, u), "a").Apply(t.Context(), admit("1")); err != nil {
				t.Fatal(err)
			}
			damage(t, u, session(t, u), u.Join("log_replicas", "registry", children(t, u)[0]))
			if _, _, err := open(t, u).Lead(t.Context(), storetest.Master("b")); !errors.Is(err, zookeeper.ErrDamaged) {
				t.Errorf("error %v, want %v", err, zookeeper.ErrDamaged)
			}
		})
	}
}

// TestEnsembleFails kills servers under a leader that writes, one after the
// other and then all: what was acknowledged is there, and nothing is twice.
func TestEnsembleFails(t *testing.T) {
	if testing.Short() {
		t.Skip("three Java processes")
	}
	e := zktest.Start(t, 3)
	u := e.URL(t, "mesos:secret")
	s := open(t, u)
	term := lead(t, s, "a")
	ctx, stop := context.WithCancel(t.Context())
	var written []string
	var worst time.Duration
	done := make(chan error, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			begin := time.Now()
			// Not with ctx: the last write is to be known.
			if _, err := term.Apply(t.Context(), admit(fmt.Sprint(i))); err != nil {
				done <- err
				return
			}
			worst = max(worst, time.Since(begin))
			written = append(written, fmt.Sprint(i))
		}
		done <- nil
	}()
	for i := range 3 {
		e.Servers[i].Kill()
		time.Sleep(500 * time.Millisecond)
		e.Servers[i].Start()
		e.Servers[i].Await()
	}
	for _, server := range e.Servers {
		server.Kill()
	}
	for _, server := range e.Servers {
		server.Start()
	}
	for _, server := range e.Servers {
		server.Await()
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes, the longest took %v", len(written), worst)
	other := open(t, u)
	lead(t, other, "b")
	if diff := cmp.Diff(written, storetest.Admitted(other.Snapshot())); diff != "" {
		t.Error(diff)
	}
}
