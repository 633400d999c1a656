package allocator

import (
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// cycle is one run of Allocate.
type cycle struct {
	h         *Hierarchical
	quota     headroom
	proposals []Proposal
	// first finds the proposal of a client on an agent, for the second stage to add to. It is only kept
	// with quota, for there is one stage without.
	first map[place]int
	// agent is the one that is gone through.
	agent *agent
	// shown are shared volumes that were proposed in this cycle: each is once.
	shown map[*agent]resources.Resources
}

type place struct {
	client *client
	agent  *agent
}

// offerAll goes through agents, and for each through the roles in order of their shares, as long as
// there is something left.
func (c *cycle) offerAll(agents []*agent, offer func(*role) bool) {
	for _, a := range agents {
		c.agent = a
		if !a.free.IsEmpty() {
			c.eachRole(c.h.tree.root.node, offer)
			c.h.sorter.settle()
		}
	}
}

// eachRole visits the roles that have frameworks, by share, until visit returns false.
func (c *cycle) eachRole(n *node, visit func(*role) bool) bool {
	c.h.sorter.arrange(n, c.h.cfg.RoleSorter == SorterRandom)
	for _, child := range n.children {
		if r := child.role; r != nil {
			if len(r.queue.children) > 0 && !visit(r) {
				return false
			}
			continue
		}
		if !c.eachRole(child, visit) {
			return false
		}
	}
	return true
}

// toAnybody is the stage in which all roles get what is free above the guarantees of others.
func (c *cycle) toAnybody(r *role) bool {
	c.h.sorter.arrange(r.queue, c.h.cfg.FrameworkSorter == SorterRandom)
	free, known := resources.Resources{}, false
	for _, n := range r.queue.children {
		if c.agent.ruledOut.has(n.bit) {
			continue
		}
		if !known {
			free, known = c.freeFor(r), true
		}
		if free.IsEmpty() {
			break
		}
		if c.offer(n.client, free) {
			known = false
		}
	}
	return !c.agent.free.IsEmpty()
}

// freeFor is what the role may have of the agent: not what is reserved for others, nor shared volumes
// that were proposed in this cycle.
func (c *cycle) freeFor(r *role) resources.Resources {
	free := c.agent.free
	if c.agent.hasReserved {
		free = free.AllocatableTo(r.name)
	}
	if shown, ok := c.shown[c.agent]; ok {
		free = free.Subtract(shown)
	}
	return free
}

// offer proposes to a client what it can use of the agent, and reports whether it did.
func (c *cycle) offer(cl *client, free resources.Resources) bool {
	a := c.agent
	r, whole := resources.Resources{}, true
	if cl.canUse(a) {
		r, whole = c.quota.allow(cl.role, cl.strip(a, free))
		if !whole {
			c.h.holdBack(a)
		}
	}
	if !cl.accepts(a, r) {
		// That stays true until the agent has more, if nothing of this moment played a part.
		if whole && a.givenIn != c.h.runs {
			a.ruledOut.set(cl.node.bit)
		}
		return false
	}
	c.propose(cl, r)
	return true
}

// propose gives the resources to the client. The order of roles and frameworks changes once the agent
// is done.
func (c *cycle) propose(cl *client, r resources.Resources) {
	h, a := c.h, c.agent
	a.givenIn = h.runs
	if !a.shared.IsEmpty() {
		c.shown[a] = c.shown[a].Add(r.Shared())
	}
	c.quota.spend(cl.role, func() {
		h.give(a, cl, cl.fw.id, cl.role.name, r)
		h.measureUsed(a, a.used.Add(r))
		h.setFree(a, a.free.Subtract(r.NonShared()))
	})
	if !c.quota.active {
		c.proposals = append(c.proposals, Proposal{cl.fw.id, cl.role.name, a.id, r})
		return
	}
	if i, again := c.first[place{cl, a}]; again {
		c.proposals[i].Resources = c.proposals[i].Resources.Add(r)
		return
	}
	c.first[place{cl, a}] = len(c.proposals)
	c.proposals = append(c.proposals, Proposal{cl.fw.id, cl.role.name, a.id, r})
}
