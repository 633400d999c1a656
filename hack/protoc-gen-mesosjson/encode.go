package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func appendMethod(g *protogen.GeneratedFile, m *protogen.Message) error {
	g.P()
	g.P("// AppendMesosJSON implements mesosjson.Message.")
	g.P("func (x *", m.GoIdent, ") AppendMesosJSON(b []byte) []byte {")
	g.P("if x == nil { return append(b, '{', '}') }")
	g.P("start := len(b)")
	done := map[*protogen.Oneof]bool{}
	for _, f := range m.Fields {
		if f.Oneof != nil {
			if !done[f.Oneof] {
				done[f.Oneof] = true
				if err := appendOneof(g, f.Oneof); err != nil {
					return err
				}
			}
			continue
		}
		if err := appendField(g, f); err != nil {
			return err
		}
	}
	g.P("return ", rt(g, "CloseObject"), "(b, start)")
	g.P("}")
	return nil
}

// key is the Go expression that appends a field's name.
func key(f *protogen.Field) string { return fmt.Sprintf("append(b, `,%q:`...)", f.Desc.Name()) }

func appendOneof(g *protogen.GeneratedFile, o *protogen.Oneof) error {
	g.P("switch v := x.", o.GoName, ".(type) {")
	for _, f := range o.Fields {
		g.P("case *", f.GoIdent, ":")
		value, err := appendValue(g, f, key(f), "v."+f.GoName)
		if err != nil {
			return err
		}
		g.P("b = ", value)
	}
	g.P("}")
	return nil
}

func appendField(g *protogen.GeneratedFile, f *protogen.Field) error {
	name := "x." + f.GoName
	switch {
	case f.Desc.IsMap():
		return appendMap(g, f, name)
	case f.Desc.IsList():
		value, err := appendValue(g, f, "append(b, ',')", "v")
		if err != nil {
			return err
		}
		g.P("if len(", name, ") > 0 {")
		g.P("b = ", key(f))
		g.P("list := len(b)")
		g.P("for _, v := range ", name, " { b = ", value, " }")
		g.P("b = ", rt(g, "CloseList"), "(b, list)")
		g.P("}")
		return nil
	}
	read := name
	if pointer(f) {
		read = "*" + name
	}
	value, err := appendValue(g, f, key(f), read)
	if err != nil {
		return err
	}
	if writesDefault(f) {
		value, err = appendValue(g, f, key(f), "x.Get"+f.GoName+"()")
		g.P("b = ", value)
		return err
	}
	g.P("if ", name, " != nil { b = ", value, " }")
	return nil
}

func appendMap(g *protogen.GeneratedFile, f *protogen.Field, name string) error {
	keyField, valueField := f.Message.Fields[0], f.Message.Fields[1]
	if keyField.Desc.Kind() != protoreflect.StringKind {
		return fmt.Errorf("map %s: only string keys are known", f.Desc.Name())
	}
	sorted := g.QualifiedGoIdent(protogen.GoImportPath("slices").Ident("Sorted"))
	keys := g.QualifiedGoIdent(protogen.GoImportPath("maps").Ident("Keys"))
	value, err := appendValue(g, valueField, "append("+rt(g, "AppendString")+"(append(b, ','), k), ':')", name+"[k]")
	if err != nil {
		return err
	}
	g.P("if len(", name, ") > 0 {")
	g.P("b = ", key(f))
	g.P("object := len(b)")
	g.P("for _, k := range ", sorted, "(", keys, "(", name, ")) { b = ", value, " }")
	g.P("b = ", rt(g, "CloseObject"), "(b, object)")
	g.P("}")
	return nil
}

// pointer says whether the Go field of an optional or required scalar is a pointer.
func pointer(f *protogen.Field) bool {
	kind := f.Desc.Kind()
	return kind != protoreflect.BytesKind && kind != protoreflect.MessageKind
}

// appendValue returns the expression that appends the value v after prefix, itself an expression.
func appendValue(g *protogen.GeneratedFile, f *protogen.Field, prefix, v string) (string, error) {
	call := func(name string) (string, error) {
		return fmt.Sprintf("%s(%s, %s)", rt(g, name), prefix, v), nil
	}
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		return call("AppendString")
	case protoreflect.BytesKind:
		return call("AppendBytes")
	case protoreflect.BoolKind:
		return call("AppendBool")
	case protoreflect.DoubleKind:
		return call("AppendDouble")
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return call("AppendInt")
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return call("AppendUint")
	case protoreflect.EnumKind:
		return fmt.Sprintf("%s(%s, %s, %s)", rt(g, "AppendEnum"), prefix, v, enumTable(g, f.Enum, "_name")), nil
	case protoreflect.MessageKind:
		if f.Message.Desc.FullName() == durationType {
			return call("AppendDuration")
		}
		return fmt.Sprintf("%s.AppendMesosJSON(%s)", v, prefix), nil
	}
	return "", fmt.Errorf("field %s: kind %s is not known", f.Desc.Name(), f.Desc.Kind())
}
