package op

import (
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
)

// UpdateWeights sets the weights of roles and leaves those of others alone.
type UpdateWeights struct{ Weights []*mesos.WeightInfo }

// UpdateQuota sets the quota of roles and leaves those of others alone. A
// config without guarantees and limits takes the role's quota away. While any
// role has one, the registry asks for masters that know limits (QUOTA_V2).
// The values were validated by who made the operation.
type UpdateQuota struct{ Configs []*quota.QuotaConfig }

func (o UpdateWeights) apply(b *book) (bool, error) {
	mutated := false
	for _, w := range o.Weights {
		i := slices.IndexFunc(b.r.Weights, func(old *registry.Registry_Weight) bool {
			return old.GetInfo().GetRole() == w.GetRole()
		})
		entry := &registry.Registry_Weight{Info: w}
		switch {
		case i < 0:
			b.r.Weights = append(b.r.Weights, entry)
		case b.r.Weights[i].GetInfo().GetWeight() == w.GetWeight():
			continue
		default:
			b.r.Weights = slices.Clone(b.r.Weights)
			b.r.Weights[i] = entry
		}
		mutated = true
	}
	return mutated, nil
}

func (o UpdateQuota) apply(b *book) (bool, error) {
	b.r.QuotaConfigs = slices.Clone(b.r.QuotaConfigs)
	b.r.Quotas = slices.Clone(b.r.Quotas)
	for _, c := range o.Configs {
		b.setQuota(c)
	}
	if len(b.r.QuotaConfigs) > 0 {
		b.require(mesos.MasterInfo_Capability_QUOTA_V2, true)
	} else {
		b.unrequire(mesos.MasterInfo_Capability_QUOTA_V2)
	}
	return len(o.Configs) > 0, nil
}

func (b *book) setQuota(c *quota.QuotaConfig) {
	sameRole := func(old *quota.QuotaConfig) bool { return old.GetRole() == c.GetRole() }
	i := slices.IndexFunc(b.r.QuotaConfigs, sameRole)
	switch empty := len(c.GetGuarantees())+len(c.GetLimits()) == 0; {
	case empty:
		b.r.QuotaConfigs = slices.DeleteFunc(b.r.QuotaConfigs, sameRole)
	case i >= 0:
		b.r.QuotaConfigs[i] = c
	default:
		b.r.QuotaConfigs = append(b.r.QuotaConfigs, c)
	}
	// What an old master wrote for the role is superseded.
	b.r.Quotas = slices.DeleteFunc(b.r.Quotas, func(old *registry.Registry_Quota) bool {
		return old.GetInfo().GetRole() == c.GetRole()
	})
}
