package allocator

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// world is an allocator and, kept naively beside it, what should be true.
type world struct {
	h      *Hierarchical
	now    time.Time
	agents map[AgentID]resources.Resources
	// held is what each framework was proposed or told to hold.
	held map[AgentID]map[FrameworkID]resources.Resources
	fws  map[FrameworkID]*wish
	// refused are the filters that are in force.
	refused []refused
	limits  map[string]resources.Scalar
	serial  int
}

type wish struct {
	active     bool
	roles      []string
	suppressed map[string]bool
}

type refused struct {
	framework FrameworkID
	role      string
	agent     AgentID
	resources resources.Resources
	until     time.Time
}

var someRoles = []string{"a", "a/b", "a/c", "d", "e"}

func newWorld(t *rapid.T, cfg Config) *world {
	cfg.Seed = uint64(rapid.IntRange(0, 1000).Draw(t, "seed"))
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		h: h, now: time.Unix(1000, 0), agents: map[AgentID]resources.Resources{},
		held: map[AgentID]map[FrameworkID]resources.Resources{}, fws: map[FrameworkID]*wish{},
		limits: map[string]resources.Scalar{},
	}
}

func (w *world) id(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s%d", prefix, w.serial)
}

func pick[K ~string, V any](t *rapid.T, m map[K]V) (K, bool) {
	if len(m) == 0 {
		return "", false
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m))).Draw(t, "which"), true
}

func (w *world) addAgent(t *rapid.T) {
	id := w.id("agent")
	text := fmt.Sprintf("cpus:%d;mem:%d;ports:[1-%d]", rapid.IntRange(0, 8).Draw(t, "cpus"),
		rapid.IntRange(1, 64).Draw(t, "mem"), rapid.IntRange(1, 9).Draw(t, "ports"))
	if rapid.Bool().Draw(t, "reserved") {
		text += fmt.Sprintf(";cpus(%s):2", rapid.SampledFrom(someRoles).Draw(t, "for"))
	}
	total := resources.MustParse(text)
	w.agents[AgentID(id)], w.held[AgentID(id)] = total, map[FrameworkID]resources.Resources{}
	if _, err := w.h.AddAgent(Agent{
		Info: &mesos.AgentInfo{Id: &mesos.AgentID{Value: &id}, Hostname: &id}, Total: total,
		Capabilities: []mesos.AgentInfo_Capability_Type{
			mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
		},
	}, nil); err != nil {
		t.Fatal(err)
	}
}

func (w *world) removeAgent(t *rapid.T) {
	if id, ok := pick(t, w.agents); ok {
		if err := w.h.RemoveAgent(id); err != nil {
			t.Fatal(err)
		}
		delete(w.agents, id)
		delete(w.held, id)
		w.refused = slices.DeleteFunc(w.refused, func(r refused) bool { return r.agent == id })
	}
}

func (w *world) description(id FrameworkID) Framework {
	x := w.fws[id]
	return Framework{
		Info: &mesos.FrameworkInfo{
			Id: &mesos.FrameworkID{Value: new(string(id))}, Roles: x.roles,
			Capabilities: []*mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()}},
		},
		Active: x.active, Suppressed: slices.Sorted(maps.Keys(x.suppressed)),
	}
}

func (w *world) addFramework(t *rapid.T) {
	id := FrameworkID(w.id("framework"))
	w.fws[id] = &wish{
		active:     rapid.Bool().Draw(t, "active") || rapid.Bool().Draw(t, "active still"),
		roles:      rapid.SliceOfNDistinct(rapid.SampledFrom(someRoles), 1, 3, rapid.ID).Draw(t, "roles"),
		suppressed: map[string]bool{},
	}
	if _, err := w.h.AddFramework(w.description(id), nil); err != nil {
		t.Fatal(err)
	}
}

func (w *world) updateFramework(t *rapid.T) {
	id, ok := pick(t, w.fws)
	if !ok {
		return
	}
	x := w.fws[id]
	x.roles = rapid.SliceOfNDistinct(rapid.SampledFrom(someRoles), 1, 3, rapid.ID).Draw(t, "roles")
	before := x.suppressed
	x.suppressed = map[string]bool{}
	if rapid.Bool().Draw(t, "suppress") {
		x.suppressed[x.roles[0]] = true
	}
	w.forget(id, func(role string) bool {
		return !slices.Contains(x.roles, role) || before[role] && !x.suppressed[role]
	})
	if _, err := w.h.UpdateFramework(w.description(id)); err != nil {
		t.Fatal(err)
	}
}

// forget drops refusals.
func (w *world) forget(id FrameworkID, which func(role string) bool) {
	w.refused = slices.DeleteFunc(w.refused, func(r refused) bool { return r.framework == id && which(r.role) })
}

