package sim

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/engine"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// fairness stands before an allocator and holds its proposals against the order
// of dominant shares, which it computes from scratch out of what the allocator
// is told: nobody is proposed a part of an agent while somebody of a lower share
// could have had it. An agent is the granularity: shares count as they are when
// the allocator comes to it.
//
// Filters are not modelled: who refused an agent lately may be passed over. With
// quota the order is another, and is not checked.
type fairness struct {
	engine.Allocator
	sim        *sim
	frameworks map[state.FrameworkID]*claimant
	agents     map[state.AgentID]*shared
	weights    map[string]float64
	quota      bool
}

// claimant is a framework.
type claimant struct {
	active            bool
	roles, suppressed map[string]bool
}

// claim is a framework in a role.
type claim struct {
	framework state.FrameworkID
	role      string
}

// shared is an agent: what it has, who holds what of it, and who doesn't want
// it until when.
type shared struct {
	total amounts
	held  map[claim]amounts
	// copies are those of shared volumes, which count once at every place in the
	// tree of roles, however many are held there.
	copies  map[claim]map[string]*copies
	refused map[claim]time.Time
}

// copies are how often a shared volume is held, and what it is.
type copies struct {
	n      resources.Scalar
	amount amounts
}

// amounts are scalars by name.
type amounts map[string]resources.Scalar

func (a amounts) add(b amounts, sign resources.Scalar) {
	for name, v := range b {
		a[name] += sign * v
	}
}

func newFairness(s *sim, a engine.Allocator) *fairness {
	return &fairness{
		Allocator: a, sim: s, frameworks: map[state.FrameworkID]*claimant{},
		agents: map[state.AgentID]*shared{}, weights: map[string]float64{},
	}
}

// Apply implements engine.Allocator.
func (f *fairness) Apply(e state.AllocatorEffect, now time.Time) bool {
	switch e := e.(type) {
	case state.AllocStart:
		f.setWeights(e.Weights)
		f.quota = len(e.Quotas) > 0
	case state.AllocUpdateWeights:
		f.setWeights(e.Weights)
	case state.AllocUpdateQuota:
		f.quota = true
	case state.AllocAddAgent:
		a := &shared{
			total: scalars(e.Total), held: map[claim]amounts{}, copies: map[claim]map[string]*copies{},
			refused: map[claim]time.Time{},
		}
		f.agents[state.AgentID(e.Info.GetId().GetValue())] = a
		for _, u := range e.Used {
			a.hold(u.Framework, u.Resources, 1)
		}
	case state.AllocUpdateAgent:
		f.agents[state.AgentID(e.Info.GetId().GetValue())].total = scalars(e.Total)
	case state.AllocRemoveAgent:
		delete(f.agents, e.Agent)
	case state.AllocTrack:
		f.agents[e.Agent].hold(e.Framework, e.Resources, 1)
	case state.AllocConvert:
		for _, c := range e.Conversions {
			f.agents[e.Agent].hold(e.Framework, c.Consumed.Copied(), -1)
			f.agents[e.Agent].hold(e.Framework, c.Converted.Copied(), 1)
		}
	case state.AllocRecover:
		f.recover(e, now)
	default:
		f.applyFramework(e)
	}
	return f.Allocator.Apply(e, now)
}

func (f *fairness) applyFramework(e state.AllocatorEffect) {
	switch e := e.(type) {
	case state.AllocAddFramework:
		f.frameworks[state.FrameworkID(e.Info.GetId().GetValue())] = &claimant{
			active: e.Active, roles: setOf(rolesIn(e.Info)), suppressed: setOf(e.Suppressed),
		}
	case state.AllocUpdateFramework:
		c := f.frameworks[state.FrameworkID(e.Info.GetId().GetValue())]
		c.roles, c.suppressed = setOf(rolesIn(e.Info)), setOf(e.Suppressed)
	case state.AllocRemoveFramework:
		delete(f.frameworks, e.Framework)
		for _, a := range f.agents {
			maps.DeleteFunc(a.held, func(c claim, _ amounts) bool { return c.framework == e.Framework })
			maps.DeleteFunc(a.copies, func(c claim, _ map[string]*copies) bool { return c.framework == e.Framework })
		}
	case state.AllocActivateFramework:
		f.frameworks[e.Framework].active = true
	case state.AllocDeactivateFramework:
		f.frameworks[e.Framework].active = false
	case state.AllocSuppress:
		f.frameworks[e.Framework].suppress(e.Roles, true)
	case state.AllocRevive:
		f.frameworks[e.Framework].suppress(e.Roles, false)
	}
}

func (c *claimant) suppress(roles []string, suppressed bool) {
	for role := range c.roles {
		if len(roles) == 0 || slices.Contains(roles, role) {
			c.suppressed[role] = suppressed
		}
	}
}

// patience is how much longer than it says a refusal may be honoured: to the
// next allocation, which may have been under way.
const patience = 3 * time.Second

func (f *fairness) recover(e state.AllocRecover, now time.Time) {
	a := f.agents[e.Agent]
	if a == nil {
		return
	}
	a.hold(e.Framework, e.Resources, -1)
	if e.Filters == nil {
		return
	}
	until := now.Add(time.Duration(e.Filters.GetRefuseSeconds()*float64(time.Second)) + patience)
	for _, r := range e.Resources {
		c := claim{e.Framework, r.GetAllocationInfo().GetRole()}
		if until.After(a.refused[c]) {
			a.refused[c] = until
		}
	}
}

