package testbed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Object is a JSON object to send.
type Object = map[string]any

// List is a JSON array to send.
type List = []any

// Value is JSON that was received. Its numbers are as written, so that 1 and 1.0
// can be told apart.
type Value struct{ v any }

// Parse reads JSON.
func Parse(data []byte) (Value, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return Value{}, fmt.Errorf("reading JSON: %w", err)
	}
	if decoder.More() {
		return Value{}, fmt.Errorf("reading JSON: more than one value")
	}
	return Value{v}, nil
}

// MustParse is Parse for what the test itself has made.
func MustParse(t testing.TB, data []byte) Value {
	t.Helper()
	v, err := Parse(data)
	if err != nil {
		t.Fatalf("%v in\n%.2000s", err, data)
	}
	return v
}

// At follows a path: names of members, and indices of elements. What isn't there
// is an absent Value.
func (v Value) At(path ...any) Value {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.v.(map[string]any)
			v = Value{object[step]}
		case int:
			list, _ := v.v.([]any)
			if step >= len(list) {
				return Value{}
			}
			v = Value{list[step]}
		default:
			panic(fmt.Sprintf("step %v of a path is neither name nor index", step))
		}
	}
	return v
}

// Exists says whether there is something other than null.
func (v Value) Exists() bool { return v.v != nil }

// Text is a string, or a number as it was written; "" for everything else.
func (v Value) Text() string {
	switch v := v.v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// Number is a number, 0 for everything else.
func (v Value) Number() float64 {
	number, _ := v.v.(json.Number)
	f, _ := number.Float64()
	return f
}

// True says whether it is true.
func (v Value) True() bool { return v.v == true }

// List returns the elements of an array.
func (v Value) List() []Value {
	list, _ := v.v.([]any)
	out := make([]Value, len(list))
	for i, e := range list {
		out[i] = Value{e}
	}
	return out
}

// Members returns the members of an object.
func (v Value) Members() map[string]Value {
	object, _ := v.v.(map[string]any)
	out := make(map[string]Value, len(object))
	for name, member := range object {
		out[name] = Value{member}
	}
	return out
}

// Find returns the first element of an array whose member at path is text.
func (v Value) Find(text string, path ...any) Value {
	for _, e := range v.List() {
		if e.At(path...).Text() == text {
			return e
		}
	}
	return Value{}
}

// Raw is what encoding/json makes of it, to send it back.
func (v Value) Raw() any { return v.v }

// String is the JSON.
func (v Value) String() string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v.v) // it was read from JSON
	return strings.TrimSpace(out.String())
}

// Kind is the JSON type: object, array, string, integer, double, bool or null.
func (v Value) Kind() string {
	switch v := v.v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "bool"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "double"
		}
		return "integer"
	}
	return "null"
}
