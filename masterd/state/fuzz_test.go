package state

import (
	"testing"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	mesosmaster "github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// FuzzStep feeds whatever can be decoded to a machine that has an agent, a
// framework, an offer and a task. Nothing may make it panic or lose count of
// resources, and an HTTP call is answered at once, or waits for the registry.
func FuzzStep(f *testing.F) {
	kinds := Accepts()
	seed := func(kind int, m proto.Message) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(kind), data)
	}
	task := TaskKey{"m-0000", "t"}
	for i, m := range kinds {
		f.Add(byte(i), []byte{})
		if update := updateMessage(task, "m-S0", agentPID(0), mesos.TaskState_TASK_RUNNING, make([]byte, 16)); sameType(m, update) {
			seed(i, update)
			update.Update.Status.State = mesos.TaskState(48).Enum() // nothing that Mesos has
			seed(i, update)
		}
	}
	id := &mesos.FrameworkID{Value: new("m-0000")}
	seed(len(kinds), &scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), FrameworkId: id, Accept: &scheduler.Call_Accept{
		OfferIds: []*mesos.OfferID{{Value: new("m-O1")}}, Operations: []*mesos.Offer_Operation{launchOp(taskInfo("u", "m-S0", "cpus:1"))},
	}})
	seed(len(kinds), &scheduler.Call{Type: scheduler.Call_SUBSCRIBE.Enum(), Subscribe: &scheduler.Call_Subscribe{
		FrameworkInfo: &mesos.FrameworkInfo{User: new("u"), Name: new("n")},
	}})
	seed(len(kinds)+1, &mesosmaster.Call{Type: mesosmaster.Call_TEARDOWN.Enum(), Teardown: &mesosmaster.Call_Teardown{FrameworkId: id}})
	for kind := range mesosmaster.Call_Type_name {
		seed(len(kinds)+1, &mesosmaster.Call{Type: mesosmaster.Call_Type(kind).Enum()})
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		r := newRig(t, testConfig())
		a := r.addAgent(0, "cpus:8;mem:100;ports:[1-9]")
		fw := r.subscribe("s", "web")
		r.acceptOffer(r.offer(fw, a, "cpus:1"), launchOp(taskInfo("t", a, "cpus:1")))
		r.offer(fw, a, "cpus:2")
		in := decoded(kinds, kind, data, fw)
		if in == nil {
			return
		}
		effects := r.do(in)
		switch in.(type) {
		case SchedulerCall, OperatorCall:
			if n := len(find[Reply](effects)) + len(find[OpenStream](effects)); n != 1 {
				t.Errorf("%d answers: %v", n, effects)
			}
		}
		for a := range r.m.agentList.all() {
			if !a.total.Contains(a.used.Add(a.offered).Unallocate()) && a.total.Len() > 0 {
				t.Errorf("%s of %s is used, %s offered", a.used, a.total, a.offered)
			}
		}
		r.m.View()
	})
}

func sameType(a, b proto.Message) bool {
	return a.ProtoReflect().Descriptor() == b.ProtoReflect().Descriptor()
}

// decoded is the input that data stands for, nil if it stands for none.
func decoded(kinds []proto.Message, kind byte, data []byte, f *framework) Input {
	switch k := int(kind) % (len(kinds) + 2); k {
	case len(kinds):
		call := &scheduler.Call{}
		if proto.Unmarshal(data, call) != nil {
			return nil
		}
		return SchedulerCall{Reply: 1, Stream: f.conn.Stream, Call: call}
	case len(kinds) + 1:
		call := &mesosmaster.Call{}
		if proto.Unmarshal(data, call) != nil {
			return nil
		}
		return OperatorCall{Reply: 1, Call: call}
	default:
		m := kinds[k].ProtoReflect().New().Interface()
		if proto.Unmarshal(data, m) != nil {
			return nil
		}
		return PeerMessage{From: agentPID(0), To: masterProcess, Message: m}
	}
}