func (a *shared) hold(f state.FrameworkID, list []*mesos.Resource, sign resources.Scalar) {
	for _, r := range list {
		c := claim{f, r.GetAllocationInfo().GetRole()}
		if a.held[c] == nil {
			a.held[c], a.copies[c] = amounts{}, map[string]*copies{}
		}
		if r.Shared != nil {
			id := r.GetDisk().GetPersistence().GetId()
			if a.copies[c][id] == nil {
				a.copies[c][id] = &copies{amount: scalars([]*mesos.Resource{r})}
			}
			a.copies[c][id].n += sign
			continue
		}
		a.held[c].add(scalars([]*mesos.Resource{r}), sign)
	}
}

func (f *fairness) setWeights(list []*mesos.WeightInfo) {
	for _, w := range list {
		f.weights[w.GetRole()] = w.GetWeight()
	}
}

func scalars(list []*mesos.Resource) amounts {
	a := amounts{}
	for _, r := range list {
		if r.GetType() == mesos.Value_SCALAR {
			a[r.GetName()] += resources.ScalarOf(r.GetScalar().GetValue())
		}
	}
	return a
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, x := range list {
		set[x] = true
	}
	return set
}

func rolesIn(info *mesos.FrameworkInfo) []string {
	if len(info.GetRoles()) > 0 {
		return info.GetRoles()
	}
	return []string{info.GetRole()}
}

// Allocate implements engine.Allocator.
func (f *fairness) Allocate(now time.Time) state.Allocated {
	allocated := f.Allocator.Allocate(now)
	for rest := allocated.Proposals; len(rest) > 0; {
		agent := rest[0].Agent
		n := slices.IndexFunc(rest, func(p state.Proposal) bool { return p.Agent != agent })
		if n < 0 {
			n = len(rest)
		}
		f.checkAgent(rest[:n], now)
		for _, p := range rest[:n] {
			f.agents[agent].hold(p.Framework, p.Resources, 1)
		}
		rest = rest[n:]
	}
	return allocated
}

// checkAgent checks what is proposed of one agent.
func (f *fairness) checkAgent(proposals []state.Proposal, now time.Time) {
	if f.quota {
		return
	}
	a := f.agents[proposals[0].Agent]
	shares := sync.OnceValue(f.shares) // mostly everybody else refused
	claims := f.claims()
	for i, p := range proposals {
		if !f.sim.enough(p.Resources) {
			continue
		}
		got := claim{p.Framework, p.Role}
		for _, other := range claims {
			before := slices.ContainsFunc(proposals[:i], func(p state.Proposal) bool {
				return other == claim{p.Framework, p.Role}
			})
			if other == got || before || a.refused[other].After(now) {
				continue
			}
			if mine, theirs, where := shares().compare(got, other); theirs < mine-1e-9 {
				f.sim.fail("%s of %s is proposed to %v, whose share at %q is %g, before %v, whose share is %g",
					resources.Of(p.Resources...), p.Agent, got, where, mine, other, theirs)
			}
		}
	}
}

// enough says whether resources are worth an offer to anybody, by the defaults
// of --min_allocatable_resources.
func (s *sim) enough(list []*mesos.Resource) bool {
	var free []*mesos.Resource
	for _, r := range list {
		if len(r.GetReservations()) == 0 && r.GetRevocable() == nil {
			free = append(free, r)
		}
	}
	a := scalars(free)
	return a["cpus"] >= 10 || a["mem"] >= 32_000
}

// claims are those that want offers.
func (f *fairness) claims() []claim {
	var list []claim
	for id, c := range f.frameworks {
		for role := range c.roles {
			if c.active && !c.suppressed[role] {
				list = append(list, claim{id, role})
			}
		}
	}
	return list
}

// shares are the dominant shares by place in the tree of roles: "a", "a/b",
// "a/b/." for the role itself among those below it, and "a/b/./framework".
type shares map[string]float64

func (f *fairness) shares() shares {
	total, held := amounts{}, map[string]amounts{}
	for _, a := range f.agents {
		counted := map[string]bool{}
		total.add(a.total, 1)
		for c, h := range a.held {
			if f.frameworks[c.framework] == nil {
				continue // not known yet, so its role isn't charged
			}
			for _, place := range c.places() {
				if held[place] == nil {
					held[place] = amounts{}
				}
				held[place].add(h, 1)
				for id, v := range a.copies[c] {
					if v.n > 0 && !counted[place+" "+id] {
						counted[place+" "+id] = true
						held[place].add(v.amount, 1)
					}
				}
			}
		}
	}
	out := shares{}
	for place, h := range held {
		share := 0.0
		for name, v := range h {
			if total[name] > 0 {
				share = max(share, float64(v)/float64(total[name]))
			}
		}
		if w := f.weights[place]; w > 0 {
			share /= w
		}
		out[place] = share
	}
	return out
}

// places are where a claim is in the tree, from the top.
func (c claim) places() []string {
	var out []string
	for i, r := range c.role {
		if r == '/' {
			out = append(out, c.role[:i])
		}
	}
	return append(out, c.role, c.role+"/.", c.role+"/./"+string(c.framework))
}

// compare returns the shares of two claims where their ways part.
func (s shares) compare(a, b claim) (x, y float64, where string) {
	p, q := a.places(), b.places()
	for i := range min(len(p), len(q)) {
		if p[i] != q[i] {
			return s[p[i]], s[q[i]], strings.Join([]string{p[i], q[i]}, " and ")
		}
	}
	return 0, 0, ""
}
