package allocator

import (
	"slices"
	"strings"

	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// canUse reports whether the framework may get anything of the agent at all.
func (c *client) canUse(a *agent) bool {
	can := c.fw.can
	switch {
	case a.gpus && !can.gpus && c.fw.filtersGPUs:
		return false
	case a.remote && !can.regions:
		return false
	case can.multiRole && !a.multiRole:
		return false
	case !a.hierarchicalRole && strings.Contains(c.role.name, "/"):
		return false
	}
	return !c.fw.constraints.Excludes(c.role.name, a.info)
}

// strip leaves out what the framework doesn't understand.
func (c *client) strip(a *agent, r resources.Resources) resources.Resources {
	can := c.fw.can
	if !a.hasSpecial || can.shared && can.revocable && can.refinement {
		return r
	}
	return r.Filter(func(it resources.Item) bool {
		return (can.shared || !it.IsShared()) &&
			(can.revocable || !it.IsRevocable()) &&
			(can.refinement || !it.IsRefined())
	})
}

// accepts reports whether a proposal is large enough and was not refused before.
func (c *client) accepts(a *agent, r resources.Resources) bool {
	if r.IsEmpty() || !c.isEnough(r) {
		return false
	}
	return !a.rejects(c, r)
}

func (c *client) isEnough(r resources.Resources) bool {
	return len(c.min) == 0 || slices.ContainsFunc(c.min, r.ContainsQuantities)
}
