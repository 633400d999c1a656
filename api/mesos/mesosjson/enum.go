package mesosjson

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// EnumDropper is implemented by generated messages that have enums, in themselves or in what they
// hold.
//
// A newer peer may send a value of an enum that this one does not know. To Mesos, whose messages are
// proto2 in C++, such a field is unset, and such an element of a list is not there; that a required
// field is missing then is an error. The value is kept among the unknown fields, so that whoever gets
// the message next reads what was sent. Generated Go types keep the number in the field instead:
// DropUnknownEnums makes them as Mesos reads them. Call it after decoding protobuf, before anybody
// else has the message.
type EnumDropper interface {
	proto.Message
	DropUnknownEnums()
}

// KeepUnknownEnum notes a value that DropUnknownEnums takes out of a field.
func KeepUnknownEnum(m proto.Message, field protowire.Number, value int32) {
	r := m.ProtoReflect()
	kept := protowire.AppendTag(append([]byte{}, r.GetUnknown()...), field, protowire.VarintType)
	r.SetUnknown(protowire.AppendVarint(kept, uint64(int64(value))))
}
