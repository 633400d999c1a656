// Package mesosjson is the runtime of the JSON code generated for the wire types in api/mesos.
//
// Mesos speaks a JSON of its own, which is neither the canonical JSON of protobuf nor that of
// encoding/json: fields carry the names of the .proto files, 64-bit integers are numbers, enums are
// names, bytes are base64, unset optional fields are left out unless they declare a default and are
// not deprecated, and empty lists are left out. Reading is lenient where Mesos is: null means unset,
// numbers and booleans may be strings, a single value may stand for a list of one, unknown fields
// and unknown values of optional enums are dropped.
//
// The generator (hack/protoc-gen-mesosjson) writes two methods for every message, which together are
// the interface [Message]; they call nothing but this package, so no field costs a reflection.
// Callers outside the generated code use internal/codec, or AppendMesosJSON and [Unmarshal] directly.
package mesosjson

import "google.golang.org/protobuf/proto"

// Message is a wire type with generated JSON methods.
type Message interface {
	proto.Message
	// AppendMesosJSON appends the message as one compact JSON object.
	AppendMesosJSON(b []byte) []byte
	// UnmarshalMesosJSON reads one JSON object into the message, which should be empty. It does not
	// look for missing required fields: only the reader of the outermost message can name them.
	UnmarshalMesosJSON(l *Lexer) error
}

// Unmarshal reads data, which must be one JSON object and nothing else, into m.
// Missing required fields are not an error here, see internal/codec.
func Unmarshal(data []byte, m Message) error {
	l := NewLexer(data)
	if err := m.UnmarshalMesosJSON(l); err != nil {
		return err
	}
	return l.End()
}