func (w *world) removeFramework(t *rapid.T) {
	if id, ok := pick(t, w.fws); ok {
		if err := w.h.RemoveFramework(id); err != nil {
			t.Fatal(err)
		}
		delete(w.fws, id)
		for _, held := range w.held {
			delete(held, id)
		}
		w.forget(id, func(string) bool { return true })
	}
}

func (w *world) toggle(t *rapid.T) {
	id, ok := pick(t, w.fws)
	if !ok {
		return
	}
	x := w.fws[id]
	x.active = !x.active
	var err error
	if x.active {
		_, err = w.h.ActivateFramework(id)
	} else {
		w.forget(id, func(string) bool { return true })
		err = w.h.DeactivateFramework(id)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) suppress(t *rapid.T) {
	if id, ok := pick(t, w.fws); ok {
		role := rapid.SampledFrom(w.fws[id].roles).Draw(t, "role")
		w.fws[id].suppressed[role] = true
		if err := w.h.Suppress(id, []string{role}); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) revive(t *rapid.T) {
	if id, ok := pick(t, w.fws); ok {
		w.fws[id].suppressed = map[string]bool{}
		w.forget(id, func(role string) bool { return slices.Contains(w.fws[id].roles, role) })
		if _, err := w.h.Revive(id, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// giveBack recovers all or a part of what is held somewhere, with or without a filter.
func (w *world) giveBack(t *rapid.T) {
	agent, ok := pick(t, w.held)
	if !ok {
		return
	}
	id, ok := pick(t, w.held[agent])
	if !ok {
		return
	}
	byRole := w.held[agent][id].ByAllocation()
	role, _ := pick(t, byRole)
	r := byRole[role]
	if rapid.Bool().Draw(t, "a part") {
		r = r.Filter(func(resources.Item) bool { return rapid.Bool().Draw(t, "this") })
	}
	var f *mesos.Filters
	if rapid.Bool().Draw(t, "refuse") {
		seconds := float64(rapid.IntRange(0, 10).Draw(t, "seconds"))
		f = &mesos.Filters{RefuseSeconds: &seconds}
		if x := w.fws[id]; seconds > 0 && x != nil && slices.Contains(x.roles, role) && !r.IsEmpty() {
			w.refused = append(w.refused, refused{
				id, role, agent, r.Unallocate(), w.now.Add(time.Duration(seconds) * time.Second),
			})
		}
	}
	if err := w.h.Recover(id, agent, r, f, w.now); err != nil {
		t.Fatal(err)
	}
	if rest := w.held[agent][id].Subtract(r); rest.IsEmpty() {
		delete(w.held[agent], id)
	} else {
		w.held[agent][id] = rest
	}
}

// reserve converts something that is free, or that a framework holds, and takes it back again later.
func (w *world) reserve(t *rapid.T) {
	agent, ok := pick(t, w.agents)
	if !ok {
		return
	}
	role := rapid.SampledFrom(someRoles).Draw(t, "role")
	from := resources.MustParse(fmt.Sprintf("cpus:%d", rapid.IntRange(1, 3).Draw(t, "cpus")))
	reserved, err := from.PushReservation(&mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role,
	})
	if err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "unreserve") {
		from, reserved = reserved, from
	}
	id, some := pick(t, w.held[agent])
	if some && rapid.Bool().Draw(t, "held") {
		w.convertHeld(t, agent, id, role, from, reserved)
		return
	}
	err = w.h.UpdateAvailable(agent, []resources.Conversion{{Consumed: from, Converted: reserved}})
	free := w.agents[agent]
	for _, r := range w.held[agent] {
		free = free.Subtract(r.Unallocate())
	}
	if can := free.Contains(from); can != (err == nil) {
		t.Fatalf("converting %s of the free %s: %v", from, free, err)
	}
	if err == nil {
		w.agents[agent] = w.agents[agent].Subtract(from).Add(reserved)
	}
}

func (w *world) convertHeld(t *rapid.T, agent AgentID, id FrameworkID, role string, from, to resources.Resources) {
	held := w.held[agent][id]
	err := w.h.UpdateAllocation(id, agent, held, []resources.Conversion{{
		Consumed: from.Allocate(role), Converted: to.Allocate(role),
	}})
	if can := held.Contains(from.Allocate(role)); can != (err == nil) {
		t.Fatalf("converting %s for %s of %s: %v", from, role, held, err)
	}
	if err == nil {
		w.held[agent][id] = held.Subtract(from.Allocate(role)).Add(to.Allocate(role))
		w.agents[agent] = w.agents[agent].Subtract(from).Add(to)
	}
}

func (w *world) setQuota(t *rapid.T) {
	role := rapid.SampledFrom([]string{"a", "d"}).Draw(t, "role")
	guarantee := resources.Scalar(rapid.IntRange(0, 6).Draw(t, "guarantee")) * 1000
	limit := guarantee + resources.Scalar(rapid.IntRange(0, 6).Draw(t, "more"))*1000
	q := &quota.QuotaConfig{Role: &role}
	delete(w.limits, role)
	if rapid.Bool().Draw(t, "set") {
		q.Guarantees = map[string]*mesos.Value_Scalar{"cpus": {Value: new(guarantee.Float())}}
		q.Limits = map[string]*mesos.Value_Scalar{"cpus": {Value: new(limit.Float())}}
		w.limits[role] = limit
	}
	w.h.UpdateQuota([]*quota.QuotaConfig{q})
}

func (w *world) setWeight(t *rapid.T) {
	role := rapid.SampledFrom(someRoles).Draw(t, "role")
	weight := rapid.SampledFrom([]float64{0.5, 1, 3}).Draw(t, "weight")
	w.h.UpdateWeights([]*mesos.WeightInfo{{Role: &role, Weight: &weight}})
}

func (w *world) wait(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 6000).Draw(t, "ms")) * time.Millisecond)
	w.refused = slices.DeleteFunc(w.refused, func(r refused) bool { return r.until.Before(w.now) })
}

