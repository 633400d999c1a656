package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages/registry"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
	"github.com/mesos-operator/mesos-operator/internal/resources"
	"github.com/mesos-operator/mesos-operator/masterd/registry/op"
)

// rig is a machine with a registry that writes at once, for tests that care
// for something else than the order of effects.
type rig struct {
	tb      testing.TB
	m       *Machine
	now     time.Time
	reg     *registry.Registry
	index   *op.Index
	effects []Effect // of the last do
}

func newRig(tb testing.TB, cfg Config) *rig {
	tb.Helper()
	r := &rig{tb: tb, m: New(cfg), now: epoch, reg: &registry.Registry{}}
	r.index = op.NewIndex(r.reg)
	r.do(Recovered{Registry: &registry.Registry{}})
	return r
}

// do steps the machine, and answers what it persists.
func (r *rig) do(in Input) []Effect {
	r.effects = append(r.effects[:0], r.m.Step(in, r.now)...)
	for i := 0; i < len(r.effects); i++ {
		if p, ok := r.effects[i].(Persist); ok {
			r.effects = append(r.effects, r.m.Step(Persisted{
				Token: p.Token, Results: op.Apply(r.reg, r.index, p.Operations),
			}, r.now)...)
		}
	}
	return r.effects
}

func agentPID(n int) PID { return PID(fmt.Sprintf("slave(1)@10.0.%d.%d:5051", n/250, n%250+1)) }

func allCapabilities() []*mesos.AgentInfo_Capability {
	var list []*mesos.AgentInfo_Capability
	for v := mesos.AgentInfo_Capability_MULTI_ROLE; v <= mesos.AgentInfo_Capability_TASK_RESOURCE_LIMITS; v++ {
		list = append(list, &mesos.AgentInfo_Capability{Type: v.Enum()})
	}
	return list
}

// addAgent registers agent n with some resources and returns its ID.
func (r *rig) addAgent(n int, text string) AgentID {
	r.do(PeerMessage{From: agentPID(n), To: "master", Message: &messages.RegisterSlaveMessage{
		Slave:             &mesos.AgentInfo{Hostname: new("host"), Resources: resources.MustParse(text).Proto()},
		Version:           new("1.11.0"),
		AgentCapabilities: allCapabilities(), ResourceVersionUuid: &mesos.UUID{Value: make([]byte, 16)},
	}})
	return r.m.agentList.tail.value.id
}

// subscribe subscribes a partition-aware framework to a role and returns it.
func (r *rig) subscribe(stream StreamID, role string) *framework {
	r.do(SchedulerCall{Reply: 1, Stream: stream, Call: &scheduler.Call{
		Type: scheduler.Call_SUBSCRIBE.Enum(),
		Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &mesos.FrameworkInfo{
			User: new("u"), Name: new("n"), Roles: []string{role}, Checkpoint: new(true), FailoverTimeout: new(1e6),
			Capabilities: []*mesos.FrameworkInfo_Capability{
				{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
				{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
				{Type: mesos.FrameworkInfo_Capability_RESERVATION_REFINEMENT.Enum()},
			},
		}},
	}})
	return r.m.byStream[stream]
}

// offer lets the allocator propose resources of an agent to a framework, and
// returns the offer.
func (r *rig) offer(f *framework, a AgentID, text string) *offer {
	r.tb.Helper()
	role := f.roles[0]
	r.do(Allocated{Proposals: []Proposal{{
		Framework: f.id, Role: role, Agent: a, Resources: resources.MustParse(text).Allocate(role).Proto(),
	}}})
	if f.offers.tail == nil {
		r.tb.Fatalf("no offer of %s", text)
	}
	return f.offers.tail.value
}

func (r *rig) call(f *framework, c *scheduler.Call) []Effect {
	c.FrameworkId = f.protoID
	return r.do(SchedulerCall{Reply: 1, Stream: f.conn.Stream, Call: c})
}

// taskInfo is a command task.
func taskInfo(id string, a AgentID, text string) *mesos.TaskInfo {
	return &mesos.TaskInfo{
		Name: new("t"), TaskId: &mesos.TaskID{Value: &id}, AgentId: &mesos.AgentID{Value: new(string(a))},
		Resources: resources.MustParse(text).Proto(), Command: &mesos.CommandInfo{Value: new("true")},
	}
}

func launchOp(tasks ...*mesos.TaskInfo) *mesos.Offer_Operation {
	return &mesos.Offer_Operation{
		Type: mesos.Offer_Operation_LAUNCH.Enum(), Launch: &mesos.Offer_Operation_Launch{TaskInfos: tasks},
	}
}

func (r *rig) acceptOffer(o *offer, ops ...*mesos.Offer_Operation) []Effect {
	return r.call(o.framework, &scheduler.Call{
		Type:   scheduler.Call_ACCEPT.Enum(),
		Accept: &scheduler.Call_Accept{OfferIds: []*mesos.OfferID{o.info.Id}, Operations: ops},
	})
}

// updateMessage is a status update of an agent.
func updateMessage(t TaskKey, a AgentID, from PID, state mesos.TaskState, uuid []byte) *messages.StatusUpdateMessage {
	return &messages.StatusUpdateMessage{
		Pid: new(string(from)),
		Update: &messages.StatusUpdate{
			FrameworkId: &mesos.FrameworkID{Value: new(string(t.Framework))},
			SlaveId:     &mesos.AgentID{Value: new(string(a))},
			Timestamp:   new(1.0), Uuid: uuid, LatestState: &state,
			Status: &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: new(string(t.Task))}, State: &state, Uuid: uuid},
		},
	}
}

// find returns the effects of a type.
func find[E Effect](effects []Effect) []E {
	var found []E
	for _, e := range effects {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// statuses returns the statuses in UPDATE events.
func statuses(effects []Effect) []*mesos.TaskStatus {
	var list []*mesos.TaskStatus
	for _, e := range find[SendEvent](effects) {
		if s := e.Event.GetUpdate().GetStatus(); s != nil {
			list = append(list, s)
		}
	}
	return list
}
