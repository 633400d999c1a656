package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// naive says who is next by adding everything up from scratch.
type naive struct {
	weights map[string]float64
	// held and gives are by path of a claimant: "role/./framework".
	held  map[string]resources.Quantities
	gives map[string]int
	total resources.Quantities
}

// claim is what a node of the tree has, for comparison with its siblings.
type claim struct {
	share float64
	gives int
	path  string
}

func (n *naive) claim(path string) claim {
	c := claim{path: path}
	var held resources.Quantities
	for p, q := range n.held {
		if p == path || strings.HasPrefix(p, path+"/") {
			held = held.Add(q)
			c.gives += n.gives[p]
		}
	}
	for _, q := range n.total {
		c.share = max(c.share, float64(held.Get(q.Name))/float64(q.Value))
	}
	if w, ok := n.weights[path]; ok {
		c.share /= w
	}
	return c
}

func (n *naive) next(path string, claimants []string) string {
	children := map[string]bool{}
	for _, c := range claimants {
		if rest, ok := strings.CutPrefix(c, path); ok {
			name, _, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
			children[strings.TrimPrefix(path+"/"+name, "/")] = true
		}
	}
	var claims []claim
	for c := range children {
		claims = append(claims, n.claim(c))
	}
	best := slices.MinFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.share, b.share), cmp.Compare(a.gives, b.gives), cmp.Compare(a.path, b.path))
	}).path
	if slices.Contains(claimants, best) {
		return best
	}
	return n.next(best, slices.DeleteFunc(slices.Clone(claimants), func(c string) bool { return !strings.HasPrefix(c, best+"/") }))
}

// TestOrder lets one agent after the other come, and some resources come back: whoever gets them is next
// by the naive count, on every level of the tree.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, Config{})
		n := &naive{weights: map[string]float64{}, held: map[string]resources.Quantities{}, gives: map[string]int{}}
		claimants := drawClaimants(t, w, n)
		for i := range rapid.IntRange(1, 30).Draw(t, "agents") {
			text := fmt.Sprintf("cpus:%d;mem:%d", rapid.IntRange(1, 3).Draw(t, "cpus"), rapid.IntRange(1, 3).Draw(t, "mem"))
			addSized(t, w.h, fmt.Sprint("agent", i), text)
			n.total = n.total.Add(resources.MustParse(text).Quantities())
			want := n.next("", claimants)
			proposals := w.h.Allocate(w.now)
			if len(proposals) != 1 {
				t.Fatalf("%d proposals", len(proposals))
			}
			p := proposals[0]
			got := p.Role + "/./" + string(p.Framework)
			if got != want {
				t.Fatalf("%s got the agent, want %s", got, want)
			}
			n.held[got] = n.held[got].Add(p.Resources.Quantities())
			n.gives[got]++
			if rapid.IntRange(0, 3).Draw(t, "give back") == 0 {
				giveBackAndRemove(t, w, n, p, got)
			}
		}
	})
}

func drawClaimants(t *rapid.T, w *world, n *naive) []string {
	var claimants []string
	for i := range rapid.IntRange(1, 8).Draw(t, "frameworks") {
		id := FrameworkID(fmt.Sprint("f", i))
		role := rapid.SampledFrom(someRoles).Draw(t, "role")
		w.fws[id] = &wish{active: true, roles: []string{role}}
		if _, err := w.h.AddFramework(w.description(id), nil); err != nil {
			t.Fatal(err)
		}
		path := role + "/./" + string(id)
		claimants = append(claimants, path)
		n.held[path] = nil
	}
	for _, role := range someRoles {
		weight := rapid.SampledFrom([]float64{1, 2, 4}).Draw(t, "weight") // powers of two, so that sums are exact
		n.weights[role] = weight
		w.h.UpdateWeights([]*mesos.WeightInfo{{Role: &role, Weight: &weight}})
	}
	return claimants
}

func addSized(t *rapid.T, h *Hierarchical, id, text string) {
	if _, err := h.AddAgent(Agent{
		Info: &mesos.AgentInfo{Id: &mesos.AgentID{Value: &id}}, Total: resources.MustParse(text),
		Capabilities: []mesos.AgentInfo_Capability_Type{
			mesos.AgentInfo_Capability_MULTI_ROLE, mesos.AgentInfo_Capability_HIERARCHICAL_ROLE,
		},
	}, nil); err != nil {
		t.Fatal(err)
	}
}

// giveBackAndRemove frees what was given and takes the agent away, so that nothing of it is proposed again.
func giveBackAndRemove(t *rapid.T, w *world, n *naive, p Proposal, path string) {
	if err := w.h.Recover(p.Framework, p.Agent, p.Resources.Allocate(p.Role), nil, w.now); err != nil {
		t.Fatal(err)
	}
	if err := w.h.RemoveAgent(p.Agent); err != nil {
		t.Fatal(err)
	}
	n.held[path] = n.held[path].Subtract(p.Resources.Quantities())
	n.total = n.total.Subtract(p.Resources.Quantities())
}
