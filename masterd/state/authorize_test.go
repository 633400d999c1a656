package state

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// lease is what a framework needs leave for: an operation on what it was offered.
type lease struct {
	offered []*mesos.Resource
	op      *mesos.Offer_Operation
}

// leases are the operations on a reservation and a volume in the order of their
// lives, each on what the ones before leave. The principal may be nil.
func leases(principal *string) map[string]lease {
	dynamic := func(name string, amount float64) *mesos.Resource {
		return &mesos.Resource{
			Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &amount},
			Reservations: []*mesos.Resource_ReservationInfo{
				{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("web"), Principal: principal},
			},
		}
	}
	volume := func(size float64) *mesos.Resource {
		v := dynamic("disk", size)
		v.Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new("v"), Principal: principal},
			Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
		}
		return v
	}
	list := func(rs ...*mesos.Resource) []*mesos.Resource { return rs }
	return map[string]lease{
		"1 RESERVE": {resources.MustParse("disk:10").Proto(), &mesos.Offer_Operation{
			Reserve: &mesos.Offer_Operation_Reserve{Resources: list(dynamic("disk", 10))}}},
		"2 CREATE": {list(dynamic("disk", 10)), &mesos.Offer_Operation{
			Create: &mesos.Offer_Operation_Create{Volumes: list(volume(10))}}},
		"3 SHRINK_VOLUME": {list(volume(10)), &mesos.Offer_Operation{
			ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{Volume: volume(10), Subtract: &mesos.Value_Scalar{Value: new(4.0)}}}},
		"4 GROW_VOLUME": {list(volume(6), dynamic("disk", 4)), &mesos.Offer_Operation{
			GrowVolume: &mesos.Offer_Operation_GrowVolume{Volume: volume(6), Addition: dynamic("disk", 4)}}},
		"5 DESTROY": {list(volume(10)), &mesos.Offer_Operation{
			Destroy: &mesos.Offer_Operation_Destroy{Volumes: list(volume(10))}}},
		"6 UNRESERVE": {list(dynamic("disk", 10)), &mesos.Offer_Operation{
			Unreserve: &mesos.Offer_Operation_Unreserve{Resources: list(dynamic("disk", 10))}}},
	}
}

// TestOperationsNeedLeave: an operation that ACLs forbid is dropped, its framework
// is told, and what it was offered for is there for the next.
func TestOperationsNeedLeave(t *testing.T) {
	const any, none = `"principals":{"type":"ANY"}`, `{"type":"NONE"}`
	for name, acls := range map[string]string{
		"nothing":       `{}`,
		"RESERVE":       `{"reserve_resources":[{` + any + `,"roles":` + none + `}]}`,
		"CREATE":        `{"create_volumes":[{` + any + `,"roles":` + none + `}]}`,
		"SHRINK_VOLUME": `{"resize_volumes":[{` + any + `,"roles":` + none + `}]}`,
		"DESTROY":       `{"destroy_volumes":[{` + any + `,"creator_principals":` + none + `}]}`,
		"UNRESERVE":     `{"unreserve_resources":[{` + any + `,"reserver_principals":` + none + `}]}`,
	} {
		for _, principal := range []*string{new("p"), nil} {
			with := " without a principal"
			if principal != nil {
				with = " with a principal"
			}
			t.Run(name+" forbidden"+with, func(t *testing.T) { checkLeave(t, acls, name, principal) })
		}
	}
}

func checkLeave(t *testing.T, acls, forbidden string, principal *string) {
	authorizer, _, err := acl.Parse([]byte(acls))
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Authorizer = authorizer
	r := newRig(t, cfg)
	a := r.addAgent(0, "disk:10")
	r.do(SchedulerCall{Reply: 1, Stream: "s", Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &mesos.FrameworkInfo{
			User: new("u"), Name: new("n"), Roles: []string{"web"}, Principal: principal,
			Capabilities: []*mesos.FrameworkInfo_Capability{
				{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
				{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
			},
		}},
	}})
	f := r.m.byStream["s"]
	all := leases(principal)
	for _, step := range slices.Sorted(maps.Keys(all)) {
		_, kind, _ := strings.Cut(step, " ")
		l := all[step]
		l.op.Type = mesos.Offer_Operation_Type(mesos.Offer_Operation_Type_value[kind]).Enum()
		l.op.Id = &mesos.OperationID{Value: &kind}
		r.do(Allocated{Proposals: []Proposal{{
			Framework: f.id, Role: "web", Agent: a, Resources: resources.Of(l.offered...).Allocate("web").Proto(),
		}}})
		if f.offers.tail == nil {
			t.Fatalf("%s: what it needs is not free", kind)
		}
		effects := r.acceptOffer(f.offers.tail.value, l.op)
		applied := 0
		for _, e := range find[SendMessage](effects) {
			if _, ok := e.Message.(*messages.ApplyOperationMessage); ok {
				applied++
			}
		}
		if kind == forbidden {
			checkForbidden(t, effects, applied, resources.Of(l.offered...).Allocate("web"))
			return
		}
		if applied != 1 {
			t.Fatalf("%s was not done: %v", kind, effects)
		}
	}
}

func checkForbidden(t *testing.T, effects []Effect, applied int, offered resources.Resources) {
	t.Helper()
	told := false
	for _, e := range find[SendEvent](effects) {
		s := e.Event.GetUpdateOperationStatus().GetStatus()
		told = told || s.GetState() == mesos.OperationState_OPERATION_ERROR && strings.Contains(s.GetMessage(), "not authorized")
	}
	back := find[AllocRecover](effects)
	if applied != 0 || !told || len(back) != 1 || !resources.Of(back[0].Resources...).Equal(offered) {
		t.Errorf("forbidden: %v", effects)
	}
}
