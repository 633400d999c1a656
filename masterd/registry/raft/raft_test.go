package raft_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

const patience = 30 * time.Second

func open(t *testing.T, cfg raft.Config) *raft.Store {
	t.Helper()
	cfg.Log = testr.New(t)
	s, err := raft.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// awaitLead waits until the member is elected.
func awaitLead(t *testing.T, s *raft.Store) *raft.Store {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case leading := <-s.Leadership():
			if leading {
				return s
			}
		case <-deadline:
			t.Fatal("no leader was elected")
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestStore(t *testing.T) {
	for name, address := range map[string]string{"alone": "", "alone with a name": "127.0.0.1:5052"} {
		t.Run(name, func(t *testing.T) {
			storetest.Suite{Durable: true, Open: func(t *testing.T, dir string) registry.Store {
				return awaitLead(t, open(t, raft.Config{Dir: dir, Address: address}))
			}}.Run(t)
		})
	}
}

func admit(id string) []op.Operation {
	return []op.Operation{op.AdmitAgent{Info: storetest.Agent(id)}}
}

func TestSnapshotsReplaceTheLog(t *testing.T) {
	dir := t.TempDir()
	cfg := raft.Config{Dir: dir, SnapshotBytes: 2048}
	s := awaitLead(t, open(t, cfg))
	term, _, err := s.Lead(t.Context(), storetest.Master("a"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if _, err := term.Apply(t.Context(), admit(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = awaitLead(t, open(t, cfg))
	// The new process restores the snapshot: its log alone would be longer.
	_, reg, err := s.Lead(t.Context(), storetest.Master("a"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(storetest.Admitted(reg)); n != 200 {
		t.Errorf("%d agents, want 200", n)
	}
}

func TestOnlyMemberKeepsItsRegistryAtAnotherAddress(t *testing.T) {
	dir := t.TempDir()
	for i, address := range []string{freeAddress(t), freeAddress(t), ""} {
		s := awaitLead(t, open(t, raft.Config{Dir: dir, Address: address}))
		term, reg, err := s.Lead(t.Context(), storetest.Master("a"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(storetest.Admitted(reg)); n != i {
			t.Errorf("%d agents, want %d", n, i)
		}
		if _, err := term.Apply(t.Context(), admit(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeersMustBeNamed(t *testing.T) {
	g := newGroup(t, 2)
	leader, _ := g.lead(t)
	g.agree(t, leader, 0)
	for _, s := range g.members {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := raft.Open(raft.Config{Dir: g.dirs["m0"], ID: "m0", Address: g.peers[0].Address})
	if err == nil || !strings.Contains(err.Error(), "--raft_peers") {
		t.Errorf("error %v does not name the flag", err)
	}
}

func TestAGroupOfOneGrows(t *testing.T) {
	first := raft.Peer{ID: "m0", Address: freeAddress(t)}
	g := &group{members: map[string]*raft.Store{}, dirs: map[string]string{"m0": t.TempDir()}}
	s := awaitLead(t, open(t, raft.Config{Dir: g.dirs["m0"], ID: first.ID, Address: first.Address}))
	term, _, err := s.Lead(t.Context(), storetest.Master("m0"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := term.Apply(t.Context(), admit("1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	g.peers = []raft.Peer{first, {ID: "m1", Address: freeAddress(t)}, {ID: "m2", Address: freeAddress(t)}}
	for _, p := range g.peers[1:] { // they can't begin without the first
		g.dirs[p.ID] = t.TempDir()
		g.open(t, p)
	}
	g.open(t, first)
	leader, _ := g.lead(t)
	g.agree(t, leader, 1)
}

type group struct {
	members map[string]*raft.Store
	dirs    map[string]string
	peers   []raft.Peer
}

func newGroup(t *testing.T, n int) *group {
	t.Helper()
	g := &group{members: map[string]*raft.Store{}, dirs: map[string]string{}}
	for i := range n {
		g.peers = append(g.peers, raft.Peer{ID: fmt.Sprintf("m%d", i), Address: freeAddress(t)})
	}
	for _, p := range g.peers {
		g.dirs[p.ID] = t.TempDir()
		g.open(t, p)
	}
	return g
}

func (g *group) open(t *testing.T, p raft.Peer) {
	t.Helper()
	g.members[p.ID] = open(t, raft.Config{
		Dir: g.dirs[p.ID], ID: p.ID, Address: p.Address, Peers: g.peers,
		HeartbeatTimeout: 300 * time.Millisecond, ElectionTimeout: 300 * time.Millisecond,
	})
}

// lead returns the member that can lead and its term.
func (g *group) lead(t *testing.T) (string, registry.Term) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for id, s := range g.members {
			if s.Voters() != len(g.peers) { // else one that stops takes the majority along
				continue
			}
			if term, _, err := s.Lead(t.Context(), storetest.Master(id)); err == nil {
				return id, term
			}
		}
	}
	t.Fatal("no leader was elected")
	return "", nil
}

// agree waits until every member names the leader and has its agents.
func (g *group) agree(t *testing.T, leader string, agents int) {
	t.Helper()
	for id, s := range g.members {
		var info *mesos.MasterInfo
		var n int
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			info, n = s.Leader(), len(storetest.Admitted(s.Snapshot()))
			if info.GetId() == leader && n == agents {
				break
			}
		}
		if info.GetId() != leader || n != agents {
			t.Errorf("%s has leader %q and %d agents, want %q and %d", id, info.GetId(), n, leader, agents)
		}
	}
}

func TestGroupOutlivesItsLeader(t *testing.T) {
	g := newGroup(t, 3)
	agents := 0
	for range 3 {
		leader, term := g.lead(t)
		for range 5 {
			if _, err := term.Apply(t.Context(), admit(fmt.Sprint(agents))); err != nil {
				t.Fatalf("%s: %v", leader, err)
			}
			agents++
		}
		g.agree(t, leader, agents)

		gone := g.members[leader]
		delete(g.members, leader)
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		successor, _ := g.lead(t)
		g.agree(t, successor, agents)
		for _, p := range g.peers {
			if p.ID == leader {
				g.open(t, p)
			}
		}
	}
}

func TestDeposedLeaderCantWrite(t *testing.T) {
	g := newGroup(t, 3)
	old, term := g.lead(t)
	g.agree(t, old, 0)
	if err := g.members[old].Resign(); err != nil {
		t.Fatal(err)
	}
	for current := old; current == old; {
		current, _ = g.lead(t)
	}
	_, err := term.Apply(t.Context(), admit("1"))
	if !errors.Is(err, registry.ErrNotLeader) {
		t.Errorf("error %v, want %v", err, registry.ErrNotLeader)
	}
}

func TestMinorityCantWrite(t *testing.T) {
	g := newGroup(t, 3)
	leader, term := g.lead(t)
	g.agree(t, leader, 0)
	for id, s := range g.members {
		if id != leader {
			s.Close()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := term.Apply(ctx, admit("1"))
	if !errors.Is(err, registry.ErrNotLeader) && !errors.Is(err, registry.ErrUnknownFate) {
		t.Errorf("error %v of a write without a majority", err)
	}
}
