package raft_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mesos-operator/mesos-operator/masterd/registry/raft"
	"github.com/mesos-operator/mesos-operator/masterd/registry/storetest"
)

// TestExportImport takes the registry of a lone master, behind a snapshot, into
// a group of three.
func TestExportImport(t *testing.T) {
	old := raft.Config{Dir: t.TempDir(), SnapshotBytes: 2048}
	if _, err := raft.Export(old); !errors.Is(err, raft.ErrEmpty) {
		t.Errorf("exporting nothing: %v", err)
	}
	s := awaitLead(t, open(t, old))
	term, _, err := s.Lead(t.Context(), storetest.Master("a"))
	if err != nil {
		t.Fatal(err)
	}
	const agents = 150
	for i := range agents {
		if _, err := term.Apply(t.Context(), admit(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	want := s.Snapshot()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := raft.Export(old)
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	if err := raft.Import(old, got); !errors.Is(err, raft.ErrNotEmpty) {
		t.Errorf("importing over a registry: %v", err)
	}

	g := &group{members: map[string]*raft.Store{}, dirs: map[string]string{}}
	for i := range 3 {
		p := raft.Peer{ID: fmt.Sprintf("m%d", i), Address: freeAddress(t)}
		g.peers, g.dirs[p.ID] = append(g.peers, p), t.TempDir()
	}
	first := raft.Config{Dir: g.dirs["m0"], ID: "m0", Address: g.peers[0].Address, Peers: g.peers}
	if err := raft.Import(first, got); err != nil {
		t.Fatal(err)
	}
	for _, p := range g.peers {
		g.open(t, p)
	}
	leader, _ := g.lead(t)
	g.agree(t, leader, agents)
}
