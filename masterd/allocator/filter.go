package allocator

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Limits of refuse_seconds, as in Mesos.
const (
	defaultRefusal = 5 * time.Second
	maxRefusal     = 365 * 24 * time.Hour
)

// filter says that a client doesn't want these resources of an agent, nor fewer, until a time.
type filter struct {
	client    *client
	resources resources.Resources
	until     int64 // Unix nanoseconds
	serial    uint64
}

// filters are those for one agent, sorted by client.
type filters []filter

// refusals remembers one comparison. Those who decline an agent mostly decline the same, and what they
// are asked about is the same, so that it answers nearly all of them.
type refusals struct {
	latest         resources.Resources
	refused, asked resources.Resources
	covers         bool
}

// intern returns r, or what was refused last if that is equal.
func (m *refusals) intern(r resources.Resources) resources.Resources {
	if !m.latest.Equal(r) {
		m.latest = r
	}
	return m.latest
}

// contains is refused.Contains(asked).
func (m *refusals) contains(refused, asked resources.Resources) bool {
	if !m.refused.Same(refused) || !m.asked.Same(asked) {
		m.refused, m.asked, m.covers = refused, asked, refused.Contains(asked)
	}
	return m.covers
}

// find is where those of a client are: from i up to j.
func (f filters) find(c *client) (i, j int) {
	i, _ = slices.BinarySearchFunc(f, c.id, func(x filter, id uint64) int { return cmp.Compare(x.client.id, id) })
	for j = i; j < len(f) && f[j].client == c; j++ {
	}
	return i, j
}

// of are those of a client.
func (f filters) of(c *client) filters {
	i, j := f.find(c)
	return f[i:j]
}

// rejects reports whether the client refused all of r before.
func (a *agent) rejects(c *client, r resources.Resources) bool {
	if len(a.filters) == 0 {
		return false
	}
	for _, x := range a.filters.of(c) {
		if a.refusals.contains(x.resources, r) {
			return true
		}
	}
	return false
}

// expiry is an entry of the heap of deadlines. It is void when the filter is gone.
type expiry struct {
	until  int64
	serial uint64
	agent  *agent
	client *client
}

type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].until < e[j].until }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiry)) }
func (e *expiries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// refusal is for how long. Zero means that there is no filter.
func refusal(f *mesos.Filters, interval time.Duration) time.Duration {
	d := defaultRefusal
	switch s := f.GetRefuseSeconds(); {
	case s > maxRefusal.Seconds():
		d = maxRefusal
	case s >= 0:
		d = time.Duration(s * float64(time.Second))
	}
	if d == 0 {
		return 0
	}
	// Else it would be over before the agent is proposed again.
	return max(d, interval)
}

// refuse installs a filter for what a client declined.
func (h *Hierarchical) refuse(c *client, a *agent, r resources.Resources, f *mesos.Filters, now time.Time) {
	d := refusal(f, h.cfg.Interval)
	if c == nil || !c.subscribed || d == 0 {
		return
	}
	h.serial++
	r = a.refusals.intern(r)
	x := filter{client: c, resources: r, until: now.Add(d).UnixNano(), serial: h.serial}
	// What the new one covers is not needed any more: so a client has few, whatever it declines.
	h.dropFiltersIf(a, c, func(o filter) bool { return o.until <= x.until && r.Contains(o.resources) })
	i, _ := a.filters.find(c)
	a.filters = slices.Insert(a.filters, i, x)
	h.countFilters(c, 1)
	heap.Push(&h.expiries, expiry{until: x.until, serial: x.serial, agent: a, client: c})
	h.compactExpiries()
}

// compactExpiries rebuilds the heap when most of it is void, for a void entry lies there until its
// deadline, which may be a year away.
func (h *Hierarchical) compactExpiries() {
	if len(h.expiries) < 2*h.filterCount+1024 {
		return
	}
	h.expiries = slices.DeleteFunc(h.expiries, func(e expiry) bool { return !e.isLive() })
	heap.Init(&h.expiries)
}

func (e expiry) isLive() bool {
	return slices.ContainsFunc(e.agent.filters.of(e.client), func(f filter) bool { return f.serial == e.serial })
}

// expireFilters drops the filters whose time has passed.
func (h *Hierarchical) expireFilters(now time.Time) {
	t := now.UnixNano()
	for len(h.expiries) > 0 && h.expiries[0].until < t {
		e := heap.Pop(&h.expiries).(expiry)
		h.dropFiltersIf(e.agent, e.client, func(f filter) bool { return f.serial == e.serial })
	}
}

// dropFilters drops those of a client, for all agents.
func (h *Hierarchical) dropFilters(c *client) {
	if c.filters == 0 {
		return
	}
	for _, a := range h.agents {
		h.dropFiltersIf(a, c, func(filter) bool { return true })
	}
}

func (h *Hierarchical) countFilters(c *client, n int) {
	c.filters += n
	c.role.filters += n
	h.filterCount += n
}

// dropAgentFilters drops those for an agent, of all clients.
func (h *Hierarchical) dropAgentFilters(a *agent) {
	for _, f := range a.filters {
		h.countFilters(f.client, -1)
	}
	a.filters = nil
	a.ruledOut = nil
	h.nominate(a)
	for _, fw := range h.frameworks {
		delete(fw.inverseFilters, a.id)
	}
}

// dropFiltersIf drops filters of a client for an agent, which may then be proposed to it.
func (h *Hierarchical) dropFiltersIf(a *agent, c *client, drop func(filter) bool) {
	i, j := a.filters.find(c)
	kept := i
	for _, f := range a.filters[i:j] {
		if !drop(f) {
			a.filters[kept] = f
			kept++
		}
	}
	if kept < j {
		a.filters = slices.Delete(a.filters, kept, j)
		h.countFilters(c, kept-j)
		a.ruledOut.clear(c.node.bit)
		h.nominate(a)
	}
}
