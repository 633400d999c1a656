package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/acl"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// guarded are the lists of ACLs that an ACCEPT is held against, with the name of their
// objects.
var guarded = map[string]string{
	"run_tasks": "users", "reserve_resources": "roles", "unreserve_resources": "reserver_principals",
	"create_volumes": "roles", "destroy_volumes": "creator_principals", "resize_volumes": "roles",
	"create_block_disks": "roles", "destroy_block_disks": "roles", "create_mount_disks": "roles",
	"destroy_mount_disks": "roles", "destroy_raw_disks": "roles",
}

// TestOneKindOfOperationIsAllowed makes one ACCEPT with everything in it, launches at both
// ends, while ACLs allow only one kind: that is done, and everything else is refused.
func TestOneKindOfOperationIsAllowed(t *testing.T) {
	for allowed := range guarded {
		t.Run(allowed, func(t *testing.T) {
			var lists []string
			for list, objects := range guarded {
				if list != allowed {
					lists = append(lists, fmt.Sprintf(`%q:[{"principals":{"type":"ANY"},%q:{"type":"NONE"}}]`, list, objects))
				}
			}
			authorizer, _, err := acl.Parse([]byte("{" + strings.Join(lists, ",") + "}"))
			if err != nil {
				t.Fatal(err)
			}
			checkOnlyAllowed(t, authorizer, allowed)
		})
	}
}

func checkOnlyAllowed(t *testing.T, authorizer *acl.Authorizer, allowed string) {
	cfg := testConfig()
	cfg.Authorizer = authorizer
	r := newRig(t, cfg)
	s := newStock(r)
	f := r.subscribe("s", "web")
	r.do(Allocated{Proposals: []Proposal{{
		Framework: f.id, Role: "web", Agent: s.agent, Resources: resources.Of(s.all...).Allocate("web").Proto(),
	}}})
	if f.offers.tail == nil {
		t.Fatal("the stock is not offered")
	}
	var ops []*mesos.Offer_Operation
	want := map[string]string{}
	outcome := func(list string) string {
		if list == allowed {
			return "done"
		}
		return "refused"
	}
	launch := func(id string) {
		ops = append(ops, launchOp(taskInfo(id, s.agent, "cpus:0.1")))
		want[id] = outcome("run_tasks")
	}
	launch("first")
	for name, o := range s.operations {
		list, _, _ := strings.Cut(name, " ")
		o.Id = &mesos.OperationID{Value: &name}
		ops = append(ops, o)
		want[name] = outcome(list)
	}
	launch("last")
	if diff := cmp.Diff(want, outcomes(r.acceptOffer(f.offers.tail.value, ops...))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// outcomes is what became of tasks and operations, by their IDs.
func outcomes(effects []Effect) map[string]string {
	got := map[string]string{}
	for _, s := range statuses(effects) {
		if s.GetState() == mesos.TaskState_TASK_ERROR && s.GetReason() == mesos.TaskStatus_REASON_TASK_UNAUTHORIZED {
			got[s.GetTaskId().GetValue()] = "refused"
		}
	}
	for _, e := range find[SendEvent](effects) {
		if s := e.Event.GetUpdateOperationStatus().GetStatus(); s != nil {
			got[s.GetOperationId().GetValue()] = s.GetState().String() + " " + s.GetMessage()
			if s.GetState() == mesos.OperationState_OPERATION_ERROR && strings.Contains(s.GetMessage(), "not authorized") {
				got[s.GetOperationId().GetValue()] = "refused"
			}
		}
	}
	for _, e := range find[SendMessage](effects) {
		switch m := e.Message.(type) {
		case *messages.RunTaskMessage:
			got[m.GetTask().GetTaskId().GetValue()] = "done"
		case *messages.ApplyOperationMessage:
			got[m.GetOperationInfo().GetId().GetValue()] = "done"
		}
	}
	return got
}

// stock is an agent that has something for every kind of operation.
type stock struct {
	agent AgentID
	all   []*mesos.Resource
	// operations begin with the list of ACLs that guards them.
	operations map[string]*mesos.Offer_Operation
}

func stocked(name string, amount float64, edit ...func(*mesos.Resource)) *mesos.Resource {
	r := &mesos.Resource{Name: &name, Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &amount}}
	for _, e := range edit {
		e(r)
	}
	return r
}

func forWeb(r *mesos.Resource) {
	r.Reservations = []*mesos.Resource_ReservationInfo{{Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("web")}}
}

func asVolume(id string) func(*mesos.Resource) {
	return func(r *mesos.Resource) {
		r.Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: &id},
			Volume:      &mesos.Volume{ContainerPath: new("data"), Mode: mesos.Volume_RW.Enum()},
		}
	}
}

