package sim

import (
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
	"github.com/mesos-operator/mesos-operator/masterd/state"

	registrystore "github.com/mesos-operator/mesos-operator/masterd/registry"
)

// store is the replicated registry with the contract of masterd/registry: the
// writes of one term are in order, a new term ends the ones before it, and what
// a deposed leader was writing may or may not be there when the next one reads.
type store struct {
	sim      *sim
	registry *registry.Registry
	index    *op.Index

	term    int
	leader  *master // of the term
	pending []*write
	written time.Time // when the last write of the term is durable

	fates map[string]fate
}

// write is operations on their way to a majority of disks.
type write struct {
	master *master
	life   int
	term   int
	token  uint64
	log    []byte
}

// fate is what the registry acknowledged about an agent in all terms.
type fate struct {
	admitted, unreachable, gone, removed bool
}

func newStore(s *sim) *store {
	st := &store{sim: s, registry: &registry.Registry{}, fates: map[string]fate{}}
	st.index = op.NewIndex(st.registry)
	return st
}

// begin starts a term, behind a barrier: of what is on its way, a beginning
// has got to the disks, and the rest never will.
func (st *store) begin(m *master) (term int) {
	reached := 0
	if len(st.sim.masters) > 1 {
		reached = st.sim.rng.IntN(len(st.pending) + 1)
	}
	for _, w := range st.pending[:reached] {
		st.apply(w)
	}
	st.pending = nil
	st.checkKept()
	st.term++
	st.leader, st.written = m, st.sim.now
	return st.term
}

// write writes after a while, in order.
func (st *store) write(m *master, e state.Persist) {
	s := st.sim
	at := s.now.Add(s.upTo(30 * time.Millisecond))
	if s.troubled() && s.chance(0.05) {
		at = at.Add(s.upTo(5 * time.Second))
	}
	if m.term == st.term {
		if at.Before(st.written) {
			at = st.written
		}
		st.written = at
	}
	log, err := op.Append(nil, e.Operations)
	if err != nil {
		s.fail("operations that can't be written: %v", err)
		return
	}
	w := &write{master: m, life: m.life, term: m.term, token: e.Token, log: log}
	if w.term == st.term {
		st.pending = append(st.pending, w)
	}
	s.at(at, func() { st.arrive(w) })
}

// arrive makes a write durable, if the leader still leads and reaches a
// majority. Its master may crash just before, and just after.
func (st *store) arrive(w *write) {
	s, m := st.sim, w.master
	switch {
	case m.life != w.life:
		return // nobody waits for it; begin decides what became of it
	case w.term != st.term:
		m.step(state.Persisted{Token: w.token, Err: registrystore.ErrNotLeader})
		return
	case len(st.pending) == 0 || st.pending[0] != w || !s.majority(m):
		s.after(20*time.Millisecond+s.upTo(200*time.Millisecond), func() { st.arrive(w) })
		return
	case m.unlucky():
		m.crash()
		return
	}
	st.pending = st.pending[1:]
	results := st.apply(w)
	if m.unlucky() {
		m.crash()
		return
	}
	m.step(state.Persisted{Token: w.token, Results: results})
}

func (st *store) apply(w *write) []op.Result {
	ops, err := op.Unmarshal(w.log)
	if err != nil {
		st.sim.fail("operations that can't be read: %v", err)
		return nil
	}
	results := op.Apply(st.registry, st.index, ops)
	for i, o := range ops {
		if results[i].Err == nil {
			st.note(o)
		}
	}
	return results
}

func (st *store) note(o op.Operation) {
	change := func(id string, f func(*fate)) {
		now := st.fates[id]
		f(&now)
		st.fates[id] = now
	}
	switch o := o.(type) {
	case op.AdmitAgent:
		change(o.Info.GetId().GetValue(), func(f *fate) { f.admitted = true })
	case op.MarkUnreachable:
		change(o.ID.GetValue(), func(f *fate) { f.unreachable = true })
	case op.MarkGone:
		change(o.ID.GetValue(), func(f *fate) { f.gone = true })
	case op.RemoveAgent:
		change(o.ID.GetValue(), func(f *fate) { f.removed = true })
	}
}

// checkKept: nothing that was acknowledged is lost. The lists are not swept in
// the time that a run takes.
func (st *store) checkKept() {
	known, gone := map[string]bool{}, map[string]bool{}
	for _, a := range st.registry.GetSlaves().GetSlaves() {
		known[a.GetInfo().GetId().GetValue()] = true
	}
	for _, a := range st.registry.GetUnreachable().GetSlaves() {
		known[a.GetId().GetValue()] = true
	}
	for _, a := range st.registry.GetGone().GetSlaves() {
		gone[a.GetId().GetValue()] = true
	}
	for id, f := range st.fates {
		switch {
		case f.gone && (known[id] || !gone[id]):
			st.sim.fail("agent %s was marked gone, and the registry forgot it", id)
		case f.admitted && !f.gone && !f.removed && !known[id]:
			st.sim.fail("agent %s was admitted, and the registry forgot it", id)
		}
	}
}
