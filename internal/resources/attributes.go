package resources

import (
	"fmt"
	"strings"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
)

// ParseAttributes reads the value of an agent's --attributes, "rack:abc;level:10;keys:[1000-1500]".
// Values are ranges, numbers or text; spaces in them are dropped, as Mesos does.
func ParseAttributes(text string) ([]*mesos.Attribute, error) {
	var out []*mesos.Attribute
	for token := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ';' || c == '\n' }) {
		a, err := parseAttribute(token)
		if err != nil {
			return nil, fmt.Errorf("parsing attribute '%s': %w", strings.TrimSpace(token), err)
		}
		out = append(out, a)
	}
	return out, nil
}

func parseAttribute(token string) (*mesos.Attribute, error) {
	name, value, found := strings.Cut(token, ":")
	name = strings.TrimSpace(name)
	if !found || name == "" {
		return nil, fmt.Errorf("%w: want name:value", ErrSyntax)
	}
	v, err := parseValue(value)
	if err != nil {
		return nil, err
	}
	if v.GetType() == mesos.Value_SET {
		return nil, fmt.Errorf("%w: an attribute can't be a set", ErrSyntax)
	}
	return &mesos.Attribute{Name: &name, Type: v.Type, Scalar: v.Scalar, Ranges: v.Ranges, Text: v.Text}, nil
}

// EqualAttributes reports whether both lists hold the same attributes, in whatever order.
func EqualAttributes(a, b []*mesos.Attribute) bool {
	return containsAttributes(a, b) && containsAttributes(b, a)
}

func containsAttributes(a, b []*mesos.Attribute) bool {
	have := map[string]bool{}
	for _, x := range a {
		have[attributeKey(x)] = true
	}
	for _, x := range b {
		if !have[attributeKey(x)] {
			return false
		}
	}
	return true
}

func attributeKey(a *mesos.Attribute) string {
	b := appendText(nil, a.GetName())
	b = append(b, byte(a.GetType()))
	switch a.GetType() {
	case mesos.Value_SCALAR:
		b = ScalarOf(a.GetScalar().GetValue()).append(b)
	case mesos.Value_RANGES:
		b = RangesFromProto(a.GetRanges()).append(b)
	case mesos.Value_SET:
		b = SetOf(a.GetSet().GetItem()...).append(b)
	default:
		b = append(b, a.GetText().GetValue()...)
	}
	return string(b)
}
