package allocator

import "github.com/mesos-operator/mesos-operator/internal/resources"

// Stats is a snapshot for metrics. The names in comments are those of Mesos's metrics, below
// allocator/mesos/.
type Stats struct {
	// Runs is how often Allocate was called: allocation_runs.
	Runs uint64
	// Total is what all agents have, Held what is offered or allocated of it:
	// resources/<name>/{total,offered_or_allocated}.
	Total, Held resources.Quantities
	// Roles are those with frameworks, a quota or reservations.
	Roles []RoleStats
}

// RoleStats is the part of one role.
type RoleStats struct {
	Role string
	// HasFrameworks says that some are subscribed to the role, or hold something in it: those
	// roles have a DominantShare and ActiveFilters.
	HasFrameworks bool
	// DominantShare is that of the role itself, without those below: roles/<role>/shares/dominant.
	// Weight divides it, unless there are roles below.
	DominantShare float64
	// ActiveFilters is offer_filters/roles/<role>/active.
	ActiveFilters int
	// HasQuota says that the rest is meant: quota/roles/<role>/resources/<name>/{guarantee,
	// offered_or_allocated}.
	HasQuota        bool
	Guarantee, Held resources.Quantities
	// Consumed is what counts against the limit: reservations, and what is held of the unreserved.
	Consumed resources.Quantities
}

// Stats implements Allocator.
func (h *Hierarchical) Stats() Stats {
	s := Stats{Runs: h.runs, Total: h.names.quantities(h.sorter.total), Held: h.names.quantities(h.used)}
	for _, name := range sortedKeys(h.tree.roles) {
		s.Roles = append(s.Roles, h.roleStats(h.tree.roles[name]))
	}
	return s
}

func (h *Hierarchical) roleStats(r *role) RoleStats {
	share := h.sorter.shareOf(r.leaf)
	if r.children == 0 {
		share /= r.node.weight
	}
	out := RoleStats{
		Role: r.name, HasFrameworks: len(r.clients) > 0, DominantShare: share,
		ActiveFilters: r.filters, HasQuota: r.hasQuota,
	}
	if r.hasQuota {
		var consumed vector
		consumed.addAll(r.reserved)
		consumed.addAll(r.node.unreserved)
		out.Guarantee = h.names.quantities(r.guarantees)
		out.Held = h.names.quantities(r.node.held)
		out.Consumed = h.names.quantities(consumed)
	}
	return out
}
