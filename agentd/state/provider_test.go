package state

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/resourceprovider"
)

// testProvider plays a resource provider with a disk.
type testProvider struct {
	r       *rig
	id      string
	stream  StreamID
	session string
}

const providerStream = 20

func newProvider(r *rig) *testProvider {
	p := &testProvider{r: r, stream: providerStream}
	p.subscribe()
	return p
}

// subscribe subscribes, again on another stream. It takes the ID that it gets.
func (p *testProvider) subscribe() []Effect {
	p.stream++
	p.session = uuidString(testUUID(byte(p.stream)))
	info := &mesos.ResourceProviderInfo{Type: new("dev.mesos.rp.test"), Name: new("disks")}
	if p.id != "" {
		info.Id = p.providerID()
	}
	effects := p.call(&resourceprovider.Call{
		Type:      resourceprovider.Call_SUBSCRIBE.Enum(),
		Subscribe: &resourceprovider.Call_Subscribe{ResourceProviderInfo: info},
	})
	for _, e := range effects {
		if s, ok := e.(SendEvent); ok {
			p.id = s.Event.(*resourceprovider.Event).GetSubscribed().GetProviderId().GetValue()
		}
	}
	return effects
}

func (p *testProvider) providerID() *mesos.ResourceProviderID {
	return &mesos.ResourceProviderID{Value: new(p.id)}
}

func (p *testProvider) call(c *resourceprovider.Call) []Effect {
	in := ProviderCall{Reply: 9, Session: p.session, Call: c}
	if c.GetType() == resourceprovider.Call_SUBSCRIBE {
		in.Stream = p.stream
	} else {
		c.ResourceProviderId = p.providerID()
	}
	return p.r.step("provider: "+message(c), in)
}

func (p *testProvider) disconnect() {
	p.r.step("provider's stream closed", StreamClosed{Stream: p.stream})
}

// disk is what the provider has: raw, or mounted at a directory.
func (p *testProvider) disk(size float64, mounted bool, role string) *mesos.Resource {
	r := testScalar("disk", size, role)
	r.ProviderId = p.providerID()
	source := &mesos.Resource_DiskInfo_Source{Type: mesos.Resource_DiskInfo_Source_RAW.Enum()}
	if mounted {
		source = &mesos.Resource_DiskInfo_Source{
			Type:  mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
			Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: new("/disks/a")},
		}
	}
	source.Id = new("disk-a")
	r.Disk = &mesos.Resource_DiskInfo{Source: source}
	return r
}

func (p *testProvider) state(version byte, has *mesos.Resource, knows ...*mesos.Operation) []Effect {
	return p.call(&resourceprovider.Call{
		Type: resourceprovider.Call_UPDATE_STATE.Enum(),
		UpdateState: &resourceprovider.Call_UpdateState{
			Resources: []*mesos.Resource{has}, Operations: knows, ResourceVersionUuid: &mesos.UUID{Value: testUUID(version)},
		},
	})
}

func (p *testProvider) report(operation, status byte, state mesos.OperationState, converted ...*mesos.Resource) []Effect {
	s := &mesos.OperationStatus{
		State: &state, Uuid: &mesos.UUID{Value: testUUID(status)}, ResourceProviderId: p.providerID(), ConvertedResources: converted,
	}
	return p.call(&resourceprovider.Call{
		Type: resourceprovider.Call_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &resourceprovider.Call_UpdateOperationStatus{
			FrameworkId: testFramework().Id, Status: s, LatestStatus: s, OperationUuid: &mesos.UUID{Value: testUUID(operation)},
		},
	})
}

// answerPublication answers what the last step asked for.
func (p *testProvider) answerPublication(status resourceprovider.Call_UpdatePublishResourcesStatus_Status) []Effect {
	for _, e := range p.r.last {
		s, ok := e.(SendEvent)
		if !ok {
			continue
		}
		if event, ok := s.Event.(*resourceprovider.Event); ok && event.PublishResources != nil {
			return p.call(&resourceprovider.Call{
				Type: resourceprovider.Call_UPDATE_PUBLISH_RESOURCES_STATUS.Enum(),
				UpdatePublishResourcesStatus: &resourceprovider.Call_UpdatePublishResourcesStatus{
					Uuid: event.GetPublishResources().GetUuid(), Status: &status,
				},
			})
		}
	}
	p.r.t.Fatal("nothing is to be published")
	return nil
}