// consumed is what counts against a limit, computed from scratch.
func (w *world) consumed(role string) resources.Scalar {
	var sum resources.Scalar
	for agent, total := range w.agents {
		sum += total.ReservedInSubtree(role).Scalar("cpus")
		for _, r := range w.held[agent] {
			for name, x := range r.ByAllocation() {
				if name == role || len(name) > len(role) && name[:len(role)+1] == role+"/" {
					sum += x.Unreserved().Scalar("cpus")
				}
			}
		}
	}
	return sum
}

func (w *world) allocate(t *rapid.T) {
	before := map[string]resources.Scalar{}
	for role := range w.limits {
		before[role] = w.consumed(role)
	}
	for _, p := range w.h.Allocate(w.now) {
		w.checkProposal(t, p)
		w.held[p.Agent][p.Framework] = w.held[p.Agent][p.Framework].Add(p.Resources.Allocate(p.Role))
	}
	for id, total := range w.agents {
		var used resources.Resources
		for _, r := range w.held[id] {
			used = used.Add(r.Unallocate())
		}
		if !total.Contains(used) {
			t.Fatalf("agent %s has %s, of which %s is held", id, total, used)
		}
	}
	for role, limit := range w.limits {
		if after := w.consumed(role); after > limit && after > before[role] {
			t.Fatalf("role %s may consume %s and consumes %s", role, limit, after)
		}
	}
	w.checkNothingLeft(t)
}

func (w *world) checkProposal(t *rapid.T, p Proposal) {
	x := w.fws[p.Framework]
	if x == nil || !x.active || x.suppressed[p.Role] || !slices.Contains(x.roles, p.Role) {
		t.Fatalf("%v: the framework wants nothing", p)
	}
	if p.Resources.IsEmpty() || !p.Resources.Equal(p.Resources.AllocatableTo(p.Role)) {
		t.Fatalf("%v: not for this role", p)
	}
	for _, r := range w.refused {
		if r.framework == p.Framework && r.role == p.Role && r.agent == p.Agent && r.resources.Contains(p.Resources) {
			t.Fatalf("%v: refused until %v", p, r.until)
		}
	}
}

// checkNothingLeft shows that what the allocator remembers to save work is true: with all of it
// forgotten, there is nothing more to propose.
func (w *world) checkNothingLeft(t *rapid.T) {
	for _, a := range w.h.agents {
		clear(a.ruledOut)
	}
	w.h.nominateAll()
	if again := w.h.Allocate(w.now); len(again) > 0 {
		t.Fatalf("looking at everything again proposes %v", again)
	}
}

