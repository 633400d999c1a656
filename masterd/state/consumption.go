package state

import (
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// consumption is what counts against the limits of quota, by role. Each role's
// part is in those above it, too.
type consumption struct {
	// consumed is what is in use, and what is reserved without being in use:
	// nobody else can have it.
	consumed map[string]resources.Quantities
	// offered is what is on offer. Reservations that are offered are in both.
	offered map[string]resources.Quantities
}

// consumption adds up what all roles have. It goes through all agents.
func (m *Machine) consumption() consumption {
	c := consumption{consumed: map[string]resources.Quantities{}, offered: map[string]resources.Quantities{}}
	for f := range m.frameworkList.all() {
		addByRole(c.consumed, f.used.ByAllocation())
		addByRole(c.offered, f.offered.ByAllocation())
	}
	for a := range m.agentList.all() {
		used := a.used.ByReservation()
		for role, reserved := range a.total.ByReservation() {
			addToRole(c.consumed, role, reserved.Amounts().Subtract(used[role].Amounts()))
		}
	}
	return c
}

// has is all that a role has or is offered.
func (c consumption) has(role string) resources.Quantities {
	return c.consumed[role].Add(c.offered[role])
}

// takeBack counts an offer as rescinded.
func (c consumption) takeBack(o *offer) {
	amount := o.resources.Amounts()
	c.offered[o.role] = c.offered[o.role].Subtract(amount)
	for above := range roles.Ancestors(o.role) {
		c.offered[above] = c.offered[above].Subtract(amount)
	}
}

func addByRole(sums map[string]resources.Quantities, byRole map[string]resources.Resources) {
	for role, r := range byRole {
		addToRole(sums, role, r.Amounts())
	}
}

func addToRole(sums map[string]resources.Quantities, role string, amount resources.Quantities) {
	sums[role] = sums[role].Add(amount)
	for above := range roles.Ancestors(role) {
		sums[above] = sums[above].Add(amount)
	}
}

// capacity is what the cluster could guarantee: what all registered agents
// have, also those that are disconnected for the moment.
func (m *Machine) capacity() resources.Quantities {
	var sum resources.Quantities
	for a := range m.agentList.all() {
		sum = sum.Add(a.total.NonRevocable().Quantities())
	}
	return sum
}
