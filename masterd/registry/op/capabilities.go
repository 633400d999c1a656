package op

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// require notes that only masters with a capability may lead with this
// registry, if the condition holds.
func (b *book) require(c mesos.MasterInfo_Capability_Type, when bool) {
	if !when || slices.ContainsFunc(b.r.MinimumCapabilities, isCapability(c)) {
		return
	}
	b.r.MinimumCapabilities = append(b.r.MinimumCapabilities, &registry.Registry_MinimumCapability{
		Capability: new(c.String()),
	})
}

// unrequire takes back require.
func (b *book) unrequire(c mesos.MasterInfo_Capability_Type) {
	b.r.MinimumCapabilities = slices.DeleteFunc(slices.Clone(b.r.MinimumCapabilities), isCapability(c))
}

func isCapability(c mesos.MasterInfo_Capability_Type) func(*registry.Registry_MinimumCapability) bool {
	return func(m *registry.Registry_MinimumCapability) bool { return m.GetCapability() == c.String() }
}

// Missing returns the capabilities that the registry asks of its master and
// that this one lacks, in the registry's words.
func Missing(r *registry.Registry, have []*mesos.MasterInfo_Capability) []string {
	var missing []string
	for _, m := range r.GetMinimumCapabilities() {
		known := slices.ContainsFunc(have, func(c *mesos.MasterInfo_Capability) bool {
			return c.GetType().String() == m.GetCapability()
		})
		if !known {
			missing = append(missing, m.GetCapability())
		}
	}
	return missing
}
