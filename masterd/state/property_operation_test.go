package state

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
)

// The part of TestProperties that reserves, and makes and resizes volumes.

// TestOperationProperties is TestProperties among frameworks and an agent that can
// do everything, and that do little else than to reserve and make volumes.
func TestOperationProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.step(PeerMessage{From: agentPID(0), Message: &messages.RegisterSlaveMessage{
			Slave: &mesos.AgentInfo{Hostname: new("h"), Resources: wire("cpus:4;disk:16;ports:[0-9]")}, Version: new("1.11.0"),
			AgentCapabilities: allCapabilities(), ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
		}})
		w.answerPersist()
		for i, role := range []string{"a", "a", "a/b"} {
			w.step(SchedulerCall{Reply: w.reply(), Stream: StreamID(fmt.Sprintf("x%d", i)), Call: &scheduler.Call{
				Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: capable(role)},
			}})
		}
		w.addProvider()
		for range rapid.IntRange(10, 100).Draw(t, "steps") {
			rapid.SampledFrom([]func(){
				w.propose, w.propose, w.propose, w.propose, w.acceptSome, w.acceptSome, w.acceptSome, w.update, w.operationUpdate,
				w.operate, w.addProvider, w.reregister, w.fire, w.subscribe,
			}).Draw(t, "action")()
		}
	})
}

func capable(role string) *mesos.FrameworkInfo {
	info := &mesos.FrameworkInfo{User: new("u"), Name: new("n"), Roles: []string{role}, Checkpoint: new(true), FailoverTimeout: new(1e6)}
	for v := mesos.FrameworkInfo_Capability_REVOCABLE_RESOURCES; v <= mesos.FrameworkInfo_Capability_REGION_AWARE; v++ {
		info.Capabilities = append(info.Capabilities, &mesos.FrameworkInfo_Capability{Type: v.Enum()})
	}
	return info
}

func (w *world) acceptSome() {
	f := pick(w, &w.m.frameworkList)
	if f == nil || f.offers.length == 0 {
		return
	}
	w.step(SchedulerCall{Reply: w.reply(), Stream: f.conn.Stream, Call: &scheduler.Call{
		FrameworkId: f.protoID, Type: scheduler.Call_ACCEPT.Enum(), Accept: w.acceptance(f),
	}})
}

// addProvider lets an agent tell of a resource provider with a disk pool, with
// the operations that are under way there. Sometimes it is gone.
func (w *world) addProvider() {
	a := pick(w, &w.m.agentList)
	if a == nil {
		return
	}
	msg := &messages.UpdateSlaveMessage{
		SlaveId: a.info.Id, UpdateOversubscribedResources: new(false), Operations: &messages.UpdateSlaveMessage_Operations{},
		ResourceProviders: &messages.UpdateSlaveMessage_ResourceProviders{},
	}
	p := &messages.UpdateSlaveMessage_ResourceProvider{
		Info: &mesos.ResourceProviderInfo{
			Id: &mesos.ResourceProviderID{Value: new("rp")}, Type: new("t"), Name: new("n"),
		},
		ResourceVersionUuid: &mesos.UUID{Value: []byte{byte(w.number(2))}},
		Operations:          &messages.UpdateSlaveMessage_Operations{},
		TotalResources:      []*mesos.Resource{rawDisk(8)},
	}
	if a.providers["rp"] != nil {
		own := a.total.Add(a.orphaned()).Filter(func(it resources.Item) bool { return it.Provider() != nil })
		p.TotalResources = own.Proto()
	}
	for o := range a.operations.all() {
		list := msg.Operations
		if o.provider != "" {
			list = p.Operations
		}
		if w.number(4) > 0 {
			list.Operations = append(list.Operations, o.info)
		}
	}
	if w.number(4) > 0 {
		msg.ResourceProviders.Providers = append(msg.ResourceProviders.Providers, p)
	}
	w.step(PeerMessage{From: a.pid, Message: msg})
}

// rawDisk is a disk pool of a resource provider.
func rawDisk(size float64) *mesos.Resource {
	return &mesos.Resource{
		Name: new("disk"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &size},
		ProviderId: &mesos.ResourceProviderID{Value: new("rp")},
		Disk: &mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{
			Type: mesos.Resource_DiskInfo_Source_RAW.Enum(), Profile: new("fast"),
		}},
	}
}

