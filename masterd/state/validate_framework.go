package state

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/allocator/constraint"
)

// What schedulers are told in these words they look for: drivers give up, and
// some frameworks start over with a new ID.
var (
	errFailedOver = errors.New("Framework failed over")
	errRemoved    = errors.New("Framework has been removed")
)

// validateFramework checks what a framework says of itself, for subscribing
// and for updates alike.
func (m *Machine) validateFramework(info *mesos.FrameworkInfo) error {
	if err := validateFrameworkInfo(info); err != nil {
		return err
	}
	var foreign []string
	for _, r := range rolesOf(info) {
		if !m.allows(r) {
			foreign = append(foreign, r)
		}
	}
	switch {
	case len(foreign) > 0:
		return fmt.Errorf("roles %s are not in the master's --roles", strings.Join(foreign, ", "))
	case info.GetUser() == "root" && m.cfg.NoRootSubmissions:
		return errors.New("frameworks of user 'root' are refused by --no-root_submissions")
	case m.completed.has(FrameworkID(info.GetId().GetValue())):
		return errRemoved
	}
	return nil
}

// validateFrameworkInfo checks what needs no knowledge of this master.
func validateFrameworkInfo(info *mesos.FrameworkInfo) error {
	if err := validateRoles(info); err != nil {
		return err
	}
	if id := info.GetId().GetValue(); id != "" {
		if err := validateID(id); err != nil {
			return fmt.Errorf("invalid framework ID: %w", err)
		}
	}
	for role, filter := range info.GetOfferFilters() {
		if err := validateOfferFilters(filter); err != nil {
			return fmt.Errorf("invalid offer filter of role '%s': %w", role, err)
		}
	}
	// Durations are nanoseconds in 64 bits.
	if t := info.GetFailoverTimeout(); math.IsNaN(t) || math.Abs(t*1e9) > math.MaxInt64 {
		return fmt.Errorf("the failover_timeout %g is not a duration", t)
	}
	return nil
}

func validateRoles(info *mesos.FrameworkInfo) error {
	if !capabilitiesOf(info).multiRole {
		if len(info.GetRoles()) > 0 {
			return errors.New("'roles' is for frameworks with the MULTI_ROLE capability")
		}
		return roles.Validate(info.GetRole())
	}
	if info.Role != nil {
		return errors.New("'role' is not for frameworks with the MULTI_ROLE capability")
	}
	sorted := rolesOf(info)
	for i, r := range sorted {
		if i > 0 && sorted[i-1] == r {
			return fmt.Errorf("role '%s' is listed twice", r)
		}
		if err := roles.Validate(r); err != nil {
			return err
		}
	}
	return nil
}

func validateOfferFilters(f *mesos.OfferFilters) error {
	for _, q := range f.GetMinAllocatableResources().GetQuantities() {
		if len(q.GetQuantities()) == 0 {
			return errors.New("min_allocatable_resources holds an entry without quantities")
		}
		for name, v := range q.GetQuantities() {
			if x := v.GetValue(); math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
				return fmt.Errorf("the quantity %g of '%s' is not an amount", x, name)
			}
		}
	}
	return nil
}

// validateDriver checks that a driver is who it says.
func (m *Machine) validateDriver(s *subscription) error {
	if m.cfg.AuthenticateFrameworks && s.principal == "" {
		return fmt.Errorf("the framework at %s is not authenticated", s.conn.PID)
	}
	if p := s.info.Principal; p != nil && s.principal != "" && *p != s.principal {
		return fmt.Errorf("the framework's principal '%s' is not the authenticated one '%s'", *p, s.principal)
	}
	return nil
}

// validateSuppressed returns suppressed roles as a set; they must be among
// those that the framework subscribes to.
func validateSuppressed(own, suppressed []string) (map[string]bool, error) {
	set := make(map[string]bool, len(suppressed))
	for _, r := range suppressed {
		if _, ok := slices.BinarySearch(own, r); !ok {
			return nil, fmt.Errorf("the suppressed role '%s' is not a role of the framework", r)
		}
		set[r] = true
	}
	return set, nil
}

// validateConstraints checks that constraints are for roles of the framework,
// and that the allocator can evaluate them.
func (m *Machine) validateConstraints(own []string, c *scheduler.OfferConstraints) error {
	for role := range c.GetRoleConstraints() {
		if _, ok := slices.BinarySearch(own, role); !ok {
			return fmt.Errorf("there are offer constraints for '%s', which is not a role of the framework", role)
		}
	}
	_, err := constraint.Compile(c, m.cfg.OfferConstraints)
	return err
}

// keepImmutable takes over what can't change by subscribing again.
func keepImmutable(old, info *mesos.FrameworkInfo) {
	info.User, info.Checkpoint = old.User, old.Checkpoint
}

// validateUpdate checks that an info replaces an older one of the same
// framework.
func validateUpdate(old, info *mesos.FrameworkInfo) error {
	switch {
	case (old.Principal == nil) != (info.Principal == nil) || old.GetPrincipal() != info.GetPrincipal():
		return errors.New("a framework can't change its principal")
	case old.GetUser() != info.GetUser():
		return fmt.Errorf("a framework can't change its user, from '%s' to '%s'", old.GetUser(), info.GetUser())
	case old.GetCheckpoint() != info.GetCheckpoint():
		return fmt.Errorf("a framework can't change checkpointing, from %t to %t", old.GetCheckpoint(), info.GetCheckpoint())
	}
	return nil
}

// sameInfo says whether two infos tell the same. The order of roles and of
// capabilities tells nothing.
func sameInfo(a, b *mesos.FrameworkInfo) bool {
	return proto.Equal(a, b) || proto.Equal(inOrder(a), inOrder(b))
}

func inOrder(info *mesos.FrameworkInfo) *mesos.FrameworkInfo {
	sorted := proto.CloneOf(info)
	slices.Sort(sorted.Roles)
	slices.SortFunc(sorted.Capabilities, func(a, b *mesos.FrameworkInfo_Capability) int {
		return cmp.Compare(a.GetType(), b.GetType())
	})
	return sorted
}
