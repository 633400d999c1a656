package mesosjson

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// stringBytes reads a string. Without escapes the result is a part of the document, else scratch.
func (l *Lexer) stringBytes() ([]byte, bool) {
	if l.err != nil {
		return nil, false
	}
	if l.peek() != '"' {
		l.expect("a string")
		return nil, false
	}
	l.pos++
	start := l.pos
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case c == '"':
			s := l.data[start:l.pos]
			l.pos++
			return s, true
		case c == '\\':
			return l.escaped(start)
		case c < 0x20:
			l.fail("control character %#02x in a string", c)
			return nil, false
		}
		l.pos++
	}
	l.fail("a string without an end")
	return nil, false
}

// escaped goes on with a string at its first backslash.
func (l *Lexer) escaped(start int) ([]byte, bool) {
	out := append(l.scratch[:0], l.data[start:l.pos]...)
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		switch {
		case c == '"':
			l.scratch = out
			return out, true
		case c < 0x20:
			l.fail("control character %#02x in a string", c)
			return nil, false
		case c != '\\':
			out = append(out, c)
			continue
		}
		r, ok := l.escape()
		if !ok {
			return nil, false
		}
		out = utf8.AppendRune(out, r)
	}
	l.fail("a string without an end")
	return nil, false
}

// escape reads what follows a backslash. Half of a surrogate pair becomes U+FFFD.
func (l *Lexer) escape() (rune, bool) {
	if l.pos >= len(l.data) {
		l.fail("a string without an end")
		return 0, false
	}
	c := l.data[l.pos]
	l.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		r, ok := l.hex4()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		if l.pos+1 < len(l.data) && l.data[l.pos] == '\\' && l.data[l.pos+1] == 'u' {
			mark := l.pos
			l.pos += 2
			low, ok := l.hex4()
			if !ok {
				return 0, false
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, true
			}
			l.pos = mark
		}
		return utf8.RuneError, true
	}
	l.fail("unknown escape '\\%c'", c)
	return 0, false
}

