package allocator

import (
	"fmt"
	"maps"
	"slices"
	"time"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// Track implements Allocator.
func (h *Hierarchical) Track(id FrameworkID, agentID AgentID, r resources.Resources) error {
	a, err := h.agent("tracking resources of", agentID)
	if err != nil {
		return err
	}
	h.hold(a, id, r)
	h.sorter.settle()
	return nil
}

// Recover implements Allocator.
func (h *Hierarchical) Recover(
	id FrameworkID, agentID AgentID, r resources.Resources, refusal *mesos.Filters, now time.Time,
) error {
	if r.IsEmpty() {
		return nil
	}
	a, err := h.agent("recovering resources of", agentID)
	if err != nil {
		return err
	}
	for _, x := range perRole(r) {
		if e := h.release(a, id, x.role, x.resources); e != nil {
			err = e
			continue
		}
		if fw := h.frameworks[id]; fw != nil && refusal != nil {
			h.refuse(fw.clients[x.role], a, x.resources, refusal, now)
		}
	}
	h.sorter.settle()
	h.nominate(a)
	return err
}

// part is what is allocated to one role, without allocation_info.
type part struct {
	role      string
	resources resources.Resources
}

// perRole groups by the role that it is allocated to, in the order of names. What isn't allocated is
// left out.
func perRole(r resources.Resources) []part {
	var names []string
	for it := range r.All() {
		if it.IsAllocated() && !slices.Contains(names, it.AllocatedTo()) {
			names = append(names, it.AllocatedTo())
		}
	}
	slices.Sort(names)
	parts := make([]part, len(names))
	for i, name := range names {
		of := r.Filter(func(it resources.Item) bool { return it.IsAllocated() && it.AllocatedTo() == name })
		parts[i] = part{name, of.Unallocate()}
	}
	return parts
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// hold counts allocated resources as held by a framework that may be unknown yet.
func (h *Hierarchical) hold(a *agent, id FrameworkID, r resources.Resources) {
	for _, x := range perRole(r) {
		var c *client
		if fw := h.frameworks[id]; fw != nil {
			c = h.client(fw, x.role)
		}
		h.give(a, c, id, x.role, x.resources)
		h.setUsed(a, a.used.Add(x.resources))
	}
}

// give writes down who holds what. The client is nil for a framework that is not known yet.
func (h *Hierarchical) give(a *agent, c *client, id FrameworkID, name string, r resources.Resources) {
	if i := a.holdingIndex(id, name); i >= 0 {
		a.holdings[i].resources = a.holdings[i].resources.Add(r)
	} else {
		a.holdings = append(a.holdings, holding{framework: id, role: name, client: c, resources: r})
		if c != nil {
			c.agents++
		}
	}
	if c == nil {
		h.orphan(a, id)
		return
	}
	h.account(c, a, r, 1)
}

// orphan notes that a framework that is not known yet holds something on the agent.
func (h *Hierarchical) orphan(a *agent, id FrameworkID) {
	if h.orphans[id] == nil {
		h.orphans[id] = map[*agent]bool{}
	}
	h.orphans[id][a] = true
}

// unorphan takes that back once it doesn't.
func (h *Hierarchical) unorphan(a *agent, id FrameworkID) {
	if slices.ContainsFunc(a.holdings, func(x holding) bool { return x.framework == id }) {
		return
	}
	delete(h.orphans[id], a)
	if len(h.orphans[id]) == 0 {
		delete(h.orphans, id)
	}
}

// release frees what a framework holds in a role.
func (h *Hierarchical) release(a *agent, id FrameworkID, name string, r resources.Resources) error {
	i := a.holdingIndex(id, name)
	if i < 0 || !a.holdings[i].resources.Contains(r) {
		return fmt.Errorf("releasing '%s' of framework %s on agent %s: %w", r, id, a.id, ErrNotHeld)
	}
	x := &a.holdings[i]
	c := x.client
	x.resources = x.resources.Subtract(r)
	gone := x.resources.IsEmpty()
	if gone {
		a.holdings = slices.Delete(a.holdings, i, i+1)
	}
	h.setUsed(a, a.used.Subtract(r))
	h.quotaEased = true
	h.nominate(a)
	if c == nil {
		h.unorphan(a, id)
		return nil
	}
	h.account(c, a, r, -1)
	if gone {
		c.agents--
		h.releaseClient(c)
	}
	return nil
}

// releaseAll frees all that a framework holds on an agent.
func (h *Hierarchical) releaseAll(a *agent, fw *framework) {
	for _, x := range slices.Clone(a.holdings) {
		if x.framework == fw.id {
			_ = h.release(a, x.framework, x.role, x.resources)
		}
	}
}

// adopt makes what was told before the framework was known count.
func (h *Hierarchical) adopt(fw *framework, a *agent) {
	for i := range a.holdings {
		if x := &a.holdings[i]; x.framework == fw.id && x.client == nil {
			x.client = h.client(fw, x.role)
			x.client.agents++
			h.account(x.client, a, x.resources, 1)
		}
	}
}

func (a *agent) holdingIndex(id FrameworkID, role string) int {
	return slices.IndexFunc(a.holdings, func(x holding) bool { return x.framework == id && x.role == role })
}

func (a *agent) knowsHolder(fw *framework) bool {
	return slices.ContainsFunc(a.holdings, func(x holding) bool { return x.framework == fw.id })
}

// account adds or, with sign -1, subtracts at the client, its role and the roles above.
func (h *Hierarchical) account(c *client, a *agent, r resources.Resources, sign resources.Scalar) {
	var change amounts
	for it := range r.All() {
		if it.Type() != mesos.Value_SCALAR {
			continue
		}
		if it.IsShared() {
			h.accountShared(c, a, it, sign)
			continue
		}
		change.add(h.names.id(it.Name()), it)
	}
	h.eachNode(c, func(n *node) {
		n.apply(&change, sign)
		if sign > 0 {
			n.count++
		}
		h.sorter.touch(n)
	})
}

func (x *amounts) add(id int, it resources.Item) {
	x.held.add(id, it.Scalar())
	switch {
	case it.IsReserved():
		x.reserved.add(id, it.Scalar())
	case !it.IsRevocable():
		x.unreserved.add(id, it.Scalar())
	}
}

// accountShared counts a shared volume where it was not held yet, or is held no more.
func (h *Hierarchical) accountShared(c *client, a *agent, it resources.Item, sign resources.Scalar) {
	var change amounts
	change.add(h.names.id(it.Name()), it)
	key := copyKey{a.id, it.String()}
	h.eachNode(c, func(n *node) {
		if n.countCopies(key, int(sign)*it.Copies()) {
			n.apply(&change, sign)
		}
	})
}

// eachNode visits the client's node, that of its role as a claimant, and those of the role and above.
func (h *Hierarchical) eachNode(c *client, visit func(*node)) {
	visit(c.node)
	visit(c.role.leaf)
	for r := c.role; r != nil; r = r.parent {
		visit(r.node)
	}
}
