package codec

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// TestUnknownEnums: to Mesos a value of tomorrow is no value, and who gets the message next finds it.
func TestUnknownEnums(t *testing.T) {
	for name, c := range map[string]struct{ sent, want proto.Message }{
		"capability of a framework": {
			&mesos.FrameworkInfo{User: new("u"), Name: new("n"), Capabilities: []*mesos.FrameworkInfo_Capability{
				{Type: mesos.FrameworkInfo_Capability_Type(99).Enum()},
				{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			}},
			&mesos.FrameworkInfo{User: new("u"), Name: new("n"), Capabilities: []*mesos.FrameworkInfo_Capability{
				{}, {Type: mesos.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			}},
		},
		"capability of an agent": {
			&messages.ReregisterSlaveMessage{
				Slave:             &mesos.AgentInfo{Hostname: new("h")},
				AgentCapabilities: []*mesos.AgentInfo_Capability{{Type: mesos.AgentInfo_Capability_Type(77).Enum()}},
			},
			&messages.ReregisterSlaveMessage{
				Slave: &mesos.AgentInfo{Hostname: new("h")}, AgentCapabilities: []*mesos.AgentInfo_Capability{{}},
			},
		},
		"type of a call": {
			&scheduler.Call{Type: scheduler.Call_Type(4711).Enum()}, &scheduler.Call{},
		},
		"type of an operator's call": {
			&master.Call{Type: master.Call_Type(4711).Enum()}, &master.Call{},
		},
		"type of an operation": {
			&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
				Operations: []*mesos.Offer_Operation{{Type: mesos.Offer_Operation_Type(55).Enum()}},
			}},
			&scheduler.Call{Type: scheduler.Call_ACCEPT.Enum(), Accept: &scheduler.Call_Accept{
				Operations: []*mesos.Offer_Operation{{}},
			}},
		},
		"negative": {
			&mesos.Offer_Operation{Type: mesos.Offer_Operation_Type(-3).Enum()}, &mesos.Offer_Operation{},
		},
		"reason of a status": {
			&mesos.TaskStatus{
				TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState_TASK_LOST.Enum(),
				Reason: mesos.TaskStatus_Reason(1234).Enum(),
			},
			&mesos.TaskStatus{TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState_TASK_LOST.Enum()},
		},
		"elements of a list": {
			&mesos.CapabilityInfo{Capabilities: []mesos.CapabilityInfo_Capability{
				mesos.CapabilityInfo_CHOWN, 4242, mesos.CapabilityInfo_KILL,
			}},
			&mesos.CapabilityInfo{Capabilities: []mesos.CapabilityInfo_Capability{
				mesos.CapabilityInfo_CHOWN, mesos.CapabilityInfo_KILL,
			}},
		},
		"one of several": {
			&scheduler.AttributeConstraint_Selector{Selector: &scheduler.AttributeConstraint_Selector_PseudoattributeType_{
				PseudoattributeType: 9,
			}},
			&scheduler.AttributeConstraint_Selector{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := proto.Marshal(c.sent)
			if err != nil {
				t.Fatal(err)
			}
			got := c.sent.ProtoReflect().New().Interface()
			if err := Unmarshal(Protobuf, body, got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, protocmp.Transform(), protocmp.IgnoreUnknown()); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			again, err := proto.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			next := c.sent.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(again, next); err != nil || proto.Size(next) != proto.Size(c.sent) {
				t.Errorf("whoever knows the value gets %v, %v of %v", next, err, c.sent)
			}
		})
	}
}

