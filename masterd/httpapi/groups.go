package httpapi

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// groups is the records of a View by framework. Views have flat tables, so that
// taking one is cheap; whoever needs groups makes them.
type groups struct {
	byFramework map[state.FrameworkID]*frameworkGroup
	last        *frameworkGroup // tasks of one framework often follow each other
	lastID      string
}

type frameworkGroup struct {
	tasks, unreachable, completed []*mesos.Task
	offers                        []*state.Offer
	executors                     []*state.Executor
}

func group(v *state.View) *groups {
	g := &groups{byFramework: map[state.FrameworkID]*frameworkGroup{}}
	for t := range v.Tasks.All() {
		f := g.framework(t.GetFrameworkId().GetValue())
		f.tasks = append(f.tasks, t)
	}
	for t := range v.UnreachableTasks.All() {
		f := g.framework(t.GetFrameworkId().GetValue())
		f.unreachable = append(f.unreachable, t)
	}
	for t := range v.CompletedTasks.All() {
		f := g.framework(t.GetFrameworkId().GetValue())
		f.completed = append(f.completed, t)
	}
	for o := range v.Offers.All() {
		f := g.framework(o.Offer.GetFrameworkId().GetValue())
		f.offers = append(f.offers, o)
	}
	for e := range v.Executors.All() {
		f := g.framework(string(e.Framework))
		f.executors = append(f.executors, e)
	}
	return g
}

// framework returns the group of a framework, making it if there is none.
func (g *groups) framework(id string) *frameworkGroup {
	if g.last != nil && g.lastID == id {
		return g.last
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
