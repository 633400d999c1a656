package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// hasEnums says whether a message has enums, in itself or in what it holds: only these get the method.
func hasEnums(m *protogen.Message, seen map[protoreflect.FullName]bool) bool {
	if seen[m.Desc.FullName()] {
		return false
	}
	seen[m.Desc.FullName()] = true
	return slices.ContainsFunc(m.Fields, func(f *protogen.Field) bool {
		return f.Enum != nil || f.Message != nil && hasEnums(f.Message, seen)
	})
}

func enumsMethod(g *protogen.GeneratedFile, m *protogen.Message) error {
	if !hasEnums(m, map[protoreflect.FullName]bool{}) {
		return nil
	}
	g.P()
	g.P("// DropUnknownEnums implements mesosjson.EnumDropper.")
	g.P("func (x *", m.GoIdent, ") DropUnknownEnums() {")
	g.P("if x == nil { return }")
	done := map[*protogen.Oneof]bool{}
	for _, f := range m.Fields {
		if f.Enum == nil && (f.Message == nil || !hasEnums(f.Message, map[protoreflect.FullName]bool{})) {
			continue
		}
		if f.Oneof == nil {
			if err := dropIn(g, f); err != nil {
				return err
			}
			continue
		}
		if !done[f.Oneof] {
			done[f.Oneof] = true
			dropInOneof(g, f.Oneof)
		}
	}
	g.P("}")
	return nil
}

func dropIn(g *protogen.GeneratedFile, f *protogen.Field) error {
	name := "x." + f.GoName
	switch {
	case f.Desc.IsMap() && f.Message.Fields[1].Enum != nil:
		return fmt.Errorf("field %s: maps of enums are not known", f.Desc.Name())
	case f.Enum != nil && f.Desc.IsList():
		g.P(name, " = ", g.QualifiedGoIdent(protogen.GoImportPath("slices").Ident("DeleteFunc")),
			"(", name, ", func(v ", f.Enum.GoIdent, ") bool {")
		g.P("switch v {")
		g.P("case ", numbers(f.Enum), ": return false")
		g.P("}")
		g.P(rt(g, "KeepUnknownEnum"), "(x, ", f.Desc.Number(), ", int32(v))")
		g.P("return true")
		g.P("})")
	case f.Enum != nil:
		g.P("if ", name, " != nil {")
		g.P("switch *", name, " {")
		g.P("case ", numbers(f.Enum), ":")
		g.P("default:")
		g.P(rt(g, "KeepUnknownEnum"), "(x, ", f.Desc.Number(), ", int32(*", name, "))")
		g.P(name, " = nil")
		g.P("}")
		g.P("}")
	case f.Desc.IsList(), f.Desc.IsMap():
		g.P("for _, v := range ", name, " { v.DropUnknownEnums() }")
	default:
		g.P(name, ".DropUnknownEnums()")
	}
	return nil
}

func dropInOneof(g *protogen.GeneratedFile, o *protogen.Oneof) {
	g.P("switch v := x.", o.GoName, ".(type) {")
	for _, f := range o.Fields {
		switch {
		case f.Enum != nil:
			g.P("case *", f.GoIdent, ":")
			g.P("switch v.", f.GoName, " {")
			g.P("case ", numbers(f.Enum), ":")
			g.P("default:")
			g.P(rt(g, "KeepUnknownEnum"), "(x, ", f.Desc.Number(), ", int32(v.", f.GoName, "))")
			g.P("x.", o.GoName, " = nil")
			g.P("}")
		case f.Message != nil && hasEnums(f.Message, map[protoreflect.FullName]bool{}):
			g.P("case *", f.GoIdent, ": v.", f.GoName, ".DropUnknownEnums()")
		}
	}
	g.P("}")
}

// numbers are the known values of an enum, each once.
func numbers(e *protogen.Enum) string {
	var list []int
	for _, v := range e.Values {
		list = append(list, int(v.Desc.Number()))
	}
	slices.Sort(list)
	var text []string
	for _, n := range slices.Compact(list) {
		text = append(text, strconv.Itoa(n))
	}
	return strings.Join(text, ", ")
}
