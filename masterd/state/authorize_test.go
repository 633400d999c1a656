package state

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

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

// TestAgentsNeedLeave: leave to register, and to reserve for every role that an agent's
// own resources name, is asked for when it registers and when it comes back.
func TestAgentsNeedLeave(t *testing.T) {
	authorizer, _, err := acl.Parse([]byte(`{
		"register_agents":[{"principals":{"values":["rack","reserver","bare"]},"agents":{"type":"ANY"}},{"principals":{"type":"ANY"},"agents":{"type":"NONE"}}],
		"reserve_resources":[{"principals":{"values":["reserver"]},"roles":{"values":["web","*"]}},
			{"principals":{"values":["bare"]},"roles":{"values":["web"]}},{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		principal, resources string
		want                 bool
	}{
		"nobody":                          {"", "cpus:1", false},
		"who may not register":            {"stranger", "cpus:1", false},
		"who may":                         {"rack", "cpus:1", true},
		"who may register, not reserve":   {"rack", "cpus:1;mem(web):64", false},
		"who may do both":                 {"reserver", "cpus:1;mem(web):64", true},
		"another role":                    {"reserver", "cpus:1;mem(db):64", false},
		"one role of two":                 {"reserver", "cpus(web):1;mem(db):64", false},
		"a role, and what isn't reserved": {"bare", "cpus:1;mem(web):64", false},
		"a role only":                     {"bare", "mem(web):64", true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig()
			cfg.Authorizer = authorizer
			r := newRig(t, cfg)
			info := func(id *mesos.AgentID) *mesos.AgentInfo {
				return &mesos.AgentInfo{Id: id, Hostname: new("host"), Resources: resources.MustParse(c.resources).Proto()}
			}
			register := func(from PID, m proto.Message) []Effect {
				return r.do(PeerMessage{From: from, To: "master", Principal: c.principal, Message: m})
			}
			effects := register(agentPID(1), &messages.RegisterSlaveMessage{
				Slave: info(nil), Version: new("1.11.0"), AgentCapabilities: allCapabilities()})
			check := func(what string, n int) {
				t.Helper()
				admitted := len(find[AllocAddAgent](effects)) == 1 && r.m.agentList.length == n
				if admitted != c.want || !c.want && len(find[SendMessage](effects)) > 0 {
					t.Errorf("%s: %v", what, effects)
				}
			}
			check("registration", 1)
			effects = register(agentPID(2), &messages.ReregisterSlaveMessage{
				Slave: info(&mesos.AgentID{Value: new("old-S0")}), Version: new("1.11.0"), AgentCapabilities: allCapabilities()})
			check("return", 2)
		})
	}
}

// TestGroupsNeedLeave: one task that may not run errs its whole group, of other launches
// only itself; the rest of the ACCEPT is done.
func TestGroupsNeedLeave(t *testing.T) {
	authorizer, _, err := acl.Parse([]byte(`{"run_tasks":[{"principals":{"type":"ANY"},"users":{"values":["u"]}},
		{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Authorizer = authorizer
	r := newRig(t, cfg)
	a := r.addAgent(0, "cpus:8;mem:1024;disk:1024")
	f := r.subscribe("s", "web")
	task := func(id, user string) *mesos.TaskInfo {
		info := taskInfo(id, a, "cpus:0.1")
		if user != "" {
			info.Command.User = &user
		}
		return info
	}
	group := func(executor string, tasks ...*mesos.TaskInfo) *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesos.Offer_Operation_LaunchGroup{
			Executor: &mesos.ExecutorInfo{
				Type: mesos.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesos.ExecutorID{Value: &executor},
				FrameworkId: f.protoID, Resources: resources.MustParse("cpus:0.1;mem:32;disk:32").Proto(),
			},
			TaskGroup: &mesos.TaskGroupInfo{Tasks: tasks},
		}}
	}
	effects := r.acceptOffer(r.offer(f, a, "cpus:8;mem:1024;disk:1024"),
		group("bad", task("g1", ""), task("g2", "root")),
		launchOp(task("t1", "root"), task("t2", "u")),
		group("good", task("g3", ""), task("g4", "u")))
	got := map[string]string{}
	for _, s := range statuses(effects) {
		got[s.GetTaskId().GetValue()] = s.GetState().String() + " " + s.GetReason().String()
	}
	if diff := cmp.Diff(map[string]string{
		"g1": "TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED", "g2": "TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED",
		"t1": "TASK_ERROR REASON_TASK_UNAUTHORIZED",
	}, got); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	var launched []string
	for task := range f.tasks.all() {
		launched = append(launched, task.info.GetTaskId().GetValue())
	}
	slices.Sort(launched)
	if diff := cmp.Diff([]string{"g3", "g4", "t2"}, launched); diff != "" {
		t.Errorf("launched (-want +got):\n%s", diff)
	}
}
