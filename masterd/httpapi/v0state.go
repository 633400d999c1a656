package httpapi

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// composeState puts together /state: the whole master.
func (a *API) composeState(b *body, v *state.View, query asked) {
	b.open('{')
	b.write(func(text []byte) []byte { return a.masterMembers(text, v, query.visible) })
	b.member("slaves")
	b.open('[')
	agentElements(b, v.Agents, formV0, query.visible, appendSlave)
	b.close(']')
	b.write(func(text []byte) []byte { return recoveredMember(text, v, only{}) })
	seen := query.of(v)
	frameworkMembers(b, seen, group(b, seen, only{}), only{})
	// Both are always empty since Mesos 1.0, and clients still look.
	b.write(func(text []byte) []byte { return append(text, `,"orphan_tasks":[],"unregistered_frameworks":[]`...) })
	b.close('}')
}

// masterMembers is what /state says of the master itself.
func (a *API) masterMembers(b []byte, v *state.View, see visible) []byte {
	b = versionMembers(b)
	b = timeMember(b, "start_time", a.cfg.Started)
	b = timeMember(b, "elected_time", v.Elected)
	b = stringMember(b, "id", v.Master.GetId())
	b = stringMember(b, "pid", v.Master.GetPid())
	b = stringMember(b, "hostname", v.Master.GetHostname())
	b = listMember(b, "capabilities", v.Master.Capabilities, func(b []byte, c *mesos.MasterInfo_Capability) []byte {
		return mesosjson.AppendString(b, c.GetType().String())
	})
	b = agentCounts(b, v)
	if v.Master.Domain != nil {
		b = messageMember(b, "domain", v.Master.Domain)
	}
	b = stringMember(b, "leader", v.Master.GetPid())
	b = appendLeader(key(b, "leader_info"), v.Master)
	return a.flagMembers(b, see)
}

// agentCounts are doubles, as everything that Mesos takes from its metrics.
func agentCounts(b []byte, v *state.View) []byte {
	active := 0
	for agent := range v.Agents.All() {
		if agent.Active {
			active++
		}
	}
	b = doubleMember(b, "activated_slaves", float64(active))
	b = doubleMember(b, "deactivated_slaves", float64(v.Agents.Len()-active))
	return doubleMember(b, "unreachable_slaves", float64(v.UnreachableAgents.Len()))
}

func appendLeader(b []byte, m *mesos.MasterInfo) []byte {
	start := len(b)
	b = stringMember(b, "id", m.GetId())
	b = stringMember(b, "pid", m.GetPid())
	b = intMember(b, "port", int(m.GetPort()))
	b = stringMember(b, "hostname", m.GetHostname())
	if m.Domain != nil {
		b = messageMember(b, "domain", m.Domain)
	}
	return mesosjson.CloseObject(b, start)
}

func (a *API) flagMembers(b []byte, see visible) []byte {
	if !see.flags.Allow(acl.Any) {
		return b
	}
	for _, f := range []struct{ name, value string }{
		{"cluster", a.cfg.Cluster}, {"log_dir", a.cfg.LogDir}, {"external_log_file", a.cfg.ExternalLogFile},
	} {
		if f.value != "" {
			b = stringMember(b, f.name, f.value)
		}
	}
	return append(key(b, "flags"), a.flags...)
}

func appendFlags(b []byte, flags map[string]string) []byte {
	start := len(b)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		b = mesosjson.AppendString(append(b, ','), name)
		b = mesosjson.AppendString(append(b, ':'), flags[name])
	}
	return mesosjson.CloseObject(b, start)
}

// composeSummary puts together /state-summary: agents and frameworks with counts
// of their tasks instead of the tasks.
func (a *API) composeSummary(b *body, v *state.View, query asked) {
	b.open('{')
	b.write(func(text []byte) []byte {
		text = stringMember(text, "hostname", v.Master.GetHostname())
		if a.cfg.Cluster != "" {
			text = stringMember(text, "cluster", a.cfg.Cluster)
		}
		return text
	})
	v = query.of(v)
	c := count(v)
	b.member("slaves")
	b.open('[')
	summarize(b, v, c, query.visible)
	b.close(']')
	b.member("frameworks")
	b.open('[')
	for f := range v.Frameworks.All() {
		b.write(func(text []byte) []byte {
			text = append(text, ',')
			start := len(text)
			text = summaryMembers(text, f)
			text = c.frameworks[string(f.ID)].members(text, "slave_ids")
			return mesosjson.CloseObject(text, start)
		})
	}
	b.close(']')
	b.close('}')
}

