package state

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// The largest amounts that quota may name, as in Mesos: an exabyte of memory or
// disk, which are counted in megabytes, and a trillion of anything else.
const (
	maxQuotaMegabytes = 1 << 40
	maxQuotaAmount    = 1e12
)

var (
	errNestedQuota = errors.New("quota of nested roles is not supported")
	errOvercommit  = errors.New("the guarantees exceed the capacity of the cluster")
)

// validateQuota checks what a config says by itself.
func validateQuota(c *quota.QuotaConfig) error {
	if err := roles.Validate(c.GetRole()); err != nil {
		return err
	}
	if strings.Contains(c.GetRole(), "/") {
		return fmt.Errorf("role '%s': %w", c.GetRole(), errNestedQuota)
	}
	if err := validateAmounts("guarantees", c.GetGuarantees()); err != nil {
		return fmt.Errorf("role '%s': %w", c.GetRole(), err)
	}
	if err := validateAmounts("limits", c.GetLimits()); err != nil {
		return fmt.Errorf("role '%s': %w", c.GetRole(), err)
	}
	guarantees, limits := resources.QuantitiesOfScalars(c.GetGuarantees()), resources.LimitsOfScalars(c.GetLimits())
	if !limits.Allows(guarantees) {
		return fmt.Errorf("role '%s': guarantees (%s) are above the limits (%s)", c.GetRole(), guarantees, limits)
	}
	return nil
}

func validateAmounts(field string, m map[string]*mesos.Value_Scalar) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := validateAmount(name, m[name].GetValue()); err != nil {
			return fmt.Errorf("%s: '%s' is %v: %w", field, name, m[name].GetValue(), err)
		}
	}
	return nil
}

var (
	errNotFinite = errors.New("must be a finite number")
	errNegative  = errors.New("must not be negative")
	errTooLarge  = errors.New("is larger than any cluster")
	errTooSmall  = errors.New("is too close to zero")
)

// smallestNormal is the smallest positive number of full precision.
const smallestNormal = 0x1p-1022

func validateAmount(name string, v float64) error {
	limit := float64(maxQuotaAmount)
	if name == "mem" || name == "disk" {
		limit = maxQuotaMegabytes
	}
	switch {
	case math.IsNaN(v), math.IsInf(v, 0):
		return errNotFinite
	case v < 0:
		return errNegative
	case v > limit:
		return errTooLarge
	case v > 0 && v < smallestNormal:
		return errTooSmall
	}
	return nil
}

// validateHierarchy checks that what is guaranteed to a role covers what is
// guaranteed to those below it.
func validateHierarchy(quotas map[string]*quota.QuotaConfig) error {
	below := map[string]resources.Quantities{}
	for role, c := range quotas {
		for parent := range roles.Ancestors(role) {
			below[parent] = below[parent].Add(resources.QuantitiesOfScalars(c.GetGuarantees()))
			break // only its own parent
		}
	}
	for _, parent := range slices.Sorted(maps.Keys(below)) {
		own := resources.QuantitiesOfScalars(quotas[parent].GetGuarantees())
		if !own.Contains(below[parent]) {
			return fmt.Errorf("guarantees of role '%s' (%s) are less than those of the roles below it together (%s)",
				parent, own, below[parent])
		}
	}
	return nil
}

// validateCapacity checks that all guarantees together can be met.
func validateCapacity(quotas map[string]*quota.QuotaConfig, capacity resources.Quantities) error {
	var total resources.Quantities
	for role, c := range quotas {
		if !strings.Contains(role, "/") { // a role's guarantees cover those below it
			total = total.Add(resources.QuantitiesOfScalars(c.GetGuarantees()))
		}
	}
	if !capacity.Contains(total) {
		return fmt.Errorf("%w: %s of %s (use 'force' to go ahead nevertheless)", errOvercommit, total, capacity)
	}
	return nil
}

// validateQuotaRequest checks the form of SET_QUOTA, whose guarantees are
// resources, and returns it as a config: what was guaranteed in that form is the
// limit, too.
func validateQuotaRequest(r *quota.QuotaRequest) (*quota.QuotaConfig, error) {
	if err := upgrade(r.Guarantee); err != nil {
		return nil, fmt.Errorf("invalid guarantee: %w", err)
	}
	if err := roles.Validate(r.GetRole()); err != nil {
		return nil, err
	}
	if len(r.Guarantee) == 0 {
		return nil, errors.New("the guarantee is empty")
	}
	c := &quota.QuotaConfig{Role: r.Role, Guarantees: map[string]*mesos.Value_Scalar{}}
	for _, g := range r.Guarantee {
		if err := validateGuarantee(g); err != nil {
			return nil, fmt.Errorf("guarantee of '%s': %w", g.GetName(), err)
		}
		if c.Guarantees[g.GetName()] != nil {
			return nil, fmt.Errorf("guarantee of '%s': it is there twice", g.GetName())
		}
		c.Guarantees[g.GetName()] = g.GetScalar()
	}
	c.Limits = c.Guarantees
	return c, validateQuota(c)
}

func validateGuarantee(r *mesos.Resource) error {
	switch {
	case len(r.Reservations) > 0:
		return errors.New("it must not be reserved")
	case r.Disk != nil:
		return errors.New("it must not be a volume")
	case r.Revocable != nil:
		return errors.New("it must not be revocable")
	case r.GetType() != mesos.Value_SCALAR:
		return errors.New("it must be a scalar")
	}
	return nil
}
