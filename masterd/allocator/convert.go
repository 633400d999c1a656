package allocator

import (
	"fmt"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// UpdateAllocation implements Allocator.
func (h *Hierarchical) UpdateAllocation(
	id FrameworkID, agentID AgentID, held resources.Resources, conversions []resources.Conversion,
) error {
	a, err := h.agent("converting resources of", agentID)
	if err != nil {
		return err
	}
	converted, err := held.ApplyConversions(conversions)
	if err != nil {
		return fmt.Errorf("converting what framework %s holds on agent %s: %w", id, agentID, err)
	}
	total, err := a.total.ApplyConversions(resources.OfTotal(conversions))
	if err != nil {
		return fmt.Errorf("converting the total of agent %s: %w", agentID, err)
	}
	if err := h.exchange(a, id, held, converted); err != nil {
		return err
	}
	h.setTotal(a, total)
	h.sorter.settle()
	return nil
}

// exchange replaces a part of what a framework holds. That is no new turn for its clients.
func (h *Hierarchical) exchange(a *agent, id FrameworkID, before, after resources.Resources) error {
	parts := perRole(before)
	for _, x := range parts {
		if i := a.holdingIndex(id, x.role); i < 0 || !a.holdings[i].resources.Contains(x.resources) {
			return fmt.Errorf("converting what framework %s holds on agent %s: %w", id, a.id, ErrNotHeld)
		}
	}
	// Clients must outlive the moment in which they hold nothing.
	var pinned []*client
	if fw := h.frameworks[id]; fw != nil {
		for _, x := range parts {
			c := h.client(fw, x.role)
			c.agents++
			pinned = append(pinned, c)
		}
	}
	for _, x := range parts {
		_ = h.release(a, id, x.role, x.resources) // checked above
	}
	h.hold(a, id, after)
	for _, c := range pinned {
		h.eachNode(c, func(n *node) { n.count -= min(n.count, 1) })
		c.agents--
		h.releaseClient(c)
	}
	return nil
}

// UpdateAvailable implements Allocator.
func (h *Hierarchical) UpdateAvailable(agentID AgentID, conversions []resources.Conversion) error {
	a, err := h.agent("converting resources of", agentID)
	if err != nil {
		return err
	}
	conversions = resources.OfTotal(conversions)
	if _, err := a.free.ApplyConversions(conversions); err != nil {
		return fmt.Errorf("converting what is free on agent %s: %w: %w", agentID, ErrNotAvailable, err)
	}
	total, err := a.total.ApplyConversions(conversions)
	if err != nil {
		return fmt.Errorf("converting the total of agent %s: %w: %w", agentID, ErrNotAvailable, err)
	}
	h.setTotal(a, total)
	h.nominate(a)
	return nil
}
