package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// validateUse checks resources that a task or executor wants to use, beyond
// what makes any resource valid.
func validateUse(list []*mesos.Resource) (resources.Resources, error) {
	for _, r := range list {
		if err := validateDisk(r); err != nil {
			return resources.Resources{}, err
		}
	}
	r, err := resources.New(list)
	if err != nil {
		return resources.Resources{}, err
	}
	if err := validateSum(r); err != nil {
		return resources.Resources{}, err
	}
	return r, validateOneRole(list)
}

// validateSum checks what a task and its executor use together.
func validateSum(r resources.Resources) error {
	if gpus := r.Scalar("gpus"); gpus%1000 != 0 {
		return fmt.Errorf("gpus come whole, not as %s", gpus)
	}
	revocable := map[string]bool{}
	volumes := map[string]bool{}
	for it := range r.All() {
		if was, ok := revocable[it.Name()]; ok && was != it.IsRevocable() {
			return fmt.Errorf("revocable and other '%s' can't be used together", it.Name())
		}
		revocable[it.Name()] = it.IsRevocable()
		if it.IsRevocable() && it.IsDynamicallyReserved() {
			return fmt.Errorf("revocable '%s' can't be reserved", it.Name())
		}
		if !it.IsPersistentVolume() {
			continue
		}
		key := it.ReservedFor() + "\x00" + it.Disk().GetPersistence().GetId()
		if volumes[key] {
			return fmt.Errorf("the persistence ID '%s' is used twice", it.Disk().GetPersistence().GetId())
		}
		volumes[key] = true
	}
	return nil
}

func validateDisk(r *mesos.Resource) error {
	d := r.GetDisk()
	if d == nil {
		return nil
	}
	if d.Persistence == nil {
		switch {
		case d.Volume != nil:
			return errors.New("a disk with a volume needs persistence")
		case d.Source == nil:
			return errors.New("'disk' is set but empty")
		}
		return nil
	}
	switch {
	case r.Revocable != nil:
		return errors.New("a persistent volume can't be revocable")
	case len(r.Reservations) == 0:
		return errors.New("a persistent volume must be reserved")
	case d.Volume == nil:
		return errors.New("a persistent volume needs 'disk.volume'")
	case d.Volume.HostPath != nil:
		return errors.New("a persistent volume has no host_path")
	}
	if err := validateID(d.Persistence.GetId()); err != nil {
		return fmt.Errorf("persistence ID: %w", err)
	}
	return nil
}

func validateOneRole(list []*mesos.Resource) error {
	for _, r := range list {
		role := r.GetAllocationInfo().GetRole()
		if role == "" {
			return errors.New("the resources are not allocated to a role")
		}
		if first := list[0].GetAllocationInfo().GetRole(); role != first {
			return fmt.Errorf("the resources are allocated to two roles, '%s' and '%s'", first, role)
		}
	}
	return nil
}

// overlap says whether ranges or sets of several users have elements in common:
// then they are fewer together than apart.
func overlap(parts ...resources.Resources) bool {
	var sum resources.Resources
	var apart resources.Scalar
	for _, p := range parts {
		apart += elements(p)
		sum = sum.Add(p)
	}
	return elements(sum) != apart
}

// elements counts the members of ranges and sets, in thousandths.
func elements(r resources.Resources) (n resources.Scalar) {
	for it := range r.All() {
		if it.Type() != mesos.Value_SCALAR {
			n += it.Quantity()
		}
	}
	return n
}
