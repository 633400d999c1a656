package mesosjson

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD: what a framework
// put into a label must not make the whole answer unreadable.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\uFFFD"...)
			i++
			start = i
			continue
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// AppendDouble appends v as Mesos writes doubles: the shortest digits that read back as v, always
// with a point or an exponent ("4.0", "0.1", "1e-7"), so that a reader never takes it for an integer.
// Infinities and NaN are written by name, as Mesos does.
func AppendDouble(b []byte, v float64) []byte {
	abs := math.Abs(v)
	switch {
	case abs < 1e15 && v == math.Trunc(v):
		if v == 0 && math.Signbit(v) {
			b = append(b, '-')
		}
		b = strconv.AppendInt(b, int64(v), 10)
		return append(b, '.', '0')
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 1):
		return append(b, "Infinity"...)
	case math.IsInf(v, -1):
		return append(b, "-Infinity"...)
	case abs >= 1e21 || abs < 1e-6:
		return appendExponent(b, v)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	for _, c := range b[start:] {
		if c == '.' {
			return b
		}
	}
	return append(b, '.', '0')
}

// appendExponent writes "1.5e-7": strconv's form without the plus sign and the exponent's zero.
func appendExponent(b []byte, v float64) []byte {
	var scratch [32]byte
	s := strconv.AppendFloat(scratch[:0], v, 'e', -1, 64)
	for i := 0; i < len(s); i++ {
		b = append(b, s[i])
		if s[i] != 'e' {
			continue
		}
		i++
		if s[i] == '-' {
			b = append(b, '-')
		}
		i++
		for i < len(s)-1 && s[i] == '0' {
			i++
		}
		return append(b, s[i:]...)
	}
	return b
}

// AppendBytes appends v in standard base64.
func AppendBytes(b, v []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

// AppendInt appends v as a JSON number.
func AppendInt[T ~int32 | ~int64](b []byte, v T) []byte { return strconv.AppendInt(b, int64(v), 10) }

// AppendUint appends v as a JSON number.
func AppendUint[T ~uint32 | ~uint64](b []byte, v T) []byte {
	return strconv.AppendUint(b, uint64(v), 10)
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// AppendEnum appends the name of v, or its number if names has none for it.
func AppendEnum[T ~int32](b []byte, v T, names map[int32]string) []byte {
	if name, ok := names[int32(v)]; ok {
		b = append(b, '"')
		b = append(b, name...)
		return append(b, '"')
	}
	return strconv.AppendInt(b, int64(v), 10)
}

// CloseObject ends an object whose fields were appended from start on, each with a comma before it:
// the first comma becomes the opening brace. It spares the generated code a branch per field.
func CloseObject(b []byte, start int) []byte {
	if len(b) == start {
		return append(b, '{', '}')
	}
	b[start] = '{'
	return append(b, '}')
}

// CloseList is CloseObject for lists.
func CloseList(b []byte, start int) []byte {
	if len(b) == start {
		return append(b, '[', ']')
	}
	b[start] = '['
	return append(b, ']')
}