func (p *testProvider) apply(uuid byte, op *mesos.Offer_Operation) []Effect {
	return p.r.fromMaster(&messages.ApplyOperationMessage{
		FrameworkId: testFramework().Id, OperationInfo: op, OperationUuid: &mesos.UUID{Value: testUUID(uuid)},
		ResourceVersionUuid: &messages.ResourceVersionUUID{
			ResourceProviderId: p.providerID(), Uuid: &mesos.UUID{Value: testUUID(90)},
		},
	})
}

func (p *testProvider) createDisk() *mesos.Offer_Operation {
	return &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_CREATE_DISK.Enum(), Id: &mesos.OperationID{Value: new("create")},
		CreateDisk: &mesos.Offer_Operation_CreateDisk{
			Source: p.disk(100, false, "dev"), TargetType: mesos.Resource_DiskInfo_Source_MOUNT.Enum(),
		},
	}
}

func (p *testProvider) acknowledge(operation, status byte) []Effect {
	return p.r.fromMaster(&messages.AcknowledgeOperationStatusMessage{
		OperationUuid: &mesos.UUID{Value: testUUID(operation)}, StatusUuid: &mesos.UUID{Value: testUUID(status)},
		ResourceProviderId: p.providerID(),
	})
}

func (p *testProvider) reconcile(framework bool, operation byte) {
	q := &messages.ReconcileOperationsMessage_Operation{
		OperationUuid: &mesos.UUID{Value: testUUID(operation)}, ResourceProviderId: p.providerID(),
	}
	msg := &messages.ReconcileOperationsMessage{Operations: []*messages.ReconcileOperationsMessage_Operation{q}}
	if framework {
		msg.FrameworkId = testFramework().Id
	}
	p.r.fromMaster(msg)
}

// gone marks the provider gone and returns the status of the answer.
func (p *testProvider) gone() int {
	for _, e := range p.r.step("operator: mark gone", ProviderGone{Reply: 10, ID: p.id}) {
		if reply, ok := e.(Reply); ok {
			return reply.Status
		}
	}
	return 0
}

// restarted is a machine that goes on with what the disk of another holds.
func restarted(r *rig, d *disk) *rig {
	next := newRig(r.t)
	next.out.WriteString(r.out.String())
	next.onStep = d.apply
	snapshot := d.snapshot
	next.step("agent restarted", Recovered{Snapshot: &snapshot})
	next.step("containers recovered", ContainersRecovered{})
	return next
}

