package mesosjson

import (
	"fmt"
	"strings"
)

// MaxDepth bounds how deep objects and lists may nest in what is read. The deepest real message, a
// task group with volumes from a registry, stays under twenty; nested container IDs add one a level.
const MaxDepth = 64

// SyntaxError tells where and why a document could not be read.
type SyntaxError struct {
	// Field is the path of the field that was being read, such as "subscribe.framework_info.name";
	// empty at the top.
	Field string
	// Offset is the position in bytes from the start of the document.
	Offset int
	// Reason is what is wrong, in words.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("invalid JSON at byte %d, field '%s': %s", e.Offset, e.Field, e.Reason)
}

// Lexer reads one JSON document token by token. The first error sticks: every later call is a no-op
// that returns the zero value, so generated code checks once, at the end of an object.
// A Lexer does not keep or change the document; strings it returns are copies.
type Lexer struct {
	data  []byte
	pos   int
	depth int
	// keys holds, per open object, where the key that is being read stands; only errors look at it.
	keys    [MaxDepth]span
	open    int // objects open, an index into keys
	scratch []byte
	err     error
}

type span struct{ from, to int }

// NewLexer returns a Lexer at the start of data.
func NewLexer(data []byte) *Lexer { return &Lexer{data: data} }

// Err returns the first error, or nil.
func (l *Lexer) Err() error { return l.err }

// End returns the first error, or one if anything but white space is left.
func (l *Lexer) End() error {
	if l.err == nil {
		if l.peek(); l.err == nil && l.pos < len(l.data) {
			l.fail("text after the end of the document")
		}
	}
	return l.err
}

func (l *Lexer) fail(format string, args ...any) {
	if l.err != nil {
		return
	}
	var path strings.Builder
	for i := range l.open {
		if k := l.keys[i]; k.to > k.from {
			if path.Len() > 0 {
				path.WriteByte('.')
			}
			path.Write(l.data[k.from:min(k.to, k.from+128)])
		}
	}
	l.err = &SyntaxError{Field: path.String(), Offset: l.pos, Reason: fmt.Sprintf(format, args...)}
}

// peek skips white space and returns the next byte, 0 at the end.
func (l *Lexer) peek() byte {
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; c {
		case ' ', '\t', '\r', '\n':
			l.pos++
		default:
			return c
		}
	}
	return 0
}

// found names the next token for an error.
func (l *Lexer) found() string {
	switch c := l.peek(); {
	case c == 0 && l.pos >= len(l.data):
		return "the end of the document"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a string"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	default:
		return fmt.Sprintf("%q", c)
	}
}

func (l *Lexer) expect(what string) { l.fail("expected %s, found %s", what, l.found()) }

func (l *Lexer) enter() bool {
	if l.depth == MaxDepth {
		l.fail("nested deeper than %d levels", MaxDepth)
		return false
	}
	l.depth++
	l.pos++
	return true
}

// Null consumes a null, if that is what comes next, and says whether it did.
func (l *Lexer) Null() bool {
	if l.err != nil || l.peek() != 'n' {
		return false
	}
	return l.literal("null")
}

func (l *Lexer) literal(word string) bool {
	if len(l.data)-l.pos < len(word) || string(l.data[l.pos:l.pos+len(word)]) != word {
		l.fail("unknown word, expected %s", word)
		return false
	}
	l.pos += len(word)
	return true
}

// Object iterates over the members of an object:
//
//	o := l.Object()
//	for o.Next(l) {
//		switch string(o.Key) { … read or l.Skip() … }
//	}
//	return l.Err()
type Object struct {
	// Key is the member's name, valid until the next call of the Lexer.
	Key   []byte
	begun bool
}

// Object enters an object. Anything else is an error.
func (l *Lexer) Object() Object {
	if l.err != nil {
		return Object{}
	}
	if l.peek() != '{' {
		l.expect("an object")
		return Object{}
	}
	if l.enter() {
		l.keys[l.open] = span{}
		l.open++
	}
	return Object{}
}

// Next reads the next member's name; false at the end of the object or after an error.
func (o *Object) Next(l *Lexer) bool {
	if l.err != nil {
		return false
	}
	l.keys[l.open-1] = span{}
	c := l.peek()
	if c == '}' {
		l.pos++
		l.open--
		l.depth--
		return false
	}
	if o.begun {
		if c != ',' {
			l.expect("',' or '}'")
			return false
		}
		l.pos++
		c = l.peek()
	}
	o.begun = true
	if c != '"' {
		l.expect("a member's name")
		return false
	}
	from := l.pos + 1
	key, ok := l.stringBytes()
	if !ok {
		return false
	}
	l.keys[l.open-1] = span{from, l.pos - 1}
	if l.peek() != ':' {
		l.expect("':'")
		return false
	}
	l.pos++
	o.Key = key
	return true
}

// List iterates over the elements of a list. A value that is not a list is read as a list of one,
// and null elements are passed over.
type List struct{ begun, single bool }

// List enters a list.
func (l *Lexer) List() List {
	if l.err == nil && l.peek() != '[' {
		return List{single: true}
	}
	if l.err == nil {
		l.enter()
	}
	return List{}
}

// Next advances to the next element; false at the end of the list or after an error.
func (e *List) Next(l *Lexer) bool {
	if e.single {
		first := !e.begun
		e.begun = true
		return first && l.err == nil && !l.Null()
	}
	for l.err == nil {
		c := l.peek()
		if c == ']' {
			l.pos++
			l.depth--
			return false
		}
		if e.begun {
			if c != ',' {
				l.expect("',' or ']'")
				return false
			}
			l.pos++
			if l.peek() == ']' {
				l.expect("a value")
				return false
			}
		}
		e.begun = true
		if !l.Null() {
			return l.err == nil
		}
	}
	return false
}

// Skip passes over one value of any kind.
func (l *Lexer) Skip() {
	if l.err != nil {
		return
	}
	switch l.peek() {
	case '{':
		for o := l.Object(); o.Next(l); {
			l.Skip()
		}
	case '[':
		for e := l.List(); e.Next(l); {
			l.Skip()
		}
	case '"':
		l.stringBytes()
	case 't':
		l.literal("true")
	case 'f':
		l.literal("false")
	case 'n':
		l.literal("null")
	default:
		l.numberBytes()
	}
}