// checkBooks compares what the allocator adds up as it goes with sums from scratch.
func (w *world) checkBooks(t *rapid.T) {
	h := w.h
	var total, free, used vector
	reserved := map[string]resources.Scalar{}
	for _, a := range h.agents {
		for it := range a.total.Reserved().All() {
			reserved[it.ReservedFor()] += it.Scalar()
			for above := range roles.Ancestors(it.ReservedFor()) {
				reserved[above] += it.Scalar()
			}
		}
		total.addAll(h.names.measure(a.total))
		used.addAll(h.names.measure(a.used))
		free.addAll(h.names.measure(a.free.Unreserved()))
	}
	same(t, h, "total", h.sorter.total, total)
	same(t, h, "free", h.freeUnreserved, free)
	same(t, h, "used", h.used, used)
	for role, sum := range reserved {
		if r := h.tree.roles[role]; r == nil || r.reserved.get(h.names.id("cpus")) != sum {
			t.Fatalf("%s is reserved for %s", sum, role)
		}
	}
	for _, r := range h.tree.roles {
		if r.name != "" && r.children == 0 && len(r.clients) == 0 && !r.hasQuota && reserved[r.name] == 0 {
			t.Fatalf("nobody needs role %s", r.name)
		}
		var held vector
		filters := 0
		for _, a := range h.agents {
			for _, x := range a.holdings {
				if x.role == r.name {
					held.addAll(h.names.measure(x.resources))
				}
			}
			for _, f := range a.filters {
				if f.client.role == r {
					filters++
				}
			}
		}
		same(t, h, "held for "+r.name, r.leaf.held, held)
		if filters != r.filters {
			t.Fatalf("role %s counts %d filters of %d", r.name, r.filters, filters)
		}
	}
	checkTree(t, h, h.tree.root.node)
}

func same(t *rapid.T, h *Hierarchical, what string, got, want vector) {
	if g, w := h.names.quantities(got).String(), h.names.quantities(want).String(); g != w {
		t.Fatalf("%s is %s, want %s", what, g, w)
	}
}

// checkTree finds what is in the wrong place.
func checkTree(t *rapid.T, h *Hierarchical, n *node) {
	for i, c := range n.children {
		if !c.placed || c.parent != n {
			t.Fatalf("%s does not know its place", c.path)
		}
		if i > 0 && !n.dirty && compareNodes(n.children[i-1], c) >= 0 {
			t.Fatalf("%s comes before %s", n.children[i-1].path, c.path)
		}
		if !n.dirty && n.arranged == h.sorter.version && (c.share != h.sorter.shareOf(c) || c.turns != c.count) {
			t.Fatalf("%s is placed by what it had before", c.path)
		}
		checkTree(t, h, c)
	}
}

func TestProperties(t *testing.T) {
	for name, cfg := range map[string]Config{
		"drf":    {MinAllocatable: nil},
		"random": {RoleSorter: SorterRandom, FrameworkSorter: SorterRandom},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, cfg)
				t.Repeat(map[string]func(*rapid.T){
					"add agent":        w.addAgent,
					"add agent too":    w.addAgent,
					"remove agent":     w.removeAgent,
					"add framework":    w.addFramework,
					"update framework": w.updateFramework,
					"remove framework": w.removeFramework,
					"toggle framework": w.toggle,
					"suppress":         w.suppress,
					"revive":           w.revive,
					"give back":        w.giveBack,
					"give back more":   w.giveBack,
					"reserve":          w.reserve,
					"reserve more":     w.reserve,
					"quota":            w.setQuota,
					"weight":           w.setWeight,
					"wait":             w.wait,
					"allocate":         w.allocate,
					"allocate again":   w.allocate,
					"":                 w.checkBooks,
				})
			})
		})
	}
}

// TestFairness gives equal agents to roles of different weights: no role is further behind than one
// agent, in its own measure.
func TestFairness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, Config{})
		weights := rapid.SliceOfN(rapid.SampledFrom([]float64{0.5, 1, 2, 3}), 2, 6).Draw(t, "weights")
		for i, weight := range weights {
			id, role := FrameworkID(fmt.Sprint("f", i)), fmt.Sprint("r", i)
			w.h.UpdateWeights([]*mesos.WeightInfo{{Role: &role, Weight: &weight}})
			w.fws[id] = &wish{active: true, roles: []string{role}}
			if _, err := w.h.AddFramework(w.description(id), nil); err != nil {
				t.Fatal(err)
			}
		}
		n := rapid.IntRange(1, 40).Draw(t, "agents")
		for range n {
			id := w.id("agent")
			if _, err := w.h.AddAgent(Agent{
				Info:         &mesos.AgentInfo{Id: &mesos.AgentID{Value: &id}},
				Capabilities: []mesos.AgentInfo_Capability_Type{mesos.AgentInfo_Capability_MULTI_ROLE},
				Total:        resources.MustParse("cpus:1;mem:1"),
			}, nil); err != nil {
				t.Fatal(err)
			}
		}
		w.h.Allocate(w.now)
		got := make([]float64, len(weights))
		for i := range weights {
			got[i] = w.h.tree.get(fmt.Sprint("r", i)).leaf.held.get(0).Float()
		}
		for i, gi := range got {
			for j, gj := range got {
				// Whoever was given the last agent was not ahead before.
				if gi > 0 && (gi-1)/weights[i] > gj/weights[j]+1e-9 {
					t.Fatalf("weights %v got %v: %d is ahead of %d", weights, got, i, j)
				}
			}
		}
	})
}