// named is what the offers of a call have.
func (w *world) named(ids []*mesos.OfferID) (sum resources.Resources) {
	for _, id := range ids {
		if o := w.m.offers[OfferID(id.GetValue())]; o != nil {
			sum = sum.Add(o.resources)
		}
	}
	return sum
}

func (w *world) launchedTasks(accept *scheduler.Call_Accept) []*mesos.TaskInfo {
	for _, o := range accept.Operations {
		if o.Launch != nil {
			return o.Launch.TaskInfos
		}
	}
	return nil
}

// operation does something to one of the resources that are there, mostly
// something that makes sense.
func (w *world) operation(f *framework, from resources.Resources) *mesos.Offer_Operation {
	role := "a"
	if f != nil && len(f.roles) > 0 {
		role = f.roles[w.number(len(f.roles)-1)]
	}
	o := w.convert(role, from)
	if w.number(1) == 0 {
		o.Id = &mesos.OperationID{Value: new(fmt.Sprintf("o%d", w.number(3)))}
	}
	return o
}

func (w *world) convert(role string, from resources.Resources) *mesos.Offer_Operation {
	list := from.Proto()
	if len(list) == 0 {
		list = wire("cpus:1")
	}
	r := copyResource(rapid.SampledFrom(list).Draw(w.t, "resource"))
	if r.GetDisk() == nil && r.Scalar != nil && w.number(1) == 0 {
		r.Scalar = &mesos.Value_Scalar{Value: new(1.0)}
	}
	one := []*mesos.Resource{r}
	if r.ProviderId != nil && w.number(1) == 0 {
		return w.convertDisk(r)
	}
	what := w.number(5)
	if w.number(3) > 0 {
		what = w.sensible(r)
	}
	switch what {
	case 0:
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesos.Offer_Operation_Unreserve{Resources: one}}
	case 1:
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_DESTROY.Enum(), Destroy: &mesos.Offer_Operation_Destroy{Volumes: one}}
	case 2:
		r.Disk = &mesos.Resource_DiskInfo{
			Persistence: &mesos.Resource_DiskInfo_Persistence{Id: new(fmt.Sprintf("v%d", w.number(2)))},
			Volume:      &mesos.Volume{ContainerPath: new("p"), Mode: mesos.Volume_RW.Enum()},
		}
		if w.number(2) == 0 {
			r.Shared = &mesos.Resource_SharedInfo{}
		}
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE.Enum(), Create: &mesos.Offer_Operation_Create{Volumes: one}}
	case 3:
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: &mesos.Offer_Operation_ShrinkVolume{
			Volume: r, Subtract: &mesos.Value_Scalar{Value: new(1.0)},
		}}
	case 4:
		addition := withoutVolume(r)
		addition.Scalar = &mesos.Value_Scalar{Value: new(1.0)}
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &mesos.Offer_Operation_GrowVolume{Volume: r, Addition: addition}}
	}
	r.Reservations = append(r.Reservations[:len(r.Reservations):len(r.Reservations)], &mesos.Resource_ReservationInfo{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role,
	})
	return &mesos.Offer_Operation{Type: mesos.Offer_Operation_RESERVE.Enum(), Reserve: &mesos.Offer_Operation_Reserve{Resources: one}}
}

func (w *world) convertDisk(r *mesos.Resource) *mesos.Offer_Operation {
	if r.GetDisk().GetSource().GetType() == mesos.Resource_DiskInfo_Source_RAW {
		return &mesos.Offer_Operation{Type: mesos.Offer_Operation_CREATE_DISK.Enum(), CreateDisk: &mesos.Offer_Operation_CreateDisk{
			Source: r, TargetType: mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
		}}
	}
	return &mesos.Offer_Operation{Type: mesos.Offer_Operation_DESTROY_DISK.Enum(), DestroyDisk: &mesos.Offer_Operation_DestroyDisk{Source: r}}
}

// diskOutcome is what a provider makes of the source of an operation.
func diskOutcome(o *operation) []*mesos.Resource {
	if o.kind() == mesos.Offer_Operation_DESTROY_DISK {
		r := copyResource(o.info.Info.DestroyDisk.Source)
		r.Disk = rawDisk(1).Disk
		return []*mesos.Resource{r}
	}
	r := copyResource(o.info.Info.CreateDisk.Source)
	r.Disk = &mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{
		Type: mesos.Resource_DiskInfo_Source_MOUNT.Enum(), Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/m")},
		Profile: new("fast"), Id: new(fmt.Sprintf("%x", o.uuid[:4])),
	}}
	return []*mesos.Resource{r}
}

