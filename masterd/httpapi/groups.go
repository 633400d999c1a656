package httpapi

import (
	"iter"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// groups is what frameworks have, in the form of /state. Views have flat tables,
// so that taking one is cheap; whoever needs groups makes them.
type groups struct {
	byFramework map[state.FrameworkID]*frameworkGroup
	only        only
	last        *frameworkGroup // tasks of one framework often follow each other
	lastID      string
}

// frameworkGroup is encoded elements of lists.
type frameworkGroup struct {
	tasks, unreachable, completed, offers, executors elements
}

// elements is a list that grows without being copied, so that a long one leaves
// no garbage on the way.
type elements struct{ blocks [][][]byte }

// The shortest and the longest block of elements.
const (
	leastElements = 16
	mostElements  = 1024
)

func (l *elements) add(e []byte) {
	last := len(l.blocks) - 1
	if last < 0 || len(l.blocks[last]) == cap(l.blocks[last]) {
		length := leastElements
		if last >= 0 {
			length = min(2*cap(l.blocks[last]), mostElements)
		}
		l.blocks = append(l.blocks, make([][]byte, 0, length))
		last++
	}
	l.blocks[last] = append(l.blocks[last], e)
}

func (l *elements) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, block := range l.blocks {
			for _, e := range block {
				if !yield(e) {
					return
				}
			}
		}
	}
}

var (
	v0Offer    = element(appendOffer)
	v0Executor = element(appendExecutor)
)

// group groups what all frameworks have, or only one of them, for a body.
func group(b *body, v *state.View, one only) *groups {
	g := &groups{byFramework: map[state.FrameworkID]*frameworkGroup{}, only: one}
	groupTasks(b, g, v.Tasks, func(f *frameworkGroup) *elements { return &f.tasks })
	groupTasks(b, g, v.UnreachableTasks, func(f *frameworkGroup) *elements { return &f.unreachable })
	groupTasks(b, g, v.CompletedTasks, func(f *frameworkGroup) *elements { return &f.completed })
	for o, kept := range v.Offers.Each() {
		if f := g.framework(o.Offer.GetFrameworkId().GetValue()); f != nil {
			f.offers.add(keep(kept, formV0, o, v0Offer))
		}
	}
	for e, kept := range v.Executors.Each() {
		if f := g.framework(string(e.Framework)); f != nil {
			f.executors.add(keep(kept, formV0, e, v0Executor))
		}
	}
	return g
}

func groupTasks(b *body, g *groups, table state.Table[mesos.Task], list func(*frameworkGroup) *elements) {
	if !g.only.given {
		prepare(b.lane, table, formV0, v0Task)
	}
	for t, kept := range table.Each() {
		b.step()
		if f := g.framework(t.GetFrameworkId().GetValue()); f != nil {
			list(f).add(keep(kept, formV0, t, v0Task))
		}
	}
}

// framework returns the group of a framework, making it if there is none; nil
// for one that is not asked for.
func (g *groups) framework(id string) *frameworkGroup {
	if g.last != nil && g.lastID == id {
		return g.last
	}
	if !g.only.accepts(id) {
		return nil
	}
	f := g.byFramework[state.FrameworkID(id)]
	if f == nil {
		f = &frameworkGroup{}
		g.byFramework[state.FrameworkID(id)] = f
	}
	g.last, g.lastID = f, id
	return f
}

// of returns the group of a framework, an empty one if there is none.
func (g *groups) of(id state.FrameworkID) *frameworkGroup {
	if f := g.byFramework[id]; f != nil {
		return f
	}
	return &frameworkGroup{}
}
