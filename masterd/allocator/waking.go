package allocator

import "fmt"

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
