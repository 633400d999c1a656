package httpapi

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// taskFacts is what lists and counts of tasks need to know of each.
type taskFacts struct {
	first            float64 // see firstUpdate
	framework, agent string
	state            mesos.TaskState
}

// factsOf is the digest of tasks.
func factsOf(tasks state.Table[mesos.Task]) []taskFacts {
	facts := make([]taskFacts, 0, tasks.Len())
	for t := range tasks.All() {
		facts = append(facts, taskFacts{
			firstUpdate(t), t.GetFrameworkId().GetValue(), t.GetAgentId().GetValue(), t.GetState(),
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
	for _, t := range tasks[min(offset, len(tasks)):] {
		b.keep(keep(t.kept, formV0, t.task, v0Task))
		b.step()
	}
	b.close(']')
	b.close('}')
}

// number reads a parameter; what is no number counts as not given.
func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

func selectTasks(b *body, r *ranking, v *state.View, framework, id only) {
	for _, table := range taskTables(v) {
		for group, facts := range state.Digests(table, factsOf) {
			for i := range facts {
				b.step()
				if framework.accepts(facts[i].framework) && r.mayAdd(facts[i].first) {
					r.addIf(group, i, facts[i].first, id)
				}
			}
		}
	}
}

// addIf adds a task of a group if it has the ID that is asked for.
func (r *ranking) addIf(group state.Table[mesos.Task], place int, first float64, id only) {
	t, kept := group.At(place)
	if id.accepts(t.GetTaskId().GetValue()) {
		r.add(first, t, kept)
	}
}

// ranking finds the first of many tasks in order of their first update, those of
// the same time in order of their arrival, or all of that backwards.
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

// rankedTask is a task with its place and with what is kept beside it.
type rankedTask struct {
	first float64
	seen  int
	task  *mesos.Task
	kept  *state.Kept
}

func (r *ranking) compare(x, y rankedTask) int {
	order := cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.seen, y.seen))
	if r.ascending {
		return order
	}
	return -order
}

// rankSlack is how many more than the wanted ones are collected before they are
// sorted, so that this is done rarely.
const rankSlack = 1000

// mayAdd says whether the next task in order of arrival could be among those that
// are wanted. It is asked about all, before one looks at them.
func (r *ranking) mayAdd(first float64) bool {
	r.seen++
	return r.worst == nil || r.compare(rankedTask{first: first, seen: r.seen}, *r.worst) <= 0
}

// add adds the task that mayAdd was asked about.
func (r *ranking) add(first float64, t *mesos.Task, kept *state.Kept) {
	r.tasks = append(r.tasks, rankedTask{first, r.seen, t, kept})
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