func TestProviderTranscripts(t *testing.T) {
	stories := map[string]func(*rig) *rig{
		"subscribe, tell, go and come back": func(r *rig) *rig {
			p := &testProvider{r: r, stream: providerStream}
			r.step("recovered: nothing", Recovered{})
			p.subscribe() // too early
			r.step("containers recovered", ContainersRecovered{})
			r.register()
			p.subscribe()
			p.state(90, p.disk(100, false, ""))
			p.subscribe() // a second stream ends the first
			p.session = "another"
			p.state(91, p.disk(50, false, ""))
			p.disconnect()
			p.state(91, p.disk(50, false, ""))
			p.subscribe()
			p.state(91, p.disk(50, false, ""))
			return r
		},
		"create disk": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.apply(1, p.createDisk())
			p.report(1, 30, mesos.OperationState_OPERATION_FINISHED, p.disk(100, true, "dev"))
			p.report(1, 30, mesos.OperationState_OPERATION_FINISHED, p.disk(100, true, "dev")) // again
			p.acknowledge(1, 30)
			p.acknowledge(1, 30) // the provider may not have heard the first
			return r
		},
		"reservation": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			reserved := p.disk(100, true, "dev")
			reserved.Reservations = []*mesos.Resource_ReservationInfo{{
				Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("dev"),
			}}
			op := &mesos.Offer_Operation{
				Type:    mesos.Offer_Operation_RESERVE.Enum(),
				Reserve: &mesos.Offer_Operation_Reserve{Resources: []*mesos.Resource{reserved}},
			}
			p.apply(1, op)
			p.report(1, 30, mesos.OperationState_OPERATION_FINISHED)
			p.acknowledge(1, 30)
			p.apply(2, op) // it is reserved already: the provider has to say so
			p.report(2, 31, mesos.OperationState_OPERATION_DROPPED)
			return r
		},
		"operation on a provider that is away": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.disconnect()
			p.apply(1, p.createDisk())
			return r
		},
		"outcome that can't be": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(10, false, ""))
			p.apply(1, p.createDisk())
			p.report(1, 30, mesos.OperationState_OPERATION_FINISHED, p.disk(100, true, "dev"))
			return r
		},
		"provider restarts with an operation under way": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.apply(1, p.createDisk())
			p.apply(2, p.createDisk()) // this one never arrives there
			known := r.m.operations[string(testUUID(1))]
			p.disconnect()
			p.subscribe()
			finished := advanced(known, &mesos.OperationStatus{State: mesos.OperationState_OPERATION_FINISHED.Enum()}, nil)
			p.state(91, p.disk(100, true, ""), finished)
			p.report(1, 30, mesos.OperationState_OPERATION_FINISHED, p.disk(100, true, "dev")) // counted already
			return r
		},
		"agent restarts with an operation under way": func(r *rig) *rig {
			d := &disk{}
			r.onStep = d.apply
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.apply(1, p.createDisk())
			known := r.m.operations[string(testUUID(1))]
			p.r = restarted(r, d)
			p.subscribe() // before the agent registers
			p.state(90, p.disk(100, false, ""), known)
			p.r.register()
			p.report(1, 30, mesos.OperationState_OPERATION_FAILED)
			return p.r
		},
		"reconciliation": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.apply(1, p.createDisk())
			p.reconcile(true, 1)
			p.reconcile(true, 9)
			p.reconcile(false, 9)
			p.disconnect()
			p.reconcile(false, 9)
			p.gone()
			p.reconcile(false, 9)
			return r
		},
		"gone": func(r *rig) *rig {
			d := &disk{}
			r.onStep = d.apply
			p := newProvider(r.start())
			p.state(90, p.disk(100, false, ""))
			p.gone() // it has resources
			p.apply(1, p.createDisk())
			p.disconnect()
			p.subscribe()
			p.gone()
			p.subscribe()
			p.gone() // again
			p.r = restarted(r, d)
			p.subscribe()
			return p.r
		},
		"task on a published disk": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			task := commandTask("t1")
			task.Resources = append(task.Resources, p.disk(100, true, "dev"))
			r.fromMaster(runTask(task))
			p.answerPublication(resourceprovider.Call_UpdatePublishResourcesStatus_OK)
			r.containerRuns(r.launchedContainer())
			r.call(1, subscribeCall("t1"))
			p.answerPublication(resourceprovider.Call_UpdatePublishResourcesStatus_OK)
			r.answer()
			return r
		},
		"publication fails": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			task := commandTask("t1")
			task.Resources = append(task.Resources, p.disk(100, true, "dev"))
			r.fromMaster(runTask(task))
			p.answerPublication(resourceprovider.Call_UpdatePublishResourcesStatus_FAILED)
			return r
		},
		"provider goes while it publishes": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			task := commandTask("t1")
			task.Resources = append(task.Resources, p.disk(100, true, "dev"))
			r.fromMaster(runTask(task))
			p.disconnect()
			other := commandTask("t2")
			other.Resources = append(other.Resources, p.disk(100, true, "dev"))
			r.fromMaster(runTask(other))
			return r
		},
		"killed while it is published": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			task := commandTask("t1")
			task.Resources = append(task.Resources, p.disk(100, true, "dev"))
			r.fromMaster(runTask(task))
			r.fromMaster(&messages.ShutdownFrameworkMessage{FrameworkId: testFramework().Id})
			for id := range r.m.containers {
				r.fire(Timer{Kind: TimerExecutorShutdown, Container: id})
			}
			return r
		},
		"outdated offer": func(r *rig) *rig {
			p := newProvider(r.start())
			p.state(90, p.disk(100, true, ""))
			task := commandTask("t1")
			task.Resources = append(task.Resources, p.disk(100, true, "dev"))
			msg := runTask(task)
			msg.ResourceVersionUuids = []*messages.ResourceVersionUUID{
				{Uuid: &mesos.UUID{Value: r.m.version[:]}},
				{ResourceProviderId: p.providerID(), Uuid: &mesos.UUID{Value: testUUID(89)}},
			}
			r.fromMaster(msg)
			return r
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			after := story(r)
			after.check()
		})
	}
}

