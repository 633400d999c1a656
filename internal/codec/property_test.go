package codec

import (
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	_ "github.com/mesos-operator/mesos-operator/api/mesos/messages"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/agent"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/executor"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/master"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// fill sets fields of m at random, down to a depth.
func fill(t *rapid.T, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Cardinality() != protoreflect.Required && (depth == 0 || rapid.IntRange(0, 3).Draw(t, "skip") > 0) {
			continue
		}
		switch {
		case f.IsMap():
			v := m.NewField(f)
			v.Map().Set(protoreflect.ValueOfString(rapid.String().Draw(t, "key")).MapKey(), value(t, f.MapValue(), v.Map().NewValue, depth-1))
			m.Set(f, v)
		case f.IsList():
			v := m.NewField(f)
			for range rapid.IntRange(1, 2).Draw(t, "elements") {
				v.List().Append(value(t, f, v.List().NewElement, depth-1))
			}
			m.Set(f, v)
		default:
			m.Set(f, value(t, f, func() protoreflect.Value { return m.NewField(f) }, depth-1))
		}
	}
}

func value(t *rapid.T, f protoreflect.FieldDescriptor, empty func() protoreflect.Value, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, "string"))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "double"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(0, values.Len()-1).Draw(t, "enum")).Number())
	}
	v := empty()
	fill(t, v.Message(), max(depth, 0))
	return v
}

// Any message of the wire survives JSON and protobuf. Declared defaults that JSON writes out come back
// as set fields, so the comparison is over the JSON of both.
func TestRoundTrip(t *testing.T) {
	types := jsonTypes()
	if len(types) < 300 {
		t.Fatalf("only %d message types have JSON methods", len(types))
	}
	rapid.Check(t, func(t *rapid.T) {
		mt := types[rapid.IntRange(0, len(types)-1).Draw(t, "type")]
		m := mt.New().Interface()
		fill(t, m.ProtoReflect(), 3)
		text := AppendJSON(nil, m.(mesosjson.Message))
		for _, contentType := range []string{JSON, Protobuf} {
			b, err := Marshal(contentType, m)
			if err != nil {
				t.Fatalf("%s: %v", mt.Descriptor().FullName(), err)
			}
			again := mt.New().Interface()
			if err := Unmarshal(contentType, b, again); err != nil {
				t.Fatalf("%s: %v\n%s", mt.Descriptor().FullName(), err, text)
			}
			if got := AppendJSON(nil, again.(mesosjson.Message)); string(got) != string(text) {
				t.Fatalf("%s through %s:\n%s\nbecame\n%s", mt.Descriptor().FullName(), contentType, text, got)
			}
		}
	})
}

func fuzzTargets() []proto.Message {
	return []proto.Message{&scheduler.Call{}, &executor.Call{}, &master.Call{}, &agent.Call{}, &mesos.Resource{}}
}

// FuzzJSON feeds bytes to the calls that the network may send: no panic, and what is accepted is
// written and read again to the same.
func FuzzJSON(f *testing.F) {
	f.Add(0, []byte(`{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n","roles":["*"]}}}`))
	f.Add(1, []byte(`{"executor_id":{"value":"e"},"framework_id":{"value":"f"},"type":"UPDATE","update":{"status":{"uuid":"AAAA"}}}`))
	f.Add(2, []byte(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":"a"},"max_grace_period":{"seconds":1}}}`))
	f.Add(3, []byte(`{"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"process_io":{"data":{"data":"eA=="}}}}`))
	f.Add(4, []byte(`{"name":"ports","type":"RANGES","ranges":{"range":[{"begin":1,"end":"2"}]},"\ud800":[[],{}]}`))
	f.Fuzz(func(t *testing.T, which int, data []byte) { fuzzOne(t, JSON, which, data) })
}

// FuzzProtobuf is FuzzJSON for the other content type.
func FuzzProtobuf(f *testing.F) {
	for i, m := range fuzzTargets() {
		f.Add(i, []byte{})
		_ = m
	}
	b, err := proto.Marshal(sampleOffers())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(0, b)
	f.Fuzz(func(t *testing.T, which int, data []byte) { fuzzOne(t, Protobuf, which, data) })
}

func fuzzOne(t *testing.T, contentType string, which int, data []byte) {
	targets := fuzzTargets()
	m := targets[uint(which)%uint(len(targets))]
	if Unmarshal(contentType, data, m) != nil {
		return
	}
	text := AppendJSON(nil, m.(mesosjson.Message))
	again := proto.Clone(m)
	proto.Reset(again)
	if err := Unmarshal(JSON, text, again); err != nil {
		if contentType == Protobuf {
			return // protobuf can carry NaN and infinities, which JSON does not read back bare
		}
		t.Fatalf("%s\ndoes not read back: %v", text, err)
	}
}

// sampleOffers is an event as a busy cluster sends them: ten offers with reservations and ports.
func sampleOffers() *scheduler.Event {
	e := &scheduler.Event{Type: scheduler.Event_OFFERS.Enum(), Offers: &scheduler.Event_Offers{}}
	for i := range 10 {
		e.Offers.Offers = append(e.Offers.Offers, &mesos.Offer{
			Id: &mesos.OfferID{Value: new(fmt.Sprintf("1d8f9f02-0000-4000-8000-000000000000-O%d", i))}, FrameworkId: &mesos.FrameworkID{Value: new("1d8f9f02-0000-4000-8000-000000000000-0001")},
			AgentId: &mesos.AgentID{Value: new("1d8f9f02-0000-4000-8000-000000000000-S1")}, Hostname: new("agent.example"),
			Resources: []*mesos.Resource{
				{Name: new("cpus"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(3.9)}, AllocationInfo: &mesos.Resource_AllocationInfo{Role: new("web")}},
				{Name: new("mem"), Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: new(4096.0)}, Reservations: []*mesos.Resource_ReservationInfo{{Role: new("web"), Type: mesos.Resource_ReservationInfo_DYNAMIC.Enum(), Principal: new("ops")}}},
				{Name: new("ports"), Type: mesos.Value_RANGES.Enum(), Ranges: &mesos.Value_Ranges{Range: []*mesos.Value_Range{{Begin: new(uint64(31000)), End: new(uint64(31099))}, {Begin: new(uint64(31200)), End: new(uint64(32000))}}}},
			},
			Attributes: []*mesos.Attribute{{Name: new("rack"), Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: new("r1")}}},
		})
	}
	return e
}

func BenchmarkEncodeMesosJSON(b *testing.B) {
	m := sampleOffers()
	buf := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendJSON(buf[:0], m)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkEncodeProtoJSON(b *testing.B) {
	m := sampleOffers()
	buf := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = (protojson.MarshalOptions{UseProtoNames: true}).MarshalAppend(buf[:0], m); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeMesosJSON(b *testing.B) {
	data := AppendJSON(nil, sampleOffers())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Unmarshal(JSON, data, &scheduler.Event{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeProtoJSON(b *testing.B) {
	data := AppendJSON(nil, sampleOffers())
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := protojson.Unmarshal(data, &scheduler.Event{}); err != nil {
			b.Fatal(err)
		}
	}
}
