package state

import (
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// The rules about operations on volumes and disks.

func validateCreate(by author, a *agent, volumes []*mesos.Resource) error {
	if err := validateVolumes(volumes); err != nil {
		return err
	}
	if err := validateUnusedIDs(a, volumes); err != nil {
		return err
	}
	for _, v := range volumes {
		if v.Shared != nil && by.framework != nil && !by.framework.caps.sharedResources {
			return fmt.Errorf("the framework lacks SHARED_RESOURCES for %s", name(v))
		}
		if err := validateAgentReads(a, v); err != nil {
			return err
		}
		p := v.GetDisk().GetPersistence()
		if want := by.principal; want != nil && (p.Principal == nil || p.GetPrincipal() != *want) {
			return fmt.Errorf("the persistence of %s must name principal '%s', not '%s'", name(v), *want, p.GetPrincipal())
		}
	}
	return validateOneAllocation(by, volumes)
}

// validateUnusedIDs checks that persistence IDs are unique for a role on an
// agent, among those that are there and those that are to be.
func validateUnusedIDs(a *agent, volumes []*mesos.Resource) error {
	type key struct{ role, id string }
	taken := map[key]bool{}
	for it := range a.checkpointed.PersistentVolumes().All() {
		taken[key{it.ReservedFor(), it.Disk().GetPersistence().GetId()}] = true
	}
	for _, v := range volumes {
		k := key{innermost(v).GetRole(), v.GetDisk().GetPersistence().GetId()}
		if taken[k] {
			return fmt.Errorf("the persistence ID '%s' is used twice", k.id)
		}
		taken[k] = true
	}
	return nil
}

// validateVolumes checks that resources are persistent volumes that can be
// written.
func validateVolumes(volumes []*mesos.Resource) error {
	if err := validateNamed(volumes); err != nil {
		return err
	}
	for _, v := range volumes {
		switch {
		case v.GetDisk().GetPersistence() == nil:
			return fmt.Errorf("%s is not a persistent volume", name(v))
		case v.GetDisk().GetVolume().GetMode() == mesos.Volume_RO:
			return fmt.Errorf("the persistent volume %s must not be read-only", name(v))
		}
	}
	return nil
}

func validateDestroy(a *agent, volumes []*mesos.Resource) error {
	if err := validateVolumes(volumes); err != nil {
		return err
	}
	used := a.used.Unallocate()
	for it := range resources.Of(volumes...).Unallocate().All() {
		switch {
		case it.Provider() == nil && !a.checkpointed.Contains(it.Resources()):
			return fmt.Errorf("the agent has no volume '%s'", it)
		case used.Contains(it.Resources()):
			return fmt.Errorf("the volume '%s' is in use", it)
		}
	}
	return nil
}

func validateGrow(a *agent, op *mesos.Offer_Operation_GrowVolume) error {
	if err := validateResizable(a, op.GetVolume(), "grown"); err != nil {
		return err
	}
	addition := resources.Of(op.GetAddition())
	if addition.IsEmpty() || op.GetAddition().GetType() != mesos.Value_SCALAR {
		return errors.New("'addition' must be more than nothing")
	}
	// What the volume was made of and the addition must be of one kind.
	if resources.Of(withoutVolume(op.GetVolume())).Add(addition).Len() != 1 {
		return fmt.Errorf("%s can't be grown by %s, which is of another kind", name(op.GetVolume()), name(op.GetAddition()))
	}
	return nil
}

func validateShrink(a *agent, op *mesos.Offer_Operation_ShrinkVolume) error {
	if err := validateResizable(a, op.GetVolume(), "shrunk"); err != nil {
		return err
	}
	subtract := resources.ScalarOf(op.GetSubtract().GetValue())
	switch {
	case op.GetVolume().GetDisk().GetSource().GetType() == mesos.Resource_DiskInfo_Source_MOUNT:
		return errors.New("a volume on a MOUNT disk can't be shrunk")
	case subtract <= 0:
		return errors.New("'subtract' must be more than nothing")
	case subtract >= resources.ScalarOf(op.GetVolume().GetScalar().GetValue()):
		return fmt.Errorf("'subtract' must be less than the size of %s", name(op.GetVolume()))
	}
	return nil
}

func validateResizable(a *agent, v *mesos.Resource, what string) error {
	if v == nil {
		return errors.New("'volume' is missing")
	}
	if err := validateVolumes([]*mesos.Resource{v}); err != nil {
		return err
	}
	switch {
	case v.ProviderId != nil:
		return fmt.Errorf("a volume of a resource provider can't be %s", what)
	case v.Shared != nil:
		return fmt.Errorf("a shared volume can't be %s", what)
	case !a.caps.resizeVolume:
		return fmt.Errorf("agent %s lacks RESIZE_VOLUME: %s can't be %s", a.id, name(v), what)
	}
	return nil
}

// withoutVolume is the disk that a volume was made of.
func withoutVolume(v *mesos.Resource) *mesos.Resource {
	disk := copyResource(v)
	disk.Shared, disk.Disk = nil, nil
	if source := v.GetDisk().GetSource(); source != nil {
		disk.Disk = &mesos.Resource_DiskInfo{Source: source}
	}
	return disk
}

func validateCreateDisk(op *mesos.Offer_Operation_CreateDisk) error {
	source := op.GetSource()
	if err := validateProvided(source); err != nil {
		return err
	}
	profile := source.GetDisk().GetSource().Profile != nil
	switch {
	case source.GetDisk().GetSource().GetType() != mesos.Resource_DiskInfo_Source_RAW:
		return fmt.Errorf("'source' must be a RAW disk, not %s", name(source))
	case op.GetTargetType() != mesos.Resource_DiskInfo_Source_MOUNT && op.GetTargetType() != mesos.Resource_DiskInfo_Source_BLOCK:
		return fmt.Errorf("'target_type' must be MOUNT or BLOCK, not %s", op.GetTargetType())
	case profile && op.TargetProfile != nil:
		return errors.New("'target_profile' can't be set for a source that has a profile")
	case !profile && op.TargetProfile == nil:
		return errors.New("'target_profile' must be set for a source without a profile")
	}
	return nil
}

func validateDestroyDisk(source *mesos.Resource) error {
	if err := validateProvided(source); err != nil {
		return err
	}
	switch source.GetDisk().GetSource().GetType() {
	case mesos.Resource_DiskInfo_Source_MOUNT, mesos.Resource_DiskInfo_Source_BLOCK, mesos.Resource_DiskInfo_Source_RAW:
	default:
		return fmt.Errorf("'source' must be a MOUNT, BLOCK or RAW disk, not %s", name(source))
	}
	switch {
	case source.GetDisk().GetSource().Id == nil:
		return fmt.Errorf("'source' must be a disk with an ID, not %s", name(source))
	case source.GetDisk().GetPersistence() != nil:
		return fmt.Errorf("%s is a persistent volume: it must be destroyed before its disk is", name(source))
	}
	return nil
}

// validateProvided checks a disk that a resource provider is to work on.
func validateProvided(source *mesos.Resource) error {
	if source == nil {
		return errors.New("'source' is missing")
	}
	if err := validateNamed([]*mesos.Resource{source}); err != nil {
		return err
	}
	if source.ProviderId == nil {
		return fmt.Errorf("%s is not of a resource provider", name(source))
	}
	if source.GetDisk().GetSource() == nil {
		return fmt.Errorf("%s is not a disk with a source", name(source))
	}
	return nil
}
