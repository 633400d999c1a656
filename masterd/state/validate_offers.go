package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// validateOffers checks that offers are valid, the framework's own, and of one
// agent and role.
func (m *Machine) validateOffers(f *framework, ids []*mesos.OfferID) error {
	if len(ids) == 0 {
		return errors.New("no offers are named")
	}
	var first *offer
	seen := make(map[OfferID]bool, len(ids))
	for _, p := range ids {
		id := OfferID(p.GetValue())
		o := m.offers[id]
		switch {
		case seen[id]:
			return fmt.Errorf("offer %s is named twice", id)
		case o == nil:
			return fmt.Errorf("offer %s is not valid any more", id)
		case o.framework != f:
			return fmt.Errorf("offer %s was made to framework %s, not to %s", id, o.framework.id, f.id)
		}
		if seen[id] = true; first == nil {
			first = o
			continue
		}
		if o.agent != first.agent {
			return fmt.Errorf("offers of one call must be of one agent: %s is of %s and %s of %s",
				first.id, first.agent.id, id, o.agent.id)
		}
		if o.role != first.role {
			return fmt.Errorf("offers of one call must be allocated to one role: %s is to '%s' and %s to '%s'",
				first.id, first.role, id, o.role)
		}
	}
	return nil
}