// summarize appends agents as /state has them, with their counts.
func summarize(b *body, v *state.View, c counts, see visible) {
	encode := element(func(text []byte, a *state.Agent) []byte { return appendSlave(text, a, see) })
	if see.roles.Always() {
		prepare(b.lane, v.Agents, formV0, encode)
	}
	for a, kept := range v.Agents.Each() {
		var slave []byte
		if see.roles.Always() {
			slave = keep(kept, formV0, a, encode)
		} else {
			slave = encode(nil, a)
		}
		b.write(func(text []byte) []byte {
			text = append(text, slave[:len(slave)-1]...)
			return append(c.agents[string(a.ID)].members(text, "framework_ids"), '}')
		})
		b.step()
	}
}

// counted are the states that /state-summary counts; Mesos shows no others.
var counted = []mesos.TaskState{
	mesos.TaskState_TASK_STAGING, mesos.TaskState_TASK_STARTING, mesos.TaskState_TASK_RUNNING,
	mesos.TaskState_TASK_KILLING, mesos.TaskState_TASK_FINISHED, mesos.TaskState_TASK_KILLED,
	mesos.TaskState_TASK_FAILED, mesos.TaskState_TASK_LOST, mesos.TaskState_TASK_ERROR,
	mesos.TaskState_TASK_UNREACHABLE,
}

// tally counts the tasks of an agent or of a framework, and remembers whom it
// shares them with.
type tally struct {
	states [mesos.TaskState_TASK_UNKNOWN + 1]int
	others map[string]struct{}
}

// counts are the tallies of all tasks of frameworks that live.
type counts struct{ agents, frameworks map[string]*tally }

func count(v *state.View) counts {
	c := counts{agents: map[string]*tally{}, frameworks: map[string]*tally{}}
	for f := range v.Frameworks.All() {
		c.frameworks[string(f.ID)] = &tally{others: map[string]struct{}{}}
	}
	for _, table := range taskTables(v) {
		for t := range table.All() {
			c.add(t)
		}
	}
	return c
}

func (c counts) add(t *mesos.Task) {
	frameworkID, agentID := t.GetFrameworkId().GetValue(), t.GetAgentId().GetValue()
	framework := c.frameworks[frameworkID]
	if framework == nil {
		return // it is completed
	}
	agent := c.agents[agentID]
	if agent == nil {
		agent = &tally{others: map[string]struct{}{}}
		c.agents[agentID] = agent
	}
	if s := t.GetState(); s >= 0 && int(s) < len(agent.states) {
		agent.states[s]++
		framework.states[s]++
	}
	agent.others[frameworkID] = struct{}{}
	framework.others[agentID] = struct{}{}
}

func (t *tally) members(b []byte, others string) []byte {
	if t == nil {
		t = &tally{}
	}
	for _, s := range counted {
		b = intMember(b, s.String(), t.states[s])
	}
	return listMember(b, others, slices.Sorted(maps.Keys(t.others)), mesosjson.AppendString)
}

// taskLimit is how many tasks /tasks shows when it isn't asked for more.
const taskLimit = 100

// composeTasks puts together /tasks, newest first. limit=-1 means all.
func composeTasks(b *body, v *state.View, query asked) {
	tasks := selectTasks(query.of(v), query.only("framework_id"), query.only("task_id"))
	slices.SortStableFunc(tasks, func(x, y keptTask) int { return cmp.Compare(firstUpdate(x.Task), firstUpdate(y.Task)) })
	if query.Get("order") != "asc" {
		slices.Reverse(tasks)
	}
	offset := number(query.Get("offset"), 0)
	limit := number(query.Get("limit"), taskLimit)
	if limit < 0 {
		limit = len(tasks)
	}
	from := min(max(offset, 0), len(tasks))
	to := from + min(limit, len(tasks)-from)
	b.open('{')
	b.member("tasks")
	b.open('[')
	for _, t := range tasks[from:to] {
		b.keep(keep(t.kept, formV0, t.Task, v0Task))
	}
	b.close(']')
	b.close('}')
}

// keptTask is a task with what is kept beside it.
type keptTask struct {
	*mesos.Task
	kept *state.Kept
}

// number reads a parameter; what is no number counts as not given.
func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return otherwise
}

func selectTasks(v *state.View, framework, id only) []keptTask {
	var tasks []keptTask
	for _, table := range taskTables(v) {
		for t, kept := range table.Each() {
			if framework.accepts(t.GetFrameworkId().GetValue()) && id.accepts(t.GetTaskId().GetValue()) {
				tasks = append(tasks, keptTask{t, kept})
			}
		}
	}
	return tasks
}

// firstUpdate is when the first status was made; a task without one is older
// than all.
func firstUpdate(t *mesos.Task) float64 {
	if len(t.Statuses) == 0 {
		return 0
	}
	return t.Statuses[0].GetTimestamp()
}
