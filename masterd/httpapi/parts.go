package httpapi

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	"github.com/mesos-operator/mesos-operator/internal/codec"
	"github.com/mesos-operator/mesos-operator/masterd/state"
)

// part is a field of a long v1 answer, which is never a message in memory: it
// is put together from encoded records.
type part interface {
	json(b *body)
	protobuf(b *body)
	// keeps appends the tables whose forms are kept.
	keeps(to []keepable, contentType string) []keepable
}

// fieldName is a field by its name in JSON and its number.
type fieldName struct {
	name   string
	number protowire.Number
}

// named finds a field of a message's type. It panics if there is none, which the
// first test would see.
func named(m proto.Message, name protoreflect.Name) fieldName {
	return fieldName{string(name), m.ProtoReflect().Descriptor().Fields().ByName(name).Number()}
}

// nested is a message.
type nested struct {
	fieldName
	parts []part
}

func (n nested) json(b *body) {
	b.member(n.name)
	b.open('{')
	for _, p := range n.parts {
		p.json(b)
	}
	b.close('}')
}

func (n nested) protobuf(b *body) {
	inner := &body{lane: b.lane}
	for _, p := range n.parts {
		p.protobuf(inner)
	}
	b.nest(n.number, inner)
}

func (n nested) keeps(to []keepable, contentType string) []keepable {
	for _, p := range n.parts {
		to = p.keeps(to, contentType)
	}
	return to
}

// repeated is a field with an element for each record of a table. In JSON it is
// there when it is empty, as in Mesos.
type repeated[T any] struct {
	fieldName
	table state.Table[T]
	// appendJSON and message are the two forms of a record.
	appendJSON func([]byte, *T) []byte
	message    func(*T) proto.Message
	// unkept says that the forms don't follow from the record alone.
	unkept bool
}

func (r repeated[T]) json(b *body) {
	b.member(r.name)
	b.open('[')
	r.elements(b, formJSON, element(r.appendJSON))
	b.close(']')
}

func (r repeated[T]) protobuf(b *body) {
	r.elements(b, formProtobuf, field(r.number, r.message))
}

func (r repeated[T]) elements(b *body, f state.Form, encode encoder[T]) {
	if !r.unkept {
		appendTable(b, r.table, f, encode)
		return
	}
	for record := range r.table.All() {
		b.write(func(text []byte) []byte { return encode(text, record) })
		b.step()
	}
}

func (r repeated[T]) keeps(to []keepable, contentType string) []keepable {
	switch {
	case r.unkept:
		return to
	case contentType == codec.JSON:
		return append(to, keepTable[T]{r.table, formJSON, element(r.appendJSON)})
	}
	return append(to, keepTable[T]{r.table, formProtobuf, field(r.number, r.message)})
}

// name is an enum's value.
type name struct {
	fieldName
	value   string
	ordinal protoreflect.EnumNumber
}

func (n name) json(b *body) {
	b.member(n.name)
	b.write(func(text []byte) []byte { return mesosjson.AppendString(text, n.value) })
}

func (n name) protobuf(b *body) {
	b.text = protowire.AppendTag(b.text, n.number, protowire.VarintType)
	b.text = protowire.AppendVarint(b.text, uint64(n.ordinal))
}

func (n name) keeps(to []keepable, _ string) []keepable { return to }

// double is a number.
type double struct {
	fieldName
	value float64
}

func (d double) json(b *body) {
	b.member(d.name)
	b.write(func(text []byte) []byte { return mesosjson.AppendDouble(text, d.value) })
}

func (d double) protobuf(b *body) {
	b.text = protowire.AppendTag(b.text, d.number, protowire.Fixed64Type)
	b.text = protowire.AppendFixed64(b.text, math.Float64bits(d.value))
}

func (d double) keeps(to []keepable, _ string) []keepable { return to }

// compose puts a whole message together, and returns the body.
func compose(b *body, contentType string, parts ...part) *body {
	if contentType == codec.JSON {
		b.open('{')
		for _, p := range parts {
			p.json(b)
		}
		b.close('}')
	} else {
		for _, p := range parts {
			p.protobuf(b)
		}
	}
	b.seal()
	return b
}
