package allocator

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
)

// framework is a subscribed framework. It has a client per role that it is subscribed to, and per
// role that it left but still holds something in.
type framework struct {
	id          FrameworkID
	active      bool
	constraints *constraint.Set
	can         capabilities
	clients     map[string]*client
	// filtersGPUs says that agents with gpus are kept from it unless it has the capability.
	filtersGPUs bool
	// subscribed are its roles, sorted.
	subscribed []string
	// inverseFilters say until when it doesn't want inverse offers for an agent.
	inverseFilters map[AgentID]int64
}

type capabilities struct {
	multiRole, gpus, revocable, shared, refinement, regions bool
}

// client is a framework in a role: what competes for resources.
type client struct {
	// id is small and unique among living clients: the bit in agent.ruledOut.
	id         int
	fw         *framework
	role       *role
	node       *node
	subscribed bool
	suppressed bool
	// agents is on how many agents it holds something.
	agents int
	// min are alternatives of what a proposal must hold.
	min []resources.Quantities
}

func capabilitiesOf(info *mesos.FrameworkInfo) (c capabilities) {
	for _, x := range info.GetCapabilities() {
		switch x.GetType() {
		case mesos.FrameworkInfo_Capability_MULTI_ROLE:
			c.multiRole = true
		case mesos.FrameworkInfo_Capability_GPU_RESOURCES:
			c.gpus = true
		case mesos.FrameworkInfo_Capability_REVOCABLE_RESOURCES:
			c.revocable = true
		case mesos.FrameworkInfo_Capability_SHARED_RESOURCES:
			c.shared = true
		case mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT:
			c.refinement = true
		case mesos.FrameworkInfo_Capability_REGION_AWARE:
			c.regions = true
		}
	}
	return c
}

// rolesOf are the roles of a framework, sorted.
func rolesOf(info *mesos.FrameworkInfo, can capabilities) []string {
	if can.multiRole {
		names := slices.Clone(info.GetRoles())
		slices.Sort(names)
		return slices.Compact(names)
	}
	if r := info.GetRole(); r != "" {
		return []string{r}
	}
	return []string{roles.Default}
}

// AddFramework implements Allocator.
func (h *Hierarchical) AddFramework(f Framework, held []Held) (bool, error) {
	id := FrameworkID(f.Info.GetId().GetValue())
	if h.frameworks[id] != nil {
		return false, fmt.Errorf("adding framework %s: %w", id, ErrExists)
	}
	fw := &framework{id: id, active: f.Active, clients: map[string]*client{}, filtersGPUs: h.cfg.FilterGPUs}
	h.frameworks[id] = fw
	h.describe(fw, f)
	for _, a := range h.agents {
		h.adopt(fw, a)
	}
	for _, x := range held {
		if a := h.agents[x.Agent]; a != nil && !a.knowsHolder(fw) {
			h.hold(a, fw.id, x.Resources)
		}
	}
	h.sorter.settle()
	return f.Active && !h.held, nil
}

// UpdateFramework implements Allocator.
func (h *Hierarchical) UpdateFramework(f Framework) (bool, error) {
	fw := h.frameworks[FrameworkID(f.Info.GetId().GetValue())]
	if fw == nil {
		return false, fmt.Errorf("updating framework %s: %w", f.Info.GetId().GetValue(), ErrUnknownFramework)
	}
	before := h.awake(fw)
	h.describe(fw, f)
	due := false
	for c := range h.awake(fw) {
		h.reconsider(c)
		due = due || !before[c]
	}
	return due && !h.held, nil
}

