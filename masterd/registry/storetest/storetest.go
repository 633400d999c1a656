// Package storetest is the suite that every implementation of registry.Store
// passes.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	registrypb "github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/masterd/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// Suite says how to make the stores under test.
type Suite struct {
	// Open opens a store that can lead, keeping what it has to keep in dir.
	Open func(t *testing.T, dir string) registry.Store
	// Durable says that a store opened in a directory knows what an earlier
	// one wrote there.
	Durable bool
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	for name, test := range map[string]func(*testing.T, registry.Store){
		"the leader is in the registry":                  leaderIsNamed,
		"operations have results in order":               resultsInOrder,
		"a snapshot does not change":                     snapshotsDontChange,
		"a new term ends the old one":                    newTermEndsOld,
		"a term sees all that was written before":        termSeesAll,
		"writers at the same time lose nothing":          concurrentWriters,
		"a batch without operations is written":          emptyBatch,
		"a closed store refuses and stays closed":        closedRefuses,
		"a context that ended gives an error and no lie": endedContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, s.open(t, t.TempDir())) })
	}
	if s.Durable {
		t.Run("what was written is there after opening again", s.reopen)
	}
}

func (s Suite) open(t *testing.T, dir string) registry.Store {
	t.Helper()
	store := s.Open(t, dir)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return store
}

// Master returns a leader for tests.
func Master(id string) *mesos.MasterInfo {
	return &mesos.MasterInfo{Id: new(id), Ip: new(uint32(0)), Port: new(uint32(5050)), Hostname: new("host-" + id)}
}

// Agent returns an agent for tests.
func Agent(id string) *mesos.AgentInfo {
	return &mesos.AgentInfo{Id: agentID(id), Hostname: new("host-" + id)}
}

func agentID(id string) *mesos.AgentID { return &mesos.AgentID{Value: new(id)} }

func at(ns int64) *mesos.TimeInfo { return &mesos.TimeInfo{Nanoseconds: new(ns)} }

// Admitted returns the IDs of the admitted agents.
func Admitted(r *registrypb.Registry) []string {
	var ids []string
	for _, s := range r.GetSlaves().GetSlaves() {
		ids = append(ids, s.GetInfo().GetId().GetValue())
	}
	return ids
}

func lead(t *testing.T, s registry.Store, id string) (registry.Term, *registrypb.Registry) {
	t.Helper()
	term, reg, err := s.Lead(t.Context(), Master(id))
	if err != nil {
		t.Fatalf("leading: %v", err)
	}
	return term, reg
}

func apply(t *testing.T, term registry.Term, ops ...op.Operation) []op.Result {
	t.Helper()
	results, err := term.Apply(t.Context(), ops)
	if err != nil {
		t.Fatalf("applying: %v", err)
	}
	if len(results) != len(ops) {
		t.Fatalf("%d results of %d operations", len(results), len(ops))
	}
	return results
}

