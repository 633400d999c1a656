package resources

import (
	"errors"
	"fmt"
	"math"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// ErrInvalid is wrapped by every error about a resource that makes no sense.
var ErrInvalid = errors.New("invalid resource")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// ValidateAll is Validate for each; the error says which.
func ValidateAll(rs []*mesos.Resource) error {
	for _, r := range rs {
		if err := Validate(r); err != nil {
			return fmt.Errorf("resource '%s': %w", describe(r), err)
		}
	}
	return nil
}

// Validate checks a wire resource, in either form of reservations, by Mesos's rules. An amount of
// zero is valid.
func Validate(r *mesos.Resource) error {
	if r == nil || r.GetName() == "" {
		return invalid("the name is empty")
	}
	if err := validateValue(r); err != nil {
		return err
	}
	if err := validateDisk(r); err != nil {
		return err
	}
	if err := validateReservations(r); err != nil {
		return err
	}
	return validateShared(r)
}

func validateValue(r *mesos.Resource) error {
	scalar, ranges, set := r.Scalar != nil, r.Ranges != nil, r.Set != nil
	switch r.GetType() {
	case mesos.Value_SCALAR:
		if !scalar || ranges || set {
			return invalid("a SCALAR must have scalar and nothing else")
		}
		return validateScalar(r.Scalar.GetValue())
	case mesos.Value_RANGES:
		if scalar || !ranges || set {
			return invalid("a RANGES must have ranges and nothing else")
		}
		return validateRanges(r.Ranges.GetRange())
	case mesos.Value_SET:
		if scalar || ranges || !set {
			return invalid("a SET must have set and nothing else")
		}
		return validateSet(r.Set.GetItem())
	}
	return invalid("type %s is not supported", r.GetType())
}

func validateScalar(v float64) error {
	if math.IsNaN(v) || v < 0 {
		return invalid("scalar value < 0")
	}
	if v > 0 && ScalarOf(v) == 0 {
		return invalid("scalar value %v rounds to nothing", v)
	}
	if v > MaxScalar.Float() {
		return invalid("scalar value > %v", MaxScalar.Float())
	}
	return nil
}

func validateRanges(rs []*mesos.Value_Range) error {
	sorted := make([]Range, 0, len(rs))
	for _, r := range rs {
		if r.GetBegin() > r.GetEnd() {
			return invalid("range begin > end")
		}
		sorted = append(sorted, Range{r.GetBegin(), r.GetEnd()})
	}
	slices.SortFunc(sorted, byBegin)
	for i := 1; i < len(sorted); i++ {
		if sorted[i].Begin <= sorted[i-1].End {
			return invalid("ranges overlap")
		}
	}
	return nil
}

func validateSet(items []string) error {
	sorted := slices.Clone(items)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) < len(items) {
		return invalid("set has an element twice")
	}
	return nil
}

func validateDisk(r *mesos.Resource) error {
	if r.Disk == nil {
		return nil
	}
	if r.GetName() != "disk" {
		return invalid("disk info is not for %s", r.GetName())
	}
	if r.GetType() != mesos.Value_SCALAR {
		return invalid("a disk is a SCALAR")
	}
	s := r.Disk.Source
	if s == nil {
		return nil
	}
	switch s.GetType() {
	case mesos.Resource_DiskInfo_Source_PATH, mesos.Resource_DiskInfo_Source_MOUNT:
		return nil
	case mesos.Resource_DiskInfo_Source_BLOCK, mesos.Resource_DiskInfo_Source_RAW:
		if s.Mount != nil || s.Path != nil {
			return invalid("a disk source of type %s has neither mount nor path", s.GetType())
		}
		return nil
	}
	return invalid("disk source type %s is not supported", s.GetType())
}

func validateShared(r *mesos.Resource) error {
	if r.Shared != nil && r.GetDisk().GetPersistence() == nil {
		return invalid("only persistent volumes can be shared")
	}
	return nil
}

func validateReservations(r *mesos.Resource) error {
	if len(r.Reservations) == 0 {
		return validateSingle(r)
	}
	if err := validateStack(r.Reservations); err != nil {
		return err
	}
	if len(r.Reservations) > 1 {
		if r.Role != nil || r.Reservation != nil {
			return invalid("role and reservation can't be set beside more than one entry in reservations")
		}
		return nil
	}
	return validateBothForms(r, r.Reservations[0])
}

// validateSingle checks the form with role and reservation.
func validateSingle(r *mesos.Resource) error {
	if err := roles.Validate(r.GetRole()); err != nil {
		return invalid("%w", err)
	}
	d := r.Reservation
	if d == nil {
		return nil
	}
	if d.Type != nil || d.Role != nil {
		return invalid("reservation can't have type or role, unlike entries of reservations")
	}
	if r.GetRole() == roles.Default {
		return invalid("role '*' can't be reserved")
	}
	return nil
}

// validateStack checks that each reservation refines the one before it.
func validateStack(stack []*mesos.Resource_ReservationInfo) error {
	for i, d := range stack {
		switch {
		case d.Type == nil:
			return invalid("a reservation needs a type")
		case d.GetType() == mesos.Resource_ReservationInfo_UNKNOWN:
			return invalid("reservation type %s is not supported", d.GetType())
		case d.Role == nil:
			return invalid("a reservation needs a role")
		case d.GetRole() == roles.Default:
			return invalid("role '*' can't be reserved")
		}
		if err := roles.Validate(d.GetRole()); err != nil {
			return invalid("%w", err)
		}
		if i == 0 {
			continue
		}
		if d.GetType() == mesos.Resource_ReservationInfo_STATIC {
			return invalid("a refined reservation can't be STATIC")
		}
		if outer := stack[i-1].GetRole(); !roles.IsStrictSubrole(d.GetRole(), outer) {
			return invalid("role '%s' does not refine '%s'", d.GetRole(), outer)
		}
	}
	return nil
}

// validateBothForms checks that role and reservation, if set, say the same as the only entry of
// reservations: the form of Mesos's HTTP endpoints.
func validateBothForms(r *mesos.Resource, d *mesos.Resource_ReservationInfo) error {
	if r.Role != nil && r.GetRole() != d.GetRole() {
		return invalid("role '%s' differs from '%s' in reservations", r.GetRole(), d.GetRole())
	}
	if d.GetType() == mesos.Resource_ReservationInfo_STATIC {
		if r.Reservation != nil {
			return invalid("reservation can't be set beside a STATIC entry of reservations")
		}
		return nil
	}
	if (r.Role != nil) != (r.Reservation != nil) {
		return invalid("role and reservation must be set both or not at all beside a DYNAMIC entry of reservations")
	}
	if r.Reservation == nil {
		return nil
	}
	if r.Reservation.GetPrincipal() != d.GetPrincipal() {
		return invalid("principal of reservation differs from that in reservations")
	}
	if string(appendLabels(nil, r.Reservation.Labels)) != string(appendLabels(nil, d.Labels)) {
		return invalid("labels of reservation differ from those in reservations")
	}
	return nil
}
