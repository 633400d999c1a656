package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func unmarshalMethod(g *protogen.GeneratedFile, m *protogen.Message) error {
	g.P()
	g.P("// UnmarshalMesosJSON implements mesosjson.Message.")
	g.P("func (x *", m.GoIdent, ") UnmarshalMesosJSON(l *", rt(g, "Lexer"), ") error {")
	g.P("for o := l.Object(); o.Next(l); {")
	if len(m.Fields) == 0 {
		g.P("l.Skip()")
	} else {
		g.P("switch string(o.Key) {")
		for _, f := range m.Fields {
			g.P(fmt.Sprintf("case %q:", f.Desc.Name()))
			if err := readField(g, f); err != nil {
				return err
			}
		}
		g.P("default: l.Skip()")
		g.P("}")
	}
	g.P("}")
	g.P("return l.Err()")
	g.P("}")
	return nil
}

func readField(g *protogen.GeneratedFile, f *protogen.Field) error {
	name := "x." + f.GoName
	switch {
	case f.Desc.IsMap():
		return readMap(g, f, name)
	case f.Desc.IsList():
		g.P(name, " = nil")
		g.P("for e := l.List(); e.Next(l); {")
		err := readValue(g, f, func(v string) { g.P(name, " = append(", name, ", ", v, ")") })
		g.P("}")
		return err
	}
	g.P("if !l.Null() {")
	err := readValue(g, f, func(v string) {
		switch {
		case f.Oneof != nil:
			g.P("x.", f.Oneof.GoName, " = &", f.GoIdent, "{", f.GoName, ": ", v, "}")
		case pointer(f):
			g.P(name, " = new(", v, ")")
		default:
			g.P(name, " = ", v)
		}
	})
	g.P("}")
	return err
}

func readMap(g *protogen.GeneratedFile, f *protogen.Field, name string) error {
	keyType, valueType := mapTypes(g, f)
	g.P(name, " = nil")
	g.P("if !l.Null() {")
	g.P("for e := l.Object(); e.Next(l); {")
	g.P("k := string(e.Key)")
	g.P("if l.Null() { continue }")
	g.P("if ", name, " == nil { ", name, " = make(map[", keyType, "]", valueType, ") }")
	err := readValue(g, f.Message.Fields[1], func(v string) { g.P(name, "[k] = ", v) })
	g.P("}")
	g.P("}")
	return err
}

func mapTypes(g *protogen.GeneratedFile, f *protogen.Field) (key, value string) {
	v := f.Message.Fields[1]
	if v.Desc.Kind() == protoreflect.MessageKind {
		return "string", "*" + g.QualifiedGoIdent(v.Message.GoIdent)
	}
	return "string", map[protoreflect.Kind]string{
		protoreflect.StringKind: "string", protoreflect.DoubleKind: "float64", protoreflect.BoolKind: "bool",
	}[v.Desc.Kind()]
}

// readValue writes the code that reads one value and hands its expression to store.
func readValue(g *protogen.GeneratedFile, f *protogen.Field, store func(v string)) error {
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		store("l.String()")
	case protoreflect.BytesKind:
		store("l.Bytes()")
	case protoreflect.BoolKind:
		store("l.Bool()")
	case protoreflect.DoubleKind:
		store("l.Double()")
	case protoreflect.Int32Kind:
		store("l.Int32()")
	case protoreflect.Int64Kind:
		store("l.Int64()")
	case protoreflect.Uint32Kind:
		store("l.Uint32()")
	case protoreflect.Uint64Kind:
		store("l.Uint64()")
	case protoreflect.EnumKind:
		g.P("if v, ok := ", rt(g, "Enum"), "[", f.Enum.GoIdent, "](l, ", enumTable(g, f.Enum, "_value"), "); ok {")
		store("v")
		if f.Desc.Cardinality() == protoreflect.Required {
			g.P("} else { l.UnknownEnum()")
		}
		g.P("}")
	case protoreflect.MessageKind:
		if f.Message.Desc.FullName() == durationType {
			store(rt(g, "ReadDuration") + "(l)")
			return nil
		}
		g.P("v := new(", f.Message.GoIdent, ")")
		g.P("v.UnmarshalMesosJSON(l)")
		store("v")
	default:
		return fmt.Errorf("field %s: kind %s is not known", f.Desc.Name(), f.Desc.Kind())
	}
	return nil
}
