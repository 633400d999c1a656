package testbed

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// Encoding is how calls and events travel. Tests write and
// read JSON in any case: protobuf is translated by the standard runtime, in whose
// JSON 64-bit integers are strings and doubles may look like integers.
type Encoding string

// Encodings, by their media types.
const (
	JSON     Encoding = "application/json"
	Protobuf Encoding = "application/x-protobuf"
)

// encode turns a scheduler call into bytes.
func (e Encoding) encode(call Object) ([]byte, error) { return e.Encode(call, &scheduler.Call{}) }

// decode turns the bytes of a scheduler event into JSON.
func (e Encoding) decode(record []byte) (Value, error) { return e.Decode(record, &scheduler.Event{}) }

// Encode turns a call into bytes. The message is of its type, and empty.
func (e Encoding) Encode(call Object, message proto.Message) ([]byte, error) {
	text, err := json.Marshal(call)
	if err != nil || e == JSON {
		return text, err
	}
	if err := protojson.Unmarshal(text, message); err != nil {
		return nil, fmt.Errorf("translating a call: %w", err)
	}
	return proto.Marshal(message)
}

// Decode turns the bytes of an event into JSON likewise.
func (e Encoding) Decode(record []byte, message proto.Message) (Value, error) {
	if e == JSON {
		return Parse(record)
	}
	if err := proto.Unmarshal(record, message); err != nil {
		return Value{}, fmt.Errorf("reading an event: %w", err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return Value{}, fmt.Errorf("translating an event: %w", err)
	}
	return Parse(text)
}
