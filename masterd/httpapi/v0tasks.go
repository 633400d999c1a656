package httpapi

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// taskFacts is what lists and counts of tasks need to know of each.
type taskFacts struct {
	first                float64 // see firstUpdate
	id, framework, agent string
	state                mesos.TaskState
}

// factsOf is the digest of tasks.
func factsOf(tasks state.Table[mesos.Task]) []taskFacts {
	facts := make([]taskFacts, 0, tasks.Len())
	for t := range tasks.All() {
		facts = append(facts, taskFacts{
			firstUpdate(t), t.GetTaskId().GetValue(), t.GetFrameworkId().GetValue(), t.GetAgentId().GetValue(), t.GetState(),
		})
	}
	return facts
}

// firstUpdate is when the first status was made; a task without one is older
// than all.
func firstUpdate(t *mesos.Task) float64 {
	if len(t.Statuses) == 0 {
		return 0
	}
	return t.Statuses[0].GetTimestamp()
}

// taskLimit is how many tasks /tasks shows when it isn't asked for more.
const taskLimit = 100

// composeTasks puts together /tasks, newest first. limit=-1 means all.
func composeTasks(b *body, v *state.View, query asked) {
	r := ranking{ascending: query.Get("order") == "asc"}
	offset := max(number(query.Get("offset"), 0), 0)
	if limit := number(query.Get("limit"), taskLimit); limit >= 0 {
		r.most, r.bounded = limit+min(offset, math.MaxInt-limit), true
	}
	selectTasks(b, &r, query.of(v), query.only("framework_id"), query.only("task_id"))
	tasks := r.best()
	b.open('{')
	b.member("tasks")
	b.open('[')
	for _, ranked := range tasks[min(offset, len(tasks)):] {
		t, kept := ranked.group.At(ranked.place)
		b.keep(keep(kept, formV0, t, v0Task))
		b.step()
	}
	b.close(']')
	b.close('}')
}

// number reads a parameter of 32 bits, which may be hexadecimal as everywhere in
// Mesos; what is no number counts as not given.
func number(text string, otherwise int) int {
	base := 10
	text = strings.ToLower(text)
	if digits := strings.TrimPrefix(text, "-"); strings.HasPrefix(digits, "0x") {
		text, base = strings.Replace(text, "0x", "", 1), 16
	}
	if n, err := strconv.ParseInt(text, base, 32); err == nil {
		return int(n)
	}
	return otherwise
}

// selectTasks offers a ranking all tasks that are asked for, those first that are
// likely to be wanted: tasks come about in the order of their first update.
func selectTasks(b *body, r *ranking, v *state.View, framework, id only) {
	type group struct {
		tasks state.Table[mesos.Task]
		facts []taskFacts
	}
	var groups []group
	for _, table := range taskTables(v) {
		for tasks, facts := range state.Digests(table, factsOf) {
			groups = append(groups, group{tasks, facts})
		}
	}
	for i := range groups {
		g := groups[r.from(i, len(groups))]
		for j := range g.facts {
			place := r.from(j, len(g.facts))
			t := &g.facts[place]
			if framework.accepts(t.framework) && id.accepts(t.id) {
				r.add(t.first, g.tasks, place)
			}
			b.step()
		}
	}
}

// ranking finds the first of many tasks in order of their first update, those of
// the same time in order of their arrival, or all of that backwards. It wants them
// in the order of their arrival, or backwards.
type ranking struct {
	ascending bool
	bounded   bool
	most      int // that are wanted, if bounded

	seen  int
	tasks []rankedTask
	// worst is the last of those that are wanted so far, once there are enough:
	// what comes behind it is of no interest.
	worst *rankedTask
}

// rankedTask is where a task is found, and its place in what the ranking has seen.
type rankedTask struct {
	first float64
	seen  int
	group state.Table[mesos.Task]
	place int
}

// from is where to look next, when i of n are done.
func (r *ranking) from(i, n int) int {
	if r.ascending {
		return i
	}
	return n - 1 - i
}

func (r *ranking) better(x, y float64) bool {
	if r.ascending {
		return cmp.Less(x, y)
	}
	return cmp.Less(y, x)
}

func (r *ranking) compare(x, y rankedTask) int {
	if r.ascending {
		return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.seen, y.seen))
	}
	return cmp.Or(cmp.Compare(y.first, x.first), cmp.Compare(x.seen, y.seen))
}

// rankSlack is how many more than the wanted ones are collected before they are
// sorted, so that this is done rarely.
const rankSlack = 1000

// add takes the next task, unless it can't be among those that are wanted.
func (r *ranking) add(first float64, group state.Table[mesos.Task], place int) {
	r.seen++
	if r.worst != nil && !r.better(first, r.worst.first) {
		return // of two of the same time the one that came to the ranking first is wanted
	}
	r.tasks = append(r.tasks, rankedTask{first, r.seen, group, place})
	if r.bounded && len(r.tasks)-rankSlack > r.most {
		r.cut()
	}
}

func (r *ranking) cut() {
	slices.SortFunc(r.tasks, r.compare)
	if !r.bounded || len(r.tasks) < r.most {
		return
	}
	r.tasks = r.tasks[:r.most]
	if r.most > 0 {
		worst := r.tasks[r.most-1]
		r.worst = &worst
	}
}

// best returns the tasks in order.
func (r *ranking) best() []rankedTask {
	r.cut()
	return r.tasks
}