// sensible chooses what to do to a resource so that it may well succeed: the
// case of convert.
func (w *world) sensible(r *mesos.Resource) int {
	switch {
	case r.GetDisk().GetPersistence() != nil:
		return []int{1, 3, 4}[w.number(2)]
	case len(r.Reservations) == 0:
		return 5
	case r.GetName() == "disk":
		return []int{0, 2, 2}[w.number(2)]
	}
	return []int{0, 5}[w.number(1)]
}

// operatorOperation is a call of an operator on what an agent has, free or not.
func (w *world) operatorOperation() *mesosmaster.Call {
	a := pick(w, &w.m.agentList)
	if a == nil {
		return nil
	}
	id := a.info.Id
	switch o := w.convert("a", a.total); o.GetType() {
	case mesos.Offer_Operation_RESERVE:
		return &mesosmaster.Call{Type: mesosmaster.Call_RESERVE_RESOURCES.Enum(), ReserveResources: &mesosmaster.Call_ReserveResources{AgentId: id, Resources: o.Reserve.Resources}}
	case mesos.Offer_Operation_UNRESERVE:
		return &mesosmaster.Call{Type: mesosmaster.Call_UNRESERVE_RESOURCES.Enum(), UnreserveResources: &mesosmaster.Call_UnreserveResources{AgentId: id, Resources: o.Unreserve.Resources}}
	case mesos.Offer_Operation_CREATE:
		return &mesosmaster.Call{Type: mesosmaster.Call_CREATE_VOLUMES.Enum(), CreateVolumes: &mesosmaster.Call_CreateVolumes{AgentId: id, Volumes: o.Create.Volumes}}
	case mesos.Offer_Operation_DESTROY:
		return &mesosmaster.Call{Type: mesosmaster.Call_DESTROY_VOLUMES.Enum(), DestroyVolumes: &mesosmaster.Call_DestroyVolumes{AgentId: id, Volumes: o.Destroy.Volumes}}
	case mesos.Offer_Operation_GROW_VOLUME:
		return &mesosmaster.Call{Type: mesosmaster.Call_GROW_VOLUME.Enum(), GrowVolume: &mesosmaster.Call_GrowVolume{AgentId: id, Volume: o.GrowVolume.Volume, Addition: o.GrowVolume.Addition}}
	case mesos.Offer_Operation_CREATE_DISK, mesos.Offer_Operation_DESTROY_DISK:
		return nil // not for operators
	default:
		return &mesosmaster.Call{Type: mesosmaster.Call_SHRINK_VOLUME.Enum(), ShrinkVolume: &mesosmaster.Call_ShrinkVolume{AgentId: id, Volume: o.ShrinkVolume.Volume, Subtract: o.ShrinkVolume.Subtract}}
	}
}

// operationUpdate tells what became of an operation.
func (w *world) operationUpdate() {
	a := pick(w, &w.m.agentList)
	if a == nil {
		return
	}
	o := pick(w, &a.operations)
	if o == nil {
		return
	}
	state := rapid.SampledFrom([]mesos.OperationState{
		mesos.OperationState_OPERATION_FINISHED, mesos.OperationState_OPERATION_DROPPED, mesos.OperationState_OPERATION_PENDING,
	}).Draw(w.t, "state")
	status := &mesos.OperationStatus{OperationId: o.info.GetInfo().GetId(), State: &state}
	if !isSpeculative(o.kind()) && state == mesos.OperationState_OPERATION_FINISHED {
		status.ConvertedResources = diskOutcome(o)
	}
	if w.number(2) > 0 {
		status.Uuid = &mesos.UUID{Value: make([]byte, 16)}
	}
	w.step(PeerMessage{From: a.pid, Message: &messages.UpdateOperationStatusMessage{
		FrameworkId: o.info.FrameworkId, SlaveId: a.info.Id, Status: status, LatestStatus: status, OperationUuid: o.info.Uuid,
	}})
}

func (w *world) operationAck(f *framework) *scheduler.Call_AcknowledgeOperationStatus {
	ack := &scheduler.Call_AcknowledgeOperationStatus{
		AgentId: &mesos.AgentID{Value: new("m-S0")}, Uuid: make([]byte, 16), OperationId: &mesos.OperationID{Value: new("o0")},
	}
	if o := pick(w, &f.operations); o != nil && o.info.Info.Id != nil {
		ack.AgentId, ack.OperationId = o.info.AgentId, o.info.Info.Id
	}
	return ack
}
