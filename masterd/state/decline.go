package state

import (
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// decline gives offers back. The framework doesn't want their resources again
// for as long as its filter says, 5 seconds unless it names another time.
func (m *Machine) decline(f *framework, ids []*mesos.OfferID, filters *mesos.Filters) {
	m.stats.Messages[MessageDeclineOffers]++
	for _, id := range ids {
		if o := m.offers[OfferID(id.GetValue())]; o != nil && o.framework == f {
			m.discard(o, orDefault(filters))
			f.stats.OffersDeclined++
		}
	}
}

// orDefault is the filter of a call that named none: Mesos reads it as the
// default message, whose refuse_seconds is 5.
func orDefault(filters *mesos.Filters) *mesos.Filters {
	if filters == nil {
		return &mesos.Filters{}
	}
	return filters
}

// revive drops a framework's filters for roles, all if none is named, and lets
// it get offers for them again.
func (m *Machine) revive(f *framework, list []string) {
	m.stats.Messages[MessageReviveOffers]++
	if !m.ownRoles(f, "REVIVE", list) {
		return
	}
	for _, r := range list {
		delete(f.suppressed, r)
	}
	if len(list) == 0 {
		clear(f.suppressed)
	}
	m.touchFramework(f)
	m.emit(AllocRevive{Framework: f.id, Roles: list})
}

// suppress lets a framework get no offers for roles, all if none is named.
func (m *Machine) suppress(f *framework, list []string) {
	m.stats.Messages[MessageSuppressOffers]++
	if !m.ownRoles(f, "SUPPRESS", list) {
		return
	}
	suppressed := list
	if len(list) == 0 {
		suppressed = f.roles
	}
	if f.suppressed == nil {
		f.suppressed = map[string]bool{}
	}
	for _, r := range suppressed {
		f.suppressed[r] = true
	}
	m.touchFramework(f)
	m.emit(AllocSuppress{Framework: f.id, Roles: list})
}

// ownRoles checks that a framework names its own roles only. A call with one
// that isn't is dropped as a whole.
func (m *Machine) ownRoles(f *framework, call string, list []string) bool {
	for _, r := range list {
		if err := roles.Validate(r); err != nil {
			m.warn("dropping a call", "call", call, "framework_id", f.id, "reason", err.Error())
			return false
		}
		if !f.subscribedTo(r) {
			m.warn("dropping a call for a role that the framework is not subscribed to",
				"call", call, "framework_id", f.id, "role", r)
			return false
		}
	}
	return true
}