// ofProvider is a disk of a resource provider. An id is what makes it one disk, and no pool.
func ofProvider(kind mesos.Resource_DiskInfo_Source_Type, id string) func(*mesos.Resource) {
	return func(r *mesos.Resource) {
		r.ProviderId = &mesos.ResourceProviderID{Value: new("rp")}
		source := &mesos.Resource_DiskInfo_Source{Type: kind.Enum(), Profile: new("fast")}
		if id != "" {
			source.Id = &id
		}
		if kind == mesos.Resource_DiskInfo_Source_MOUNT {
			source.Mount = &mesos.Resource_DiskInfo_Source_Mount{Root: new("mounts")}
		}
		r.Disk = &mesos.Resource_DiskInfo{Source: source}
	}
}

func newStock(r *rig) stock {
	r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.RegisterSlaveMessage{
		Slave: &mesos.AgentInfo{Hostname: new("host"),
			Resources: resources.MustParse("cpus:8;mem:64;disk:1024").Proto()},
		CheckpointedResources: []*mesos.Resource{
			stocked("mem", 32, forWeb), stocked("disk", 16, forWeb),
			stocked("disk", 8, forWeb, asVolume("doomed")), stocked("disk", 8, forWeb, asVolume("small")),
			stocked("disk", 8, forWeb, asVolume("big")),
		},
		Version: new("1.11.0"), AgentCapabilities: allCapabilities(), ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}})
	s := stock{agent: r.m.agentList.tail.value.id}
	pool := func() *mesos.Resource {
		return stocked("disk", 4, ofProvider(mesos.Resource_DiskInfo_Source_RAW, ""))
	}
	mount := stocked("disk", 4, ofProvider(mesos.Resource_DiskInfo_Source_MOUNT, "m"))
	block := stocked("disk", 4, ofProvider(mesos.Resource_DiskInfo_Source_BLOCK, "b"))
	raw := stocked("disk", 4, ofProvider(mesos.Resource_DiskInfo_Source_RAW, "r"))
	r.do(PeerMessage{From: agentPID(0), To: "master", Message: &messages.UpdateSlaveMessage{
		SlaveId: &mesos.AgentID{Value: new(string(s.agent))}, UpdateOversubscribedResources: new(false),
		Operations: &messages.UpdateSlaveMessage_Operations{},
		ResourceProviders: &messages.UpdateSlaveMessage_ResourceProviders{Providers: []*messages.UpdateSlaveMessage_ResourceProvider{{
			Info:                &mesos.ResourceProviderInfo{Id: &mesos.ResourceProviderID{Value: new("rp")}, Type: new("t"), Name: new("n")},
			ResourceVersionUuid: &mesos.UUID{Value: []byte{1}}, Operations: &messages.UpdateSlaveMessage_Operations{},
			TotalResources: []*mesos.Resource{pool(), pool(), mount, block, raw},
		}}},
	}})
	s.all = r.m.agents[s.agent].total.Proto()
	list := func(rs ...*mesos.Resource) []*mesos.Resource { return rs }
	create := func(kind mesos.Resource_DiskInfo_Source_Type) *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE_DISK.Enum(),
			CreateDisk: &mesos.Offer_Operation_CreateDisk{Source: pool(), TargetType: kind.Enum()}}
	}
	destroy := func(disk *mesos.Resource) *mesos.Offer_Operation {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_DESTROY_DISK.Enum(),
			DestroyDisk: &mesos.Offer_Operation_DestroyDisk{Source: disk}}
	}
	s.operations = map[string]*mesos.Offer_Operation{
		"reserve_resources": {Type: mesos.Offer_Operation_RESERVE.Enum(),
			Reserve: &mesos.Offer_Operation_Reserve{Resources: list(stocked("cpus", 1, forWeb))}},
		"unreserve_resources": {Type: mesos.Offer_Operation_UNRESERVE.Enum(),
			Unreserve: &mesos.Offer_Operation_Unreserve{Resources: list(stocked("mem", 32, forWeb))}},
		"create_volumes": {Type: mesos.Offer_Operation_CREATE.Enum(),
			Create: &mesos.Offer_Operation_Create{Volumes: list(stocked("disk", 8, forWeb, asVolume("new")))}},
		"destroy_volumes": {Type: mesos.Offer_Operation_DESTROY.Enum(),
			Destroy: &mesos.Offer_Operation_Destroy{Volumes: list(stocked("disk", 8, forWeb, asVolume("doomed")))}},
		"resize_volumes grow": {Type: mesos.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &mesos.Offer_Operation_GrowVolume{
			Volume: stocked("disk", 8, forWeb, asVolume("small")), Addition: stocked("disk", 8, forWeb)}},
		"resize_volumes shrink": {Type: mesos.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{
			Volume: stocked("disk", 8, forWeb, asVolume("big")), Subtract: &mesos.Value_Scalar{Value: new(4.0)}}},
		"create_mount_disks":  create(mesos.Resource_DiskInfo_Source_MOUNT),
		"create_block_disks":  create(mesos.Resource_DiskInfo_Source_BLOCK),
		"destroy_mount_disks": destroy(mount),
		"destroy_block_disks": destroy(block),
		"destroy_raw_disks":   destroy(raw),
	}
	return s
}
