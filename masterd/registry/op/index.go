package op

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
)

// Index finds agents in the lists of a registry, so that a batch of thousands
// of operations costs what it touches. It belongs to one registry message and
// is stale once that is changed other than by Apply.
type Index struct {
	admitted    map[string]int
	unreachable map[string]int
	gone        map[string]struct{}
}

// NewIndex reads a registry. Entries without an ID, which no master writes,
// are left alone.
func NewIndex(r *registry.Registry) *Index {
	ix := &Index{gone: make(map[string]struct{}, len(r.GetGone().GetSlaves()))}
	ix.readAdmitted(r)
	ix.readUnreachable(r)
	for _, s := range r.GetGone().GetSlaves() {
		ix.gone[s.GetId().GetValue()] = struct{}{}
	}
	return ix
}

func (ix *Index) readAdmitted(r *registry.Registry) {
	ix.admitted = make(map[string]int, len(r.GetSlaves().GetSlaves()))
	for i, s := range r.GetSlaves().GetSlaves() {
		ix.admitted[s.GetInfo().GetId().GetValue()] = i
	}
}

func (ix *Index) readUnreachable(r *registry.Registry) {
	ix.unreachable = make(map[string]int, len(r.GetUnreachable().GetSlaves()))
	for i, s := range r.GetUnreachable().GetSlaves() {
		ix.unreachable[s.GetId().GetValue()] = i
	}
}

// book is the registry while a batch is applied. A list is copied before it is
// first written to, for a snapshot may hold it. Agents that leave a list leave
// a hole, and settle closes all holes at once: the lists stay in order without
// moving their rest for every agent that leaves.
type book struct {
	r  *registry.Registry
	ix *Index

	admittedOwned, unreachableOwned bool
	admittedHoles, unreachableHoles bool
}

func (b *book) settle() {
	if b.admittedHoles {
		b.r.Slaves.Slaves = withoutHoles(b.r.Slaves.Slaves)
		b.ix.readAdmitted(b.r)
	}
	if b.unreachableHoles {
		b.r.Unreachable.Slaves = withoutHoles(b.r.Unreachable.Slaves)
		b.ix.readUnreachable(b.r)
	}
}

// withoutHoles returns a new list: the old one may be part of a snapshot.
func withoutHoles[T any](list []*T) []*T {
	full := make([]*T, 0, len(list))
	for _, e := range list {
		if e != nil {
			full = append(full, e)
		}
	}
	return full
}

// admitted returns the entry of an agent that may run tasks, nil if there is
// none.
func (b *book) admitted(id string) *registry.Registry_Slave {
	i, ok := b.ix.admitted[id]
	if !ok {
		return nil
	}
	return b.r.Slaves.Slaves[i]
}

func (b *book) unreachable(id string) *registry.Registry_UnreachableSlave {
	i, ok := b.ix.unreachable[id]
	if !ok {
		return nil
	}
	return b.r.Unreachable.Slaves[i]
}

func (b *book) isGone(id string) bool {
	_, ok := b.ix.gone[id]
	return ok
}

// setAdmitted adds or replaces an agent.
func (b *book) setAdmitted(s *registry.Registry_Slave) {
	if b.r.Slaves == nil {
		b.r.Slaves = &registry.Registry_Slaves{}
	}
	set(&b.r.Slaves.Slaves, &b.admittedOwned, b.ix.admitted, s.GetInfo().GetId().GetValue(), s)
}

// setUnreachable adds or replaces an agent.
func (b *book) setUnreachable(s *registry.Registry_UnreachableSlave) {
	if b.r.Unreachable == nil {
		b.r.Unreachable = &registry.Registry_UnreachableSlaves{}
	}
	set(&b.r.Unreachable.Slaves, &b.unreachableOwned, b.ix.unreachable, s.GetId().GetValue(), s)
}

func (b *book) dropAdmitted(id string) {
	if punch(id, b.ix.admitted, &b.r.Slaves.Slaves, &b.admittedOwned) {
		b.admittedHoles = true
	}
}

func (b *book) dropUnreachable(id string) {
	if punch(id, b.ix.unreachable, &b.r.Unreachable.Slaves, &b.unreachableOwned) {
		b.unreachableHoles = true
	}
}

func set[T any](list *[]*T, owned *bool, index map[string]int, id string, e *T) {
	i, ok := index[id]
	if !ok {
		// Appending does not disturb a snapshot: it ends before.
		index[id] = len(*list)
		*list = append(*list, e)
		return
	}
	own(list, owned)
	(*list)[i] = e
}

// punch replaces an entry by a hole, if there is one.
func punch[T any](id string, index map[string]int, list *[]*T, owned *bool) bool {
	i, ok := index[id]
	if !ok {
		return false
	}
	own(list, owned)
	(*list)[i] = nil
	delete(index, id)
	return true
}

func own[T any](list *[]*T, owned *bool) {
	if !*owned {
		*list, *owned = slices.Clone(*list), true
	}
}
