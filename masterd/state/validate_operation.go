package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// author is who wants an operation done.
type author struct {
	// framework is nil for an operator.
	framework *framework
	// principal is nil if nobody authenticated, or the framework has none.
	principal *string
}

func authorOf(f *framework) author { return author{framework: f, principal: f.info.Principal} }

// validateOperation checks an operation whose resources are well-formed, in the
// form with reservation stacks. That they are there is checked when it is done.
func (m *Machine) validateOperation(by author, a *agent, o *mesos.Offer_Operation) error {
	switch o.GetType() {
	case mesos.Offer_Operation_RESERVE:
		return validateReserve(by, a, o.GetReserve())
	case mesos.Offer_Operation_UNRESERVE:
		return validateUnreserve(o.GetUnreserve().GetResources())
	case mesos.Offer_Operation_CREATE:
		return validateCreate(by, a, o.GetCreate().GetVolumes())
	case mesos.Offer_Operation_DESTROY:
		return validateDestroy(a, o.GetDestroy().GetVolumes())
	case mesos.Offer_Operation_GROW_VOLUME:
		return validateGrow(a, o.GetGrowVolume())
	case mesos.Offer_Operation_SHRINK_VOLUME:
		return validateShrink(a, o.GetShrinkVolume())
	case mesos.Offer_Operation_CREATE_DISK:
		return validateCreateDisk(o.GetCreateDisk())
	case mesos.Offer_Operation_DESTROY_DISK:
		return validateDestroyDisk(o.GetDestroyDisk().GetSource())
	}
	return fmt.Errorf("%s is not an operation on resources", o.GetType())
}

func validateReserve(by author, a *agent, op *mesos.Offer_Operation_Reserve) error {
	list := op.GetResources()
	if err := validateNamed(list); err != nil {
		return err
	}
	if err := validateSource(op); err != nil {
		return err
	}
	for _, r := range list {
		if !isDynamic(r) {
			return fmt.Errorf("%s is not dynamically reserved", name(r))
		}
		if err := validateAgentReads(a, r); err != nil {
			return err
		}
		last := innermost(r)
		if p := by.principal; p != nil && (last.Principal == nil || last.GetPrincipal() != *p) {
			return fmt.Errorf("the reservation of %s must name principal '%s', not '%s'", name(r), *p, last.GetPrincipal())
		}
		if err := validateAllocationFor(by, r); err != nil {
			return err
		}
	}
	return nil
}

// validateAllocationFor checks that a framework reserves what was offered to a
// role of it for that role, and an operator what is offered to nobody.
func validateAllocationFor(by author, r *mesos.Resource) error {
	role, reserved := r.GetAllocationInfo().GetRole(), innermost(r).GetRole()
	switch {
	case by.framework == nil && r.AllocationInfo != nil:
		return fmt.Errorf("operators can't reserve %s, which is allocated", name(r))
	case by.framework == nil:
		return nil
	case role == "":
		return fmt.Errorf("%s is not allocated to a role", name(r))
	case role != reserved:
		return fmt.Errorf("%s is allocated to role '%s' and can't be reserved for '%s'", name(r), role, reserved)
	case !by.framework.subscribedTo(role):
		return fmt.Errorf("the framework is not subscribed to role '%s'", role)
	}
	return nil
}

// validateSource checks a re-reservation: the same resources, all of one
// reservation, with another in its place.
func validateSource(op *mesos.Offer_Operation_Reserve) error {
	source := op.GetSource()
	if len(source) == 0 {
		return nil
	}
	if err := validateNamed(source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	for _, list := range [][]*mesos.Resource{source, op.GetResources()} {
		first := resources.Of(stackOnly(list[0]))
		for _, r := range list {
			if !resources.Of(stackOnly(r)).Equal(first) {
				return errors.New("resources of different reservations can't be reserved in one operation with a source")
			}
		}
	}
	before, after := resources.Of(source...).ToUnreserved(), resources.Of(op.GetResources()...).ToUnreserved()
	if !before.Equal(after) {
		return fmt.Errorf("the source has %s and the resources are %s", before, after)
	}
	return nil
}

// stackOnly is a resource with the reservations of another, to compare them by.
func stackOnly(r *mesos.Resource) *mesos.Resource {
	one := 1.0
	return &mesos.Resource{
		Name: new("r"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &one}, Reservations: r.Reservations,
	}
}

func validateUnreserve(list []*mesos.Resource) error {
	if err := validateNamed(list); err != nil {
		return err
	}
	for _, r := range list {
		if !isDynamic(r) {
			return fmt.Errorf("%s is not dynamically reserved", name(r))
		}
		if r.GetDisk().GetPersistence() != nil {
			return fmt.Errorf("%s is a persistent volume: it must be destroyed before it is unreserved", name(r))
		}
	}
	return nil
}

// validateNamed checks the resources of an operation, beyond what makes any
// resource valid: some, all of one provider.
func validateNamed(list []*mesos.Resource) error {
	if len(list) == 0 {
		return errors.New("the operation names no resources")
	}
	for _, r := range list {
		if err := validateDisk(r); err != nil {
			return err
		}
		if r.Revocable != nil && isDynamic(r) {
			return fmt.Errorf("revocable %s can't be reserved", name(r))
		}
		if first := list[0].ProviderId; (first == nil) != (r.ProviderId == nil) || first.GetValue() != r.ProviderId.GetValue() {
			return errors.New("the resources are of different resource providers")
		}
	}
	if gpus := resources.Of(list...).Scalar("gpus"); gpus%1000 != 0 {
		return fmt.Errorf("gpus come whole, not as %s", gpus)
	}
	return nil
}

// validateAgentReads checks that an agent can read the reservations of a
// resource.
func validateAgentReads(a *agent, r *mesos.Resource) error {
	if role := innermost(r).GetRole(); !a.caps.hierarchicalRole && strings.Contains(role, "/") {
		return fmt.Errorf("agent %s lacks HIERARCHICAL_ROLE for role '%s'", a.id, role)
	}
	if !a.caps.reservationRefinement && len(r.Reservations) > 1 {
		return fmt.Errorf("agent %s lacks RESERVATION_REFINEMENT for %s", a.id, name(r))
	}
	return nil
}

// innermost is the last reservation of a resource, nil if it has none.
func innermost(r *mesos.Resource) *mesos.Resource_ReservationInfo {
	if n := len(r.Reservations); n > 0 {
		return r.Reservations[n-1]
	}
	return nil
}

func isDynamic(r *mesos.Resource) bool {
	return innermost(r).GetType() == mesos.Resource_ReservationInfo_DYNAMIC
}

// name is a resource in the words of an error.
func name(r *mesos.Resource) string {
	if text := resources.Of(r).String(); text != "" {
		return "'" + text + "'"
	}
	return "'" + r.GetName() + "'"
}

// validateOneAllocation checks that all resources are allocated to one role.
func validateOneAllocation(by author, list []*mesos.Resource) error {
	if by.framework == nil {
		return nil
	}
	if i := slices.IndexFunc(list, func(r *mesos.Resource) bool { return r.GetAllocationInfo().GetRole() == "" }); i >= 0 {
		return fmt.Errorf("%s is not allocated to a role", name(list[i]))
	}
	return validateOneRole(list)
}
