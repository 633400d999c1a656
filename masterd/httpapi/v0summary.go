package httpapi

import (
	"cmp"
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

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
	c := count(b, v)
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
			text = c.framework(string(f.ID)).members(text, "slave_ids")
			return mesosjson.CloseObject(text, start)
		})
	}
	b.close(']')
	b.close('}')
}

// summarize appends agents as /state has them, with their counts.
func summarize(b *body, v *state.View, c *counts, see visible) {
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
			return append(c.agent(string(a.ID)).members(text, "framework_ids"), '}')
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

// countedNames are the names of counted.
var countedNames = func() (names []string) {
	for _, s := range counted {
		names = append(names, s.String())
	}
	return names
}()

// tally counts the tasks of an agent or of a framework, and remembers whom it
// shares them with, in order of their IDs.
type tally struct {
	id     string
	states [mesos.TaskState_TASK_UNKNOWN + 1]int
	others []*tally
}

// counts are the tallies of all tasks of frameworks that live.
type counts struct{ agents, frameworks map[string]*tally }

func count(b *body, v *state.View) *counts {
	c := &counts{agents: make(map[string]*tally, v.Agents.Len()), frameworks: make(map[string]*tally, v.Frameworks.Len())}
	for f := range v.Frameworks.All() {
		c.frameworks[string(f.ID)] = &tally{id: string(f.ID)}
	}
	for _, table := range taskTables(v) {
		var agent *tally // tasks of one agent often follow each other
		for _, facts := range state.Digests(table, factsOf) {
			for i := range facts {
				agent = c.add(&facts[i], agent)
				b.step()
			}
		}
	}
	c.link()
	return c
}

// add counts a task. It returns its agent's tally, to be given with the next.
func (c *counts) add(t *taskFacts, last *tally) *tally {
	framework := c.frameworks[t.framework]
	if framework == nil {
		return last // it is completed
	}
	agent := last
	if agent == nil || agent.id != t.agent {
		if agent = c.agents[t.agent]; agent == nil {
			agent = &tally{id: t.agent}
			c.agents[t.agent] = agent
		}
	}
	if s := t.state; s >= 0 && int(s) < len(agent.states) {
		agent.states[s]++
		framework.states[s]++
	}
	if !slices.Contains(agent.others, framework) {
		agent.others = append(agent.others, framework)
	}
	return agent
}

// link tells frameworks their agents, and sorts.
func (c *counts) link() {
	byID := func(x, y *tally) int { return cmp.Compare(x.id, y.id) }
	for _, agent := range slices.SortedFunc(maps.Values(c.agents), byID) {
		slices.SortFunc(agent.others, byID)
		for _, framework := range agent.others {
			framework.others = append(framework.others, agent)
		}
	}
}

// nothing is the tally of who has no tasks.
var nothing = &tally{}

func (c *counts) agent(id string) *tally     { return cmp.Or(c.agents[id], nothing) }
func (c *counts) framework(id string) *tally { return cmp.Or(c.frameworks[id], nothing) }

func (t *tally) members(b []byte, others string) []byte {
	for i, s := range counted {
		b = intMember(b, countedNames[i], t.states[s])
	}
	return listMember(b, others, t.others, func(b []byte, other *tally) []byte {
		return mesosjson.AppendString(b, other.id)
	})
}