// describe takes over what the framework said of itself.
func (h *Hierarchical) describe(fw *framework, f Framework) {
	fw.constraints, fw.can = f.Constraints, capabilitiesOf(f.Info)
	fw.subscribed = rolesOf(f.Info, fw.can)
	for _, name := range fw.subscribed {
		c := h.client(fw, name)
		c.min = h.minimum(f.Info, name)
		suppressed := slices.Contains(f.Suppressed, name)
		if c.suppressed && !suppressed {
			h.dropFilters(c)
		}
		c.subscribed, c.suppressed = true, suppressed
		h.wake(c)
	}
	for _, name := range sortedKeys(fw.clients) {
		if c := fw.clients[name]; c.subscribed && !slices.Contains(fw.subscribed, name) {
			c.subscribed, c.suppressed = false, false
			h.dropFilters(c)
			h.wake(c)
			h.releaseClient(c)
		}
	}
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
	c := &client{id: h.takeClientID(), fw: fw, role: h.tree.get(name), node: newNode(string(fw.id))}
	c.node.client = c
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
	h.freeClientIDs = append(h.freeClientIDs, c.id)
}

func (h *Hierarchical) takeClientID() int {
	n := len(h.freeClientIDs)
	if n == 0 {
		h.clientIDs++
		return h.clientIDs - 1
	}
	id := h.freeClientIDs[n-1]
	h.freeClientIDs = h.freeClientIDs[:n-1]
	for _, a := range h.agents {
		a.ruledOut.clear(id)
	}
	return id
}

// RemoveFramework implements Allocator.
func (h *Hierarchical) RemoveFramework(id FrameworkID) error {
	fw := h.frameworks[id]
	if fw == nil {
		return fmt.Errorf("removing framework %s: %w", id, ErrUnknownFramework)
	}
	for _, a := range h.agents {
		if a.knowsHolder(fw) {
			h.releaseAll(a, fw)
		}
	}
	fw.active = false
	for _, name := range sortedKeys(fw.clients) {
		c := fw.clients[name]
		c.subscribed = false
		h.dropFilters(c)
		h.releaseClient(c)
	}
	delete(h.frameworks, id)
	h.sorter.settle()
	return nil
}

// ActivateFramework implements Allocator.
func (h *Hierarchical) ActivateFramework(id FrameworkID) (bool, error) {
	fw := h.frameworks[id]
	if fw == nil {
		return false, fmt.Errorf("activating framework %s: %w", id, ErrUnknownFramework)
	}
	fw.active = true
	for _, name := range fw.subscribed {
		h.wake(fw.clients[name])
	}
	return !h.held, nil
}

// DeactivateFramework implements Allocator.
func (h *Hierarchical) DeactivateFramework(id FrameworkID) error {
	fw := h.frameworks[id]
	if fw == nil {
		return fmt.Errorf("deactivating framework %s: %w", id, ErrUnknownFramework)
	}
	fw.active = false
	fw.inverseFilters = nil
	for _, name := range fw.subscribed {
		h.dropFilters(fw.clients[name])
		h.wake(fw.clients[name])
	}
	return nil
}

// Suppress implements Allocator.
func (h *Hierarchical) Suppress(id FrameworkID, names []string) error {
	fw := h.frameworks[id]
	if fw == nil {
		return fmt.Errorf("suppressing offers of framework %s: %w", id, ErrUnknownFramework)
	}
	for _, c := range fw.clientsOf(names) {
		c.suppressed = true
		h.wake(c)
	}
	return nil
}

// Revive implements Allocator.
func (h *Hierarchical) Revive(id FrameworkID, names []string) (bool, error) {
	fw := h.frameworks[id]
	if fw == nil {
		return false, fmt.Errorf("reviving offers of framework %s: %w", id, ErrUnknownFramework)
	}
	fw.inverseFilters = nil
	for _, c := range fw.clientsOf(names) {
		c.suppressed = false
		h.dropFilters(c)
		h.wake(c)
		h.reconsider(c)
	}
	return !h.held, nil
}

// clientsOf are those of the given roles as far as the framework is subscribed; no roles means all.
func (fw *framework) clientsOf(names []string) []*client {
	if len(names) == 0 {
		names = fw.subscribed
	}
	var out []*client
	for _, name := range names {
		if c := fw.clients[name]; c != nil && c.subscribed {
			out = append(out, c)
		}
	}
	return out
}