func leaderIsNamed(t *testing.T, s registry.Store) {
	_, reg := lead(t, s, "a")
	want := &registrypb.Registry{Master: &registrypb.Registry_Master{Info: Master("a")}}
	if diff := cmp.Diff(want, reg, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, s.Snapshot(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func resultsInOrder(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	results := apply(t, term,
		op.AdmitAgent{Info: Agent("1")},
		op.AdmitAgent{Info: Agent("1")},
		op.RemoveAgent{ID: agentID("nobody")},
		op.AdmitAgent{Info: Agent("2")},
	)
	for i, want := range []error{nil, op.ErrAdmitted, op.ErrUnknownAgent, nil} {
		if !errors.Is(results[i].Err, want) {
			t.Errorf("result %d: %v, want %v", i, results[i].Err, want)
		}
		if results[i].Mutated != (want == nil) {
			t.Errorf("result %d: mutated is %v", i, results[i].Mutated)
		}
	}
	if diff := cmp.Diff([]string{"1", "2"}, Admitted(s.Snapshot())); diff != "" {
		t.Error(diff)
	}
}

func snapshotsDontChange(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	apply(t, term, op.AdmitAgent{Info: Agent("1")}, op.AdmitAgent{Info: Agent("2")})
	before := s.Snapshot()
	apply(t, term,
		op.MarkUnreachable{ID: agentID("1"), Since: at(1)},
		op.UpdateAgent{Info: &mesos.AgentInfo{Id: agentID("2"), Hostname: new("moved")}},
		op.AdmitAgent{Info: Agent("3")},
	)
	if diff := cmp.Diff([]string{"1", "2"}, Admitted(before)); diff != "" {
		t.Error(diff)
	}
	if got := before.GetSlaves().GetSlaves()[1].GetInfo().GetHostname(); got != "host-2" {
		t.Errorf("hostname in an old snapshot is %q", got)
	}
	if n := len(before.GetUnreachable().GetSlaves()); n != 0 {
		t.Errorf("%d unreachable agents in an old snapshot", n)
	}
}

func newTermEndsOld(t *testing.T, s registry.Store) {
	old, _ := lead(t, s, "a")
	current, _ := lead(t, s, "b")
	if _, err := old.Apply(t.Context(), []op.Operation{op.AdmitAgent{Info: Agent("1")}}); !errors.Is(err, registry.ErrNotLeader) {
		t.Errorf("writing in an old term: %v, want %v", err, registry.ErrNotLeader)
	}
	apply(t, current, op.AdmitAgent{Info: Agent("2")})
	if diff := cmp.Diff([]string{"2"}, Admitted(s.Snapshot())); diff != "" {
		t.Error(diff)
	}
}

func termSeesAll(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	for i := range 10 {
		apply(t, term, op.AdmitAgent{Info: Agent(fmt.Sprint(i))})
	}
	_, reg := lead(t, s, "b")
	if n := len(Admitted(reg)); n != 10 {
		t.Errorf("%d agents, want 10", n)
	}
	if got := reg.GetMaster().GetInfo().GetId(); got != "b" {
		t.Errorf("leader %q, want b", got)
	}
}

func concurrentWriters(t *testing.T, s registry.Store) {
	const writers, writes = 8, 20
	term, _ := lead(t, s, "a")
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range writes {
				_, err := term.Apply(t.Context(), []op.Operation{op.AdmitAgent{Info: Agent(fmt.Sprintf("%d-%d", w, i))}})
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	work.Wait()
	if n := len(Admitted(s.Snapshot())); n != writers*writes {
		t.Errorf("%d agents, want %d", n, writers*writes)
	}
}

func emptyBatch(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	apply(t, term)
}

func closedRefuses(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("closing: %v", err)
		}
	}
	if _, err := term.Apply(t.Context(), nil); !errors.Is(err, registry.ErrClosed) {
		t.Errorf("writing: %v, want %v", err, registry.ErrClosed)
	}
	if _, _, err := s.Lead(t.Context(), Master("b")); !errors.Is(err, registry.ErrClosed) {
		t.Errorf("leading: %v, want %v", err, registry.ErrClosed)
	}
}

func endedContext(t *testing.T, s registry.Store) {
	term, _ := lead(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := term.Apply(ctx, []op.Operation{op.AdmitAgent{Info: Agent("1")}})
	_, reg := lead(t, s, "b") // a barrier: what is written is written by now
	if written := len(Admitted(reg)) == 1; err == nil && !written {
		t.Error("the write is reported as done and was not")
	} else if err != nil && !errors.Is(err, registry.ErrUnknownFate) {
		t.Errorf("error %v, want %v", err, registry.ErrUnknownFate)
	}
}

// reopen writes every kind of operation and compares what is left of them.
func (s Suite) reopen(t *testing.T) {
	dir := t.TempDir()
	store := s.open(t, dir)
	term, _ := lead(t, store, "a")
	results := apply(t, term,
		op.AdmitAgent{Info: Agent("1")}, op.AdmitAgent{Info: Agent("2")}, op.AdmitAgent{Info: Agent("3")},
		op.AdmitAgent{Info: Agent("4")}, op.AdmitAgent{Info: Agent("5")}, op.AdmitAgent{Info: Agent("6")},
		op.UpdateAgent{Info: &mesos.AgentInfo{Id: agentID("1"), Hostname: new("moved")}},
		op.MarkUnreachable{ID: agentID("2"), Since: at(2)},
		op.MarkUnreachable{ID: agentID("3"), Since: at(3)},
		op.MarkReachable{Info: Agent("3")},
		op.RemoveAgent{ID: agentID("4")},
		op.MarkGone{ID: agentID("5"), Since: at(5)},
		op.DeactivateAgent{ID: agentID("6")},
		op.UpdateWeights{Weights: []*mesos.WeightInfo{{Role: new("prod"), Weight: new(2.5)}}},
		op.UpdateQuota{Configs: []*quota.QuotaConfig{{
			Role: new("prod"), Guarantees: map[string]*mesos.Value_Scalar{"cpus": {Value: new(1.0)}},
		}}},
	)
	for i, r := range results {
		if r.Err != nil {
			t.Errorf("operation %d: %v", i, r.Err)
		}
	}
	want := store.Snapshot()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, got := lead(t, s.open(t, dir), "a")
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}
