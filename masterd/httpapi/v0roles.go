package httpapi

import (
	"maps"
	"slices"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// role is what /roles and GET_ROLES tell of a role: sums go over the role and
// all below it, frameworks are those that are subscribed to the role itself.
type role struct {
	name                                   string
	weight                                 float64
	quota                                  *quota.QuotaConfig
	allocated, offered, reserved, consumed resources.Quantities
	frameworks                             []state.FrameworkID
}

// knownRoles returns, sorted, every role that may be seen and that somebody is subscribed to, uses
// or reserved something for, or that has a weight or quota, and all above them. With --roles it is
// just those of the flag and all above them, whatever is reserved for others.
func knownRoles(v *state.View, see visible) []*role {
	table := roleTable{}
	for f := range v.Frameworks.All() {
		for _, name := range f.Roles {
			r := table.get(name)
			r.frameworks = append(r.frameworks, f.ID)
		}
		table.add(resources.Of(f.Used...).ByAllocation(), func(r *role, q resources.Quantities) {
			r.allocated = r.allocated.Add(q)
			r.consumed = r.consumed.Add(q)
		})
		table.add(resources.Of(f.Offered...).ByAllocation(), func(r *role, q resources.Quantities) {
			r.offered = r.offered.Add(q)
		})
	}
	for a := range v.Agents.All() {
		reserved := resources.Of(a.Total...).ByReservation()
		table.add(reserved, func(r *role, q resources.Quantities) { r.reserved = r.reserved.Add(q) })
		table.addUnallocated(reserved, resources.Of(a.Used...).ByReservation())
	}
	for name, weight := range v.Weights {
		table.get(name).weight = weight
	}
	for name, q := range v.Quotas {
		table.get(name).quota = q
	}
	if v.Roles != nil {
		table = table.only(v.Roles)
	}
	var known []*role
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if see.role(name) {
			known = append(known, table[name])
		}
	}
	return known
}

// roleTable holds roles by name.
type roleTable map[string]*role

// get returns a role, adding it and those above it if need be.
func (t roleTable) get(name string) *role {
	if r := t[name]; r != nil {
		return r
	}
	r := &role{name: name, weight: 1}
	t[name] = r
	for above := range roles.Ancestors(name) {
		t.get(above)
	}
	return r
}

// only returns the roles of those names, and those above them.
func (t roleTable) only(names map[string]bool) roleTable {
	kept := roleTable{}
	for name := range names {
		kept[name] = t.get(name)
		for above := range roles.Ancestors(name) {
			kept[above] = t[above]
		}
	}
	return kept
}

// add adds what each role has to it and to those above.
func (t roleTable) add(byRole map[string]resources.Resources, to func(*role, resources.Quantities)) {
	for name, has := range byRole {
		amount := has.Amounts()
		to(t.get(name), amount)
		for above := range roles.Ancestors(name) {
			to(t.get(above), amount)
		}
	}
}

// addUnallocated counts reservations that nobody uses as consumed: they are
// kept for the role.
func (t roleTable) addUnallocated(total, used map[string]resources.Resources) {
	for name, has := range total {
		free := has.Amounts().Subtract(used[name].Amounts())
		t.get(name).consumed = t[name].consumed.Add(free)
		for above := range roles.Ancestors(name) {
			t[above].consumed = t[above].consumed.Add(free)
		}
	}
}

// appendRoles writes /roles.
func appendRoles(b []byte, v *state.View, query asked) []byte {
	start := len(b)
	b = listMember(b, "roles", knownRoles(v, query.visible), appendRole)
	return mesosjson.CloseObject(b, start)
}

func appendRole(b []byte, r *role) []byte {
	start := len(b)
	b = stringMember(b, "name", r.name)
	b = doubleMember(b, "weight", r.weight)
	b = key(b, "quota")
	object := len(b)
	b = stringMember(b, "role", r.name)
	b = appendLimits(key(b, "guarantee"), r.quota.GetGuarantees())
	b = appendLimits(key(b, "limit"), r.quota.GetLimits())
	b = quantitiesMember(b, "consumed", r.consumed)
	b = mesosjson.CloseObject(b, object)
	b = quantitiesMember(b, "resources", r.allocated.Add(r.offered))
	b = quantitiesMember(b, "allocated", r.allocated)
	b = quantitiesMember(b, "offered", r.offered)
	b = quantitiesMember(b, "reserved", r.reserved)
	b = listMember(b, "frameworks", r.frameworks, func(b []byte, id state.FrameworkID) []byte {
		return mesosjson.AppendString(b, string(id))
	})
	return mesosjson.CloseObject(b, start)
}

func weightInfos(v *state.View, see visible) []*mesos.WeightInfo {
	var infos []*mesos.WeightInfo
	for _, name := range slices.Sorted(maps.Keys(v.Weights)) {
		if see.role(name) {
			infos = append(infos, &mesos.WeightInfo{Role: new(name), Weight: new(v.Weights[name])})
		}
	}
	return infos
}

// appendWeights writes /weights: a bare list.
func appendWeights(b []byte, v *state.View, query asked) []byte {
	start := len(b)
	for _, w := range weightInfos(v, query.visible) {
		b = w.AppendMesosJSON(append(b, ','))
	}
	return mesosjson.CloseList(b, start)
}

// quotaStatus tells each quota in the present form, and its guarantees in the
// one of before Mesos 1.9 as well. A quota that was reset since the master leads
// is there, empty.
func quotaStatus(v *state.View, see visible) *quota.QuotaStatus {
	status := &quota.QuotaStatus{}
	for _, name := range slices.Sorted(maps.Keys(v.Quotas)) {
		if !see.quota(name) {
			continue
		}
		config := v.Quotas[name]
		status.Configs = append(status.Configs, config)
		info := &quota.QuotaInfo{Role: new(name)}
		for _, resource := range slices.Sorted(maps.Keys(config.GetGuarantees())) {
			info.Guarantee = append(info.Guarantee, &mesos.Resource{
				Name: new(resource), Type: mesos.Value_SCALAR.Enum(), Scalar: config.GetGuarantees()[resource],
			})
		}
		status.Infos = append(status.Infos, info)
	}
	return status
}

// appendQuota writes /quota.
func appendQuota(b []byte, v *state.View, query asked) []byte {
	return quotaStatus(v, query.visible).AppendMesosJSON(b)
}
