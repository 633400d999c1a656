package allocator

import (
	"math"
	"slices"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// headroom is the part of quota in a cycle: what must stay free so that guarantees can be met.
//
//	required = sum over roles of max(guarantee - consumed, 0)
//	surplus  = free unreserved non-revocable resources - required
//
// Both are kept up while the cycle gives resources away. What meets a guarantee lowers the required and
// the free alike.
type headroom struct {
	h        *Hierarchical
	active   bool
	required vector
}

const unlimited = resources.Scalar(math.MaxInt64)

// snapshot adds up what guarantees still need.
func (h *Hierarchical) snapshot() headroom {
	q := headroom{h: h, active: len(h.tree.withQuota) > 0}
	for r := range h.tree.withQuota {
		if r.isOutermostGuarantor() {
			q.count(r, 1)
		}
	}
	return q
}

// isOutermostGuarantor says that no role above has a guarantee, of which this one's would be a part.
func (r *role) isOutermostGuarantor() bool {
	return len(r.guarantees) > 0 && (r.parent == nil || r.parent.guarantor() == nil)
}

func (q *headroom) count(r *role, sign resources.Scalar) {
	for id := range r.guarantees {
		q.required.add(id, sign*r.unmet(id))
	}
}

// spend performs give, which gives something to the role, and corrects what is required.
func (q *headroom) spend(r *role, give func()) {
	if !q.active {
		give()
		return
	}
	var outermost *role
	for ; r != nil; r = r.parent {
		if r.isOutermostGuarantor() {
			outermost = r
		}
	}
	if outermost == nil {
		give()
		return
	}
	q.count(outermost, -1)
	give()
	q.count(outermost, 1)
}

// surplus is what may be given of a resource beyond guarantees.
func (q *headroom) surplus(id int) resources.Scalar {
	return max(q.h.freeUnreserved.get(id)-q.required.get(id), 0)
}

// room is what the limits of the role and those above still allow.
func (r *role) room(id int) resources.Scalar {
	left := unlimited
	for ; r != nil; r = r.parent {
		for _, b := range r.limits {
			if b.id == id {
				left = min(left, max(b.limit-r.consumed(id), 0))
			}
		}
	}
	return left
}

// allow is the part of r that the role may have in the second stage, and whether that is all of it.
// Reservations, ranges and sets, and revocable resources are not subject to quota.
func (q *headroom) allow(to *role, r resources.Resources) (resources.Resources, bool) {
	if !q.active {
		return r, true
	}
	counted, others := r.Partition(isQuotable)
	allowed := q.chop(counted, func(id int) resources.Scalar {
		return min(q.surplus(id), to.room(id))
	})
	if sameScalars(allowed, counted) {
		return r, true
	}
	return others.Add(allowed), false
}

// guarantee is what the role gets in the first stage: what it needs for its guarantee and, if there is
// any such thing, all else that it may have, so that offers are not fragmented. Nothing when the agent
// brings it no nearer to its guarantee.
func (q *headroom) guarantee(to, guarantor *role, r resources.Resources) resources.Resources {
	counted, others := r.Partition(isQuotable)
	needed := q.chop(counted, func(id int) resources.Scalar {
		return min(guarantor.unmet(id), to.room(id))
	})
	if needed.IsEmpty() {
		return resources.Resources{}
	}
	have := q.h.names.measure(needed)
	more := q.chop(counted.Subtract(needed), func(id int) resources.Scalar {
		// What is needed lowers required and free alike, so it leaves the surplus as it is.
		return min(q.surplus(id), to.room(id)-have.get(id))
	})
	return others.Add(needed).Add(more)
}

// chop keeps as much of each name as the bound says. What can't be divided is kept or left as a whole.
func (q *headroom) chop(r resources.Resources, bound func(id int) resources.Scalar) resources.Resources {
	var out resources.Resources
	var taken vector
	for it := range r.All() {
		id := q.h.names.id(it.Name())
		left := bound(id) - taken.get(id)
		if left <= 0 {
			continue
		}
		if part, ok := it.Shrink(left); ok {
			taken.add(id, part.Scalar())
			out = out.Add(part.Resources())
		}
	}
	return out
}

// sameScalars reports whether part, which was chopped from r, is all of it.
func sameScalars(part, r resources.Resources) bool {
	return part.Len() == r.Len() && slices.Equal(amountsOf(part), amountsOf(r))
}

func amountsOf(r resources.Resources) []resources.Scalar {
	var out []resources.Scalar
	for it := range r.All() {
		out = append(out, it.Scalar())
	}
	return out
}

// holdBack notes that quota kept something of the agent from being proposed.
func (h *Hierarchical) holdBack(a *agent) {
	if !a.heldBack {
		a.heldBack = true
		h.heldBack = append(h.heldBack, a)
	}
}

// toGuaranteed is the stage in which roles with unmet guarantees come first, so that they have the
// choice among all agents.
func (c *cycle) toGuaranteed(r *role) bool {
	guarantor := r.guarantor()
	if guarantor == nil || !c.isUnmet(guarantor) {
		return true
	}
	c.h.sorter.arrange(r.queue, c.h.cfg.FrameworkSorter == SorterRandom)
	for _, n := range r.queue.children {
		cl := n.client
		if !c.isUnmet(guarantor) {
			break
		}
		if c.agent.ruledOut.has(cl.node.bit) || !cl.canUse(c.agent) {
			continue
		}
		offer := c.quota.guarantee(r, guarantor, cl.strip(c.agent, c.freeFor(r)))
		if cl.accepts(c.agent, offer) {
			c.propose(cl, offer)
		}
	}
	return !c.agent.free.IsEmpty()
}

// isUnmet remembers what was met, for within a cycle that doesn't change back.
func (c *cycle) isUnmet(r *role) bool {
	if r.metIn == c.h.runs {
		return false
	}
	if r.hasUnmet() {
		return true
	}
	r.metIn = c.h.runs
	return false
}
