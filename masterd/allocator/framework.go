package allocator

import (
	"fmt"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
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
	for a := range h.orphans[id] {
		h.adopt(fw, a)
	}
	delete(h.orphans, id)
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
