package state

import (
	"errors"
	"fmt"
	"math"
	"testing"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/quota"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/internal/roles"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

func scalars(name string, v float64) map[string]*mesos.Value_Scalar {
	return map[string]*mesos.Value_Scalar{name: {Value: &v}}
}

func TestQuotaValidation(t *testing.T) {
	for name, c := range map[string]struct {
		role               string
		guarantees, limits map[string]*mesos.Value_Scalar
		want               error
	}{
		"empty":                {role: "a"},
		"default role":         {role: "*", limits: scalars("cpus", 1)},
		"guarantee only":       {role: "a", guarantees: scalars("cpus", 1)},
		"equal":                {role: "a", guarantees: scalars("cpus", 1.001), limits: scalars("cpus", 1.001)},
		"limit of nothing":     {role: "a", limits: scalars("cpus", 0)},
		"another resource":     {role: "a", guarantees: scalars("cpus", 9), limits: scalars("mem", 1)},
		"an exabyte":           {role: "a", limits: scalars("mem", 1<<40)},
		"no role":              {want: roles.ErrInvalid},
		"bad role":             {role: "a b", want: roles.ErrInvalid},
		"nested":               {role: "a/b", want: errNestedQuota},
		"NaN":                  {role: "a", guarantees: scalars("cpus", math.NaN()), want: errNotFinite},
		"infinite":             {role: "a", limits: scalars("cpus", math.Inf(1)), want: errNotFinite},
		"negative":             {role: "a", limits: scalars("cpus", -0.001), want: errNegative},
		"subnormal":            {role: "a", limits: scalars("cpus", 5e-324), want: errTooSmall},
		"more than an exabyte": {role: "a", limits: scalars("disk", 1<<40+1), want: errTooLarge},
		"more than a trillion": {role: "a", limits: scalars("cpus", 1e12+1), want: errTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			err := validateQuota(&quota.QuotaConfig{Role: &c.role, Guarantees: c.guarantees, Limits: c.limits})
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	if validateQuota(&quota.QuotaConfig{Role: new("a"), Guarantees: scalars("cpus", 2), Limits: scalars("cpus", 1)}) == nil {
		t.Error("a guarantee above the limit is accepted")
	}
}

// TestQuotaHierarchy: an old registry may hold quota of nested roles.
func TestQuotaHierarchy(t *testing.T) {
	quotas := func(pairs ...any) map[string]*quota.QuotaConfig {
		m := map[string]*quota.QuotaConfig{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = &quota.QuotaConfig{Role: new(pairs[i].(string)), Guarantees: scalars("cpus", float64(pairs[i+1].(int)))}
		}
		return m
	}
	for name, c := range map[string]struct {
		quotas map[string]*quota.QuotaConfig
		ok     bool
	}{
		"flat":                       {quotas("a", 1, "b", 9), true},
		"covered":                    {quotas("a", 5, "a/b", 2, "a/c", 3), true},
		"too much together":          {quotas("a", 5, "a/b", 3, "a/c", 3), false},
		"nothing in between":         {quotas("a", 5, "a/b/c", 1), false},
		"nothing above":              {quotas("a/b", 1), false},
		"a name that looks like one": {quotas("a", 1, "ab", 9), true},
	} {
		if err := validateHierarchy(c.quotas); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := validateCapacity(quotas("a", 5, "a/b", 5, "b", 5), resources.MustParse("cpus:10").Quantities()); err != nil {
		t.Errorf("a part of a guarantee is counted twice: %v", err)
	}
	if err := validateCapacity(quotas("a", 5, "b", 6), resources.MustParse("cpus:10").Quantities()); !errors.Is(err, errOvercommit) {
		t.Errorf("error %v, want %v", err, errOvercommit)
	}
}

// TestStaleProposalsAreGivenBack: what was proposed before the allocator knew of
// a quota is not offered.
func TestStaleProposalsAreGivenBack(t *testing.T) {
	r := newRig(t, testConfig())
	f := r.subscribe("s", "web")
	a := r.addAgent(0, "cpus:4;mem:1024")
	stale := Allocated{Proposals: []Proposal{{
		Framework: f.id, Role: "web", Agent: a, Resources: resources.MustParse("cpus:4").Allocate("web").Proto(),
	}}}
	r.do(OperatorCall{Reply: 1, Call: &mesosmaster.Call{
		Type: mesosmaster.Call_UPDATE_QUOTA.Enum(),
		UpdateQuota: &mesosmaster.Call_UpdateQuota{QuotaConfigs: []*quota.QuotaConfig{
			{Role: new("web"), Limits: scalars("cpus", 1)},
		}},
	}})
	told := find[AllocUpdateQuota](r.effects)
	if len(told) != 1 || told[0].Version != 1 {
		t.Fatalf("the allocator is told %v", told)
	}
	if effects := r.do(stale); len(find[SendEvent](effects)) > 0 || len(find[AllocRecover](effects)) != 1 {
		t.Errorf("effects %v", effects)
	}
	stale.Quota = 1
	if effects := r.do(stale); len(find[SendEvent](effects)) != 1 {
		t.Errorf("effects %v", effects)
	}
}

// TestProposalBeforeQuota: what was proposed before the allocator knew of a
// quota is no offer any more, and the allocator gets it back.
func TestProposalBeforeQuota(t *testing.T) {
	r := newRig(t, DefaultConfig(&mesos.MasterInfo{Id: new("m"), Pid: new("master@10.0.0.1:5050")}))
	a := r.addAgent(0, "cpus:4;mem:1024")
	f := r.subscribe("s", "org/a")
	proposed := []Proposal{{
		Framework: f.id, Role: "org/a", Agent: a, Resources: resources.MustParse("cpus:1").Allocate("org/a").Proto(),
	}}
	set := r.do(OperatorCall{Reply: 1, Call: &mesosmaster.Call{
		Type: mesosmaster.Call_UPDATE_QUOTA.Enum(),
		UpdateQuota: &mesosmaster.Call_UpdateQuota{QuotaConfigs: []*quota.QuotaConfig{
			{Role: new("org"), Limits: scalars("cpus", 0)},
		}},
	}})
	told := find[AllocUpdateQuota](set)
	if len(told) != 1 {
		t.Fatalf("the allocator was told %d times of the quota", len(told))
	}
	effects := r.do(Allocated{Proposals: proposed, Quota: told[0].Version - 1})
	if back := find[AllocRecover](effects); len(find[SendEvent](effects)) != 0 || len(back) != 1 || back[0].Filters != nil {
		t.Errorf("proposed before the quota: %v", effects)
	}
	if effects = r.do(Allocated{Proposals: proposed, Quota: told[0].Version}); len(find[SendEvent](effects)) != 1 {
		t.Errorf("proposed with the quota in force: %v", effects)
	}
}

// BenchmarkUpdateQuota sets the quota of a thousand roles in one call, on a
// thousand agents.
func BenchmarkUpdateQuota(b *testing.B) {
	r := newRig(b, testConfig())
	for n := range 1000 {
		r.addAgent(n, "cpus:24;mem:131072;disk:1048576;ports:[31000-32000]")
	}
	call := &mesosmaster.Call_UpdateQuota{}
	for n := range 1000 {
		call.QuotaConfigs = append(call.QuotaConfigs, &quota.QuotaConfig{
			Role: new(fmt.Sprintf("role-%d", n)), Guarantees: scalars("cpus", 20), Limits: scalars("cpus", 40),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		r.do(OperatorCall{Reply: 1, Call: &mesosmaster.Call{Type: mesosmaster.Call_UPDATE_QUOTA.Enum(), UpdateQuota: call}})
	}
}

// TestQuotaCapacity: a guarantee must be met by all agents together, whether they are
// connected or not, with what is reserved, and by none that was only recovered.
func TestQuotaCapacity(t *testing.T) {
	set := func(role string, cpus float64) *mesosmaster.Call {
		return &mesosmaster.Call{Type: mesosmaster.Call_SET_QUOTA.Enum(), SetQuota: &mesosmaster.Call_SetQuota{
			QuotaRequest: &quota.QuotaRequest{Role: &role, Guarantee: resources.MustParse(fmt.Sprintf("cpus:%v", cpus)).Proto()}}}
	}
	update := func(role string, cpus float64) *mesosmaster.Call {
		return &mesosmaster.Call{Type: mesosmaster.Call_UPDATE_QUOTA.Enum(), UpdateQuota: &mesosmaster.Call_UpdateQuota{
			QuotaConfigs: []*quota.QuotaConfig{{Role: &role, Guarantees: scalars("cpus", cpus)}}}}
	}
	for name, c := range map[string]struct {
		agents     []string
		disconnect bool
		roles      []string
		role       string
		cpus       float64
		set        int // status of SET_QUOTA
		update     int // of UPDATE_QUOTA
	}{
		"no agent":                    {role: "web", cpus: 1, set: 409, update: 400},
		"one agent":                   {agents: []string{"cpus:4"}, role: "web", cpus: 4, set: 200, update: 200},
		"more than it has":            {agents: []string{"cpus:4"}, role: "web", cpus: 4.1, set: 409, update: 400},
		"several agents":              {agents: []string{"cpus:2", "cpus:1", "cpus:1"}, role: "web", cpus: 4, set: 200, update: 200},
		"more than several have":      {agents: []string{"cpus:2", "cpus:2"}, role: "web", cpus: 5, set: 409, update: 400},
		"reserved for it":             {agents: []string{"cpus(web):4"}, role: "web", cpus: 4, set: 200, update: 200},
		"reserved for another":        {agents: []string{"cpus:1;cpus(db):3"}, role: "web", cpus: 4, set: 200, update: 200},
		"disconnected":                {agents: []string{"cpus:4"}, disconnect: true, role: "web", cpus: 4, set: 200, update: 200},
		"a role that isn't allowed":   {agents: []string{"cpus:4"}, roles: []string{"web"}, role: "db", cpus: 1, set: 400, update: 400},
		"a role that is":              {agents: []string{"cpus:4"}, roles: []string{"web"}, role: "web", cpus: 1, set: 200, update: 200},
		"the default role is allowed": {agents: []string{"cpus:4"}, roles: []string{"web"}, role: "*", cpus: 1, set: 200, update: 200},
	} {
		t.Run(name, func(t *testing.T) {
			for what, call := range map[string]struct {
				call *mesosmaster.Call
				want int
			}{"SET_QUOTA": {set(c.role, c.cpus), c.set}, "UPDATE_QUOTA": {update(c.role, c.cpus), c.update}} {
				cfg := testConfig()
				cfg.Roles = c.roles
				r := newRig(t, cfg)
				for n, text := range c.agents {
					r.addAgent(n, text)
					if c.disconnect {
						r.do(PeerExited{PID: agentPID(n)})
					}
				}
				if got := find[Reply](r.do(OperatorCall{Reply: 7, Call: call.call})); len(got) != 1 || got[0].Status != call.want {
					t.Errorf("%s: %v, want %d", what, got, call.want)
				}
			}
		})
	}
}

// TestQuotaIsRemovedOnce: of two removals at once one finds nothing to remove.
func TestQuotaIsRemovedOnce(t *testing.T) {
	r := newRig(t, testConfig())
	r.do(OperatorCall{Reply: 1, Call: &mesosmaster.Call{Type: mesosmaster.Call_UPDATE_QUOTA.Enum(),
		UpdateQuota: &mesosmaster.Call_UpdateQuota{QuotaConfigs: []*quota.QuotaConfig{{Role: new("web"), Limits: scalars("cpus", 1)}}}}})
	remove := &mesosmaster.Call{Type: mesosmaster.Call_REMOVE_QUOTA.Enum(), RemoveQuota: &mesosmaster.Call_RemoveQuota{Role: new("web")}}
	first := r.m.Step(OperatorCall{Reply: 2, Call: remove}, r.now)
	writes := find[Persist](first)
	if len(writes) != 1 || len(find[Reply](first)) != 0 {
		t.Fatalf("the first: %v", first)
	}
	writes = append([]Persist{}, writes...)
	second := r.m.Step(OperatorCall{Reply: 3, Call: remove}, r.now)
	if got := find[Reply](second); len(got) != 1 || got[0].Status != 400 || len(find[Persist](second)) != 0 {
		t.Errorf("the second: %v", second)
	}
	done := r.m.Step(Persisted{Token: writes[0].Token, Results: op.Apply(r.reg, r.index, writes[0].Operations)}, r.now)
	if got := find[Reply](done); len(got) != 1 || got[0].Reply != 2 || got[0].Status != 200 {
		t.Errorf("written: %v", done)
	}
	if len(r.m.policy.quotas) != 0 {
		t.Errorf("quotas %v", r.m.policy.quotas)
	}
}