// TestUnknownRequiredEnum: a field that must be there, and isn't.
func TestUnknownRequiredEnum(t *testing.T) {
	body, err := proto.Marshal(&messages.StatusUpdateMessage{Update: &messages.StatusUpdate{
		FrameworkId: &mesos.FrameworkID{Value: new("f")}, Timestamp: new(1.0),
		Status: &mesos.TaskStatus{TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState(99).Enum()},
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = Unmarshal(Protobuf, body, &messages.StatusUpdateMessage{})
	if missing, ok := errors.AsType[*MissingFieldsError](err); !ok || missing.Paths[0] != "update.status.state" {
		t.Errorf("error %v", err)
	}
}

// TestEveryEnumIsChecked: no message keeps a number that its enum doesn't have, at any depth.
func TestEveryEnumIsChecked(t *testing.T) {
	types := jsonTypes()
	rapid.Check(t, func(t *rapid.T) {
		mt := types[rapid.IntRange(0, len(types)-1).Draw(t, "type")]
		sent := mt.New().Interface()
		fill(t, sent.ProtoReflect(), 3)
		spoil(sent.ProtoReflect())
		if e, ok := sent.(mesosjson.EnumDropper); ok {
			e.DropUnknownEnums()
		}
		if at := enumIn(sent.ProtoReflect()); at != "" {
			t.Errorf("%s keeps a value of %s", mt.Descriptor().FullName(), at)
		}
	})
}

const spoilt = protoreflect.EnumNumber(987654)

// spoil sets every enum that is set to a number that none has.
func spoil(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Enum() != nil && f.IsList():
			for i := range v.List().Len() {
				v.List().Set(i, protoreflect.ValueOfEnum(spoilt))
			}
		case f.Enum() != nil:
			m.Set(f, protoreflect.ValueOfEnum(spoilt))
		default:
			eachMessage(f, v, spoil)
		}
		return true
	})
}

// enumIn is an enum that has a value, all of which were spoilt before.
func enumIn(m protoreflect.Message) (at protoreflect.FullName) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Enum() != nil {
			at = f.FullName()
		}
		eachMessage(f, v, func(m protoreflect.Message) {
			if in := enumIn(m); in != "" {
				at = in
			}
		})
		return at == ""
	})
	return at
}

func eachMessage(f protoreflect.FieldDescriptor, v protoreflect.Value, visit func(protoreflect.Message)) {
	switch {
	case f.IsMap():
		if f.MapValue().Message() != nil {
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				visit(v.Message())
				return true
			})
		}
	case f.Message() == nil:
	case f.IsList():
		for i := range v.List().Len() {
			visit(v.List().Get(i).Message())
		}
	default:
		visit(v.Message())
	}
}

func jsonTypes() []protoreflect.MessageType {
	var types []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		if _, ok := mt.New().Interface().(mesosjson.Message); ok {
			types = append(types, mt)
		}
		return true
	})
	return types
}

// TestKeptEnumIsAppended: what was unknown before stays.
func TestKeptEnumIsAppended(t *testing.T) {
	op := &mesos.Offer_Operation{Type: mesos.Offer_Operation_Type(55).Enum()}
	other := protowire.AppendVarint(protowire.AppendTag(nil, 4000, protowire.VarintType), 1)
	op.ProtoReflect().SetUnknown(other)
	op.DropUnknownEnums()
	want := protowire.AppendVarint(protowire.AppendTag(append([]byte{}, other...), 1, protowire.VarintType), 55)
	if got := op.ProtoReflect().GetUnknown(); string(got) != string(want) {
		t.Errorf("unknown fields %x, want %x", got, want)
	}
}

func BenchmarkDropUnknownEnums(b *testing.B) {
	m := &messages.StatusUpdateMessage{Update: &messages.StatusUpdate{
		FrameworkId: &mesos.FrameworkID{Value: new("f")}, Timestamp: new(1.0),
		LatestState: mesos.TaskState_TASK_RUNNING.Enum(),
		Status: &mesos.TaskStatus{
			TaskId: &mesos.TaskID{Value: new("t")}, State: mesos.TaskState_TASK_RUNNING.Enum(),
			Source: mesos.TaskStatus_SOURCE_EXECUTOR.Enum(),
			ContainerStatus: &mesos.ContainerStatus{NetworkInfos: []*mesos.NetworkInfo{
				{IpAddresses: []*mesos.NetworkInfo_IPAddress{{Protocol: mesos.NetworkInfo_IPv4.Enum()}}},
			}},
		},
	}}
	b.ReportAllocs()
	for b.Loop() {
		m.DropUnknownEnums()
	}
}