func (l *Lexer) hex4() (rune, bool) {
	if len(l.data)-l.pos < 4 {
		l.fail("a \\u escape takes four digits")
		return 0, false
	}
	var r rune
	for _, c := range l.data[l.pos : l.pos+4] {
		r <<= 4
		switch {
		case c >= '0' && c <= '9':
			r |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			r |= rune(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			r |= rune(c - 'A' + 10)
		default:
			l.fail("a \\u escape takes four hexadecimal digits")
			return 0, false
		}
	}
	l.pos += 4
	return r, true
}

// numberBytes reads the text of a number by JSON's grammar.
func (l *Lexer) numberBytes() []byte {
	l.peek()
	rest := l.data[l.pos:]
	n := numberLength(rest)
	if n == 0 {
		l.expect("a value")
		return nil
	}
	l.pos += n
	return rest[:n]
}

// numberLength returns how many bytes of s are a JSON number, 0 if it does not start with one.
func numberLength(s []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	if i < len(s) && s[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// number reads a number, or a string that holds nothing but one.
func (l *Lexer) number() []byte {
	if l.err != nil {
		return nil
	}
	switch c := l.peek(); {
	case c == '"':
		s, ok := l.stringBytes()
		s = bytes.Trim(s, blanks) // as around any document
		if ok && (len(s) == 0 || numberLength(s) != len(s)) {
			l.fail("expected a number, found the string %q", clip(s))
			return nil
		}
		return s
	case c == '-' || c >= '0' && c <= '9':
		return l.numberBytes()
	}
	l.expect("a number")
	return nil
}

// blanks are JSON's white space.
const blanks = " \t\r\n"

func clip(s []byte) []byte { return s[:min(len(s), 64)] }

// String reads a string.
func (l *Lexer) String() string {
	s, _ := l.stringBytes()
	return string(s)
}

// Bytes reads a string of standard base64. As in Mesos, padding may be missing and white space
// in it doesn't count.
func (l *Lexer) Bytes() []byte {
	s, ok := l.stringBytes()
	if !ok {
		return nil
	}
	out, err := base64.StdEncoding.AppendDecode([]byte{}, s)
	if err != nil {
		out, err = decodeLeniently(s)
	}
	if err != nil {
		l.fail("not base64: %v", err)
	}
	return out
}

// decodeLeniently decodes up to the first sign of padding. A last character that has no second
// one holds no byte.
func decodeLeniently(s []byte) ([]byte, error) {
	s, _, _ = bytes.Cut(s, []byte("="))
	letters := make([]byte, 0, len(s))
	for _, c := range s {
		if !strings.ContainsRune(" \t\n\v\f\r", rune(c)) {
			letters = append(letters, c)
		}
	}
	if alone := len(letters) - 1; alone%4 == 0 && isBase64(letters[alone]) {
		letters = letters[:alone]
	}
	return base64.RawStdEncoding.AppendDecode([]byte{}, letters)
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// Bool reads a boolean, or one in a string.
func (l *Lexer) Bool() bool {
	if l.err != nil {
		return false
	}
	switch l.peek() {
	case 't':
		return l.literal("true")
	case 'f':
		l.literal("false")
		return false
	case '"':
		s, _ := l.stringBytes()
		switch string(bytes.Trim(s, blanks)) {
		case "true":
			return true
		case "false":
			return false
		}
		l.fail("expected a boolean, found the string %q", clip(s))
		return false
	}
	l.expect("a boolean")
	return false
}

// Double reads a number; the strings "Infinity" and "-Infinity" are numbers here.
func (l *Lexer) Double() float64 {
	if l.err == nil && l.peek() == '"' {
		rest := l.data[l.pos:]
		for _, inf := range []struct {
			text string
			sign int
		}{{`"Infinity"`, 1}, {`"-Infinity"`, -1}} {
			if len(rest) >= len(inf.text) && string(rest[:len(inf.text)]) == inf.text {
				l.pos += len(inf.text)
				return math.Inf(inf.sign)
			}
		}
	}
	s := l.number()
	if l.err != nil {
		return 0
	}
	v, err := strconv.ParseFloat(string(s), 64)
	if err != nil {
		l.fail("the number %s is out of range", clip(s))
	}
	return v
}

// Int64 reads a number; a fraction is cut off, as Mesos does.
func (l *Lexer) Int64() int64 { return l.signed(64) }

// Int32 reads a number that fits 32 bits.
func (l *Lexer) Int32() int32 { return int32(l.signed(32)) }

// Uint64 reads a number that is not negative.
func (l *Lexer) Uint64() uint64 { return l.unsigned(64) }

// Uint32 reads a number that is not negative and fits 32 bits.
func (l *Lexer) Uint32() uint32 { return uint32(l.unsigned(32)) }

func (l *Lexer) signed(bits int) int64 {
	s := l.number()
	if l.err != nil {
		return 0
	}
	if v, err := strconv.ParseInt(string(s), 10, bits); err == nil {
		return v
	}
	limit := math.Ldexp(1, bits-1)
	if f, err := strconv.ParseFloat(string(s), 64); err == nil && f >= -limit && f < limit {
		return int64(f)
	}
	l.fail("the number %s does not fit %d bits", clip(s), bits)
	return 0
}

func (l *Lexer) unsigned(bits int) uint64 {
	s := l.number()
	if l.err != nil {
		return 0
	}
	if v, err := strconv.ParseUint(string(s), 10, bits); err == nil {
		return v
	}
	if f, err := strconv.ParseFloat(string(s), 64); err == nil && f > -1 && f < math.Ldexp(1, bits) {
		return uint64(f)
	}
	l.fail("the number %s does not fit %d bits without a sign", clip(s), bits)
	return 0
}

// Enum reads the name of an enum's value. ok is false for a name that values does not have: optional
// fields then stay unset, see [Lexer.UnknownEnum] for required ones.
func Enum[T ~int32](l *Lexer, values map[string]int32) (v T, ok bool) {
	s, ok := l.stringBytes()
	if !ok {
		return 0, false
	}
	n, ok := values[string(s)]
	return T(n), ok
}

// UnknownEnum records that a required enum had a name that is not one of its values.
func (l *Lexer) UnknownEnum() { l.fail("unknown enum value") }
