package codec

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// MissingFieldsError names the required fields that a message lacks, as paths from its top.
type MissingFieldsError struct{ Paths []string }

// maxMissing bounds how many fields an error names; a hostile list of a million empty tasks must not
// come back as a million paths.
const maxMissing = 16

// Error implements error.
func (e *MissingFieldsError) Error() string {
	return "Missing required fields: " + strings.Join(e.Paths, ", ")
}

// checkRequired is cheap for a complete message; only an incomplete one is walked to name the gaps.
func checkRequired(m proto.Message) error {
	if proto.CheckInitialized(m) == nil {
		return nil
	}
	e := &MissingFieldsError{}
	e.walk("", m.ProtoReflect())
	return e
}

func (e *MissingFieldsError) walk(prefix string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if len(e.Paths) == maxMissing {
			return
		}
		path := prefix + string(f.Name())
		if !m.Has(f) {
			if f.Cardinality() == protoreflect.Required {
				e.Paths = append(e.Paths, path)
			}
			continue
		}
		e.walkValue(path, f, m.Get(f))
	}
}

func (e *MissingFieldsError) walkValue(path string, f protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case f.IsMap():
		if f.MapValue().Message() == nil {
			return
		}
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			e.walk(fmt.Sprintf("%s[%q].", path, k.String()), v.Message())
			return len(e.Paths) < maxMissing
		})
	case f.Message() == nil:
	case f.IsList():
		for i := range v.List().Len() {
			e.walk(fmt.Sprintf("%s[%d].", path, i), v.List().Get(i).Message())
		}
	default:
		e.walk(path+".", v.Message())
	}
}
