package oversubscription

import (
	"context"
	"errors"
	"fmt"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// FixedName is the name of Mesos's module that [Fixed] is.
const FixedName = "org_apache_mesos_FixedResourceEstimator"

// Fixed lends the same amount at all times, whatever is used.
type Fixed struct{ total resources.Resources }

// NewFixed returns an estimator that lends resources in the form of the agent's
// flag --resources. They become revocable.
func NewFixed(text string) (Fixed, error) {
	list, err := resources.ParseProto(text, "*")
	if err != nil {
		return Fixed{}, fmt.Errorf("resources to lend: %w", err)
	}
	for _, r := range list {
		r.Revocable = &mesos.Resource_RevocableInfo{}
	}
	total, err := resources.New(list)
	if err != nil {
		return Fixed{}, fmt.Errorf("resources to lend: %w", err)
	}
	if total.IsEmpty() {
		return Fixed{}, errors.New("no resources to lend")
	}
	return Fixed{total}, nil
}

// Oversubscribable is what is left of the amount.
func (f Fixed) Oversubscribable(_ context.Context, u Usage) (resources.Resources, error) {
	left := f.total
	for _, x := range u.Executors {
		left = left.Subtract(x.Allocated.Revocable().Unallocate())
	}
	return left, nil
}
