package libprocess

import (
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// appendEscaped appends a process ID as the first segment of a path. Mesos
// writes the ID as it is, and its own IDs need nothing else; what would change
// the meaning of the request line is percent-encoded, which receivers decode.
func appendEscaped(dst []byte, id string) []byte {
	for i := range len(id) {
		if c := id[i]; isPathSafe(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func isPathSafe(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-_.~!$'()*,;:@=", c) >= 0
}

// unescape decodes a segment as libprocess does: '+' is a space.
func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, "%+") {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", fmt.Errorf("%w: escape in %q is cut off", ErrBadMessage, s)
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return "", fmt.Errorf("%w: %q is not an escape", ErrBadMessage, s[i:i+3])
			}
			out = append(out, byte(hi<<4|lo))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
