package allocator

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// client is a framework in a role: what competes for resources.
type client struct {
	// id is never used again. The filters for an agent are sorted by it.
	id         uint64
	fw         *framework
	role       *role
	node       *node
	subscribed bool
	suppressed bool
	// agents is on how many agents it holds something.
	agents int
	// filters counts those of the client, for all agents.
	filters int
	// min are alternatives of what a proposal must hold.
	min []resources.Quantities
}

// awake are the clients of a framework that may get proposals.
func (h *Hierarchical) awake(fw *framework) map[*client]bool {
	out := map[*client]bool{}
	for _, c := range fw.clients {
		if c.isAwake() {
			out[c] = true
		}
	}
	return out
}

func (c *client) isAwake() bool { return c.subscribed && !c.suppressed && c.fw.active }

// wake puts the client among its competitors, or takes it away.
func (h *Hierarchical) wake(c *client) {
	switch awake := c.isAwake(); {
	case awake && !c.node.placed:
		c.role.queue.insert(c.node)
		h.reconsider(c)
	case !awake:
		c.role.queue.remove(c.node)
	}
}

// minimum is what proposals for a role must hold: the framework's word, or else that of the master.
func (h *Hierarchical) minimum(info *mesos.FrameworkInfo, name string) []resources.Quantities {
	m := info.GetOfferFilters()[name].GetMinAllocatableResources()
	if m == nil {
		return h.cfg.MinAllocatable
	}
	var out []resources.Quantities
	for _, q := range m.GetQuantities() {
		var qs []resources.Quantity
		for name, s := range q.GetQuantities() {
			qs = append(qs, resources.Quantity{Name: name, Value: resources.ScalarOf(s.GetValue())})
		}
		out = append(out, resources.QuantitiesOf(qs...))
	}
	return out
}

// client finds or creates the client of a framework for a role.
func (h *Hierarchical) client(fw *framework, name string) *client {
	if c := fw.clients[name]; c != nil {
		return c
	}
	h.serial++
	c := &client{id: h.serial, fw: fw, role: h.tree.get(name), node: newNode(string(fw.id))}
	c.node.client = c
	c.node.bit = h.freshBit()
	h.clients++
	fw.clients[name] = c
	if len(c.role.clients) == 0 {
		c.role.join()
	}
	c.role.clients[fw.id] = c
	return c
}

// releaseClient forgets a client that is neither subscribed nor holds anything.
func (h *Hierarchical) releaseClient(c *client) {
	if c.subscribed || c.agents > 0 {
		return
	}
	c.role.queue.remove(c.node)
	delete(c.fw.clients, c.role.name)
	delete(c.role.clients, c.fw.id)
	if len(c.role.clients) == 0 {
		c.role.leave()
		h.tree.release(c.role)
	}
	h.clients--
}

// reconsider lets a client be asked again, about all agents: with a new bit nothing is remembered.
func (h *Hierarchical) reconsider(c *client) {
	c.node.bit = h.freshBit()
	h.nominateAll()
}

// freshBit is a bit that no agent has set. When far more were given out than there are clients, all
// start anew.
func (h *Hierarchical) freshBit() int {
	if h.nextBit >= 2*h.clients+1024 {
		h.nextBit = 0
		for _, a := range h.agents {
			a.ruledOut = nil
		}
		for _, fw := range h.frameworks {
			for _, c := range fw.clients {
				c.node.bit = h.nextBit
				h.nextBit++
			}
		}
	}
	h.nextBit++
	return h.nextBit - 1
}
