// Package codec turns wire types into bytes and back in the content types that every API of Mesos
// speaks, and negotiates which one a client gets.
//
// It knows no message in particular: JSON goes through the methods generated into api/mesos, and
// protobuf through google.golang.org/protobuf. HTTP edges, clients and checkpoints use it; the pure
// state machines never see bytes.
package codec

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
)

// The content types of Mesos's APIs. They are matched exactly, without parameters, as Mesos does.
const (
	JSON     = "application/json"
	Protobuf = "application/x-protobuf"
	// RecordIO is the frame of streams; what one record holds is told by a Message-Accept or
	// Message-Content-Type header.
	RecordIO = "application/recordio"
)

// ErrUnsupported is returned for a content type that is neither JSON nor Protobuf.
var ErrUnsupported = errors.New("unsupported content type")

// Append appends m in the given content type to b. It fails for an unknown content type, a message
// without JSON methods, or a message that lacks required fields and is to be protobuf.
func Append(b []byte, contentType string, m proto.Message) ([]byte, error) {
	switch contentType {
	case JSON:
		jm, ok := m.(mesosjson.Message)
		if !ok {
			return b, fmt.Errorf("encoding %s: no JSON methods", m.ProtoReflect().Descriptor().FullName())
		}
		return jm.AppendMesosJSON(b), nil
	case Protobuf:
		out, err := proto.MarshalOptions{}.MarshalAppend(b, m)
		if err != nil {
			return b, fmt.Errorf("encoding %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
		}
		return out, nil
	}
	return b, fmt.Errorf("%w %q", ErrUnsupported, contentType)
}

// Marshal is Append to a new slice.
func Marshal(contentType string, m proto.Message) ([]byte, error) {
	return Append(nil, contentType, m)
}

// AppendJSON appends m as Mesos JSON. Every generated message has the methods for it.
func AppendJSON(b []byte, m mesosjson.Message) []byte { return m.AppendMesosJSON(b) }

// Unmarshal reads data into m, which should be empty. Values of enums that are not known leave their
// fields unset in both content types, as they do in Mesos. The error names the field that could not be
// read, or every required field that is missing ([*MissingFieldsError]).
func Unmarshal(contentType string, data []byte, m proto.Message) error {
	switch contentType {
	case JSON:
		jm, ok := m.(mesosjson.Message)
		if !ok {
			return fmt.Errorf("decoding %s: no JSON methods", m.ProtoReflect().Descriptor().FullName())
		}
		if err := mesosjson.Unmarshal(data, jm); err != nil {
			return err
		}
	case Protobuf:
		if err := (proto.UnmarshalOptions{AllowPartial: true, RecursionLimit: maxDepth}).Unmarshal(data, m); err != nil {
			return fmt.Errorf("decoding %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
		}
		if e, ok := m.(mesosjson.EnumDropper); ok {
			e.DropUnknownEnums()
		}
	default:
		return fmt.Errorf("%w %q", ErrUnsupported, contentType)
	}
	return checkRequired(m)
}

// maxDepth bounds the nesting of protobuf input like mesosjson.MaxDepth does that of JSON.
const maxDepth = mesosjson.MaxDepth