// TestForeignCalls: a provider speaks for itself only.
func TestForeignCalls(t *testing.T) {
	r := newRig(t).start()
	p := newProvider(r)
	other := &testProvider{r: r, stream: providerStream + 10}
	other.subscribe()
	foreign := other.disk(1, false, "")
	plain := testScalar("cpus", 1, "")
	operation := &mesos.Operation{Info: other.createDisk(), Uuid: &mesos.UUID{Value: testUUID(1)}}
	status := func(by *mesos.ResourceProviderID, converted ...*mesos.Resource) *resourceprovider.Call {
		return &resourceprovider.Call{
			Type: resourceprovider.Call_UPDATE_OPERATION_STATUS.Enum(),
			UpdateOperationStatus: &resourceprovider.Call_UpdateOperationStatus{
				OperationUuid: &mesos.UUID{Value: testUUID(1)},
				Status: &mesos.OperationStatus{
					State: mesos.OperationState_OPERATION_FINISHED.Enum(), ResourceProviderId: by, ConvertedResources: converted,
				},
			},
		}
	}
	for name, call := range map[string]func() []Effect{
		"resources of another":      func() []Effect { return p.state(1, foreign) },
		"resources of the agent":    func() []Effect { return p.state(1, plain) },
		"operation of another":      func() []Effect { return p.state(1, p.disk(1, false, ""), operation) },
		"status of another":         func() []Effect { return p.call(status(other.providerID())) },
		"status of nobody":          func() []Effect { return p.call(status(nil)) },
		"outcome of another's disk": func() []Effect { return p.call(status(p.providerID(), foreign)) },
	} {
		t.Run(name, func(t *testing.T) {
			effects := call()
			if len(effects) != 1 || effects[0].(Reply).Status != statusBadRequest {
				t.Errorf("effects are %v", effects)
			}
			if !r.m.provided().IsEmpty() {
				t.Errorf("providers have %s", r.m.provided())
			}
		})
	}
}

// TestRepeatedOperation: a message that comes twice, before or after a restart,
// changes nothing; neither does an acknowledgement.
func TestRepeatedOperation(t *testing.T) {
	d := &disk{}
	withDisk := func(c *Config) { c.Agent.Resources = append(c.Agent.Resources, testScalar("disk", 100, "")) }
	r := newRig(t, withDisk)
	r.onStep = d.apply
	r.start()
	reserved := testScalar("disk", 64, "")
	reserved.Reservations = []*mesos.Resource_ReservationInfo{{
		Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Role: new("dev"),
	}}
	apply := &messages.ApplyOperationMessage{
		FrameworkId: testFramework().Id, OperationUuid: &mesos.UUID{Value: testUUID(1)},
		ResourceVersionUuid: &messages.ResourceVersionUUID{Uuid: &mesos.UUID{Value: testUUID(9)}},
		OperationInfo: &mesos.Offer_Operation{
			Type:    mesos.Offer_Operation_RESERVE.Enum(),
			Reserve: &mesos.Offer_Operation_Reserve{Resources: []*mesos.Resource{reserved}},
		},
	}
	r.fromMaster(apply)
	status := r.m.operations[string(testUUID(1))].GetLatestStatus()
	quiet := func(when string, msg proto.Message) {
		t.Helper()
		for _, e := range r.fromMaster(msg) {
			if _, ok := e.(Log); !ok {
				t.Errorf("%s: %s", when, describe(e))
			}
		}
	}
	quiet("again", apply)
	snapshot := d.snapshot
	r = newRig(t, withDisk)
	r.step("restarted", Recovered{Snapshot: &snapshot})
	r.step("containers recovered", ContainersRecovered{})
	r.register()
	quiet("after the restart", apply)
	acknowledge := &messages.AcknowledgeOperationStatusMessage{OperationUuid: apply.OperationUuid, StatusUuid: status.GetUuid()}
	r.fromMaster(acknowledge)
	quiet("acknowledged again", acknowledge)
	if len(r.m.operations) > 0 {
		t.Errorf("operations are left: %v", r.m.operations)
	}
}
