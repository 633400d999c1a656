package resources

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mesos-operator/mesos-operator/api/mesos/mesosjson"
	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/internal/roles"
)

// ErrSyntax is wrapped by errors about text that can't be read as resources or attributes.
var ErrSyntax = errors.New("syntax error")

// Parse reads the value of an agent's --resources: either text,
// "cpus:4;mem:1024;ports:[31000-32000];cpus(web):1;set:{a,b}", or a JSON array of resources. What
// names no role is reserved for defaultRole, unless that is "*". Volumes, revocable resources and
// dynamic reservations can't be given this way, nor a name with two types.
func Parse(text, defaultRole string) (Resources, error) {
	rs, err := ParseProto(text, defaultRole)
	if err != nil {
		return Resources{}, err
	}
	r, err := New(rs)
	if err != nil {
		return Resources{}, err
	}
	return r, validateGiven(r)
}

// MustParse is Parse for text that is known to be good, such as in tests and tables. It panics.
func MustParse(text string) Resources {
	r, err := Parse(text, roles.Default)
	if err != nil {
		panic(err)
	}
	return r
}

// ParseProto reads the text as Parse does and checks no more than its form. Empty resources stay.
func ParseProto(text, defaultRole string) ([]*mesos.Resource, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		return parseJSON(text, defaultRole)
	}
	var out []*mesos.Resource
	for token := range strings.SplitSeq(text, ";") {
		if token == "" {
			continue
		}
		r, err := parseResource(token, defaultRole)
		if err != nil {
			return nil, fmt.Errorf("parsing resource '%s': %w", strings.TrimSpace(token), err)
		}
		out = append(out, r)
	}
	return out, nil
}

func parseJSON(text, defaultRole string) ([]*mesos.Resource, error) {
	var out []*mesos.Resource
	l := mesosjson.NewLexer([]byte(text))
	for list := l.List(); list.Next(l); {
		r := &mesos.Resource{}
		if err := r.UnmarshalMesosJSON(l); err != nil {
			return nil, fmt.Errorf("parsing JSON resources: %w: %w", ErrSyntax, err)
		}
		out = append(out, r)
	}
	if err := l.End(); err != nil {
		return nil, fmt.Errorf("parsing JSON resources: %w: %w", ErrSyntax, err)
	}
	for i, r := range out {
		if err := proto.CheckInitialized(r); err != nil {
			return nil, fmt.Errorf("parsing JSON resources: %w: entry %d: %w", ErrSyntax, i, err)
		}
		if r.Role == nil && len(r.Reservations) == 0 {
			r.Role = &defaultRole
		}
	}
	Upgrade(out)
	return out, nil
}

// parseResource reads "name:value" or "name(role):value".
func parseResource(token, defaultRole string) (*mesos.Resource, error) {
	key, text, found := strings.Cut(token, ":")
	if !found || strings.Contains(text, ":") {
		return nil, fmt.Errorf("%w: missing or extra ':'", ErrSyntax)
	}
	name, role, err := parseName(key, defaultRole)
	if err != nil {
		return nil, err
	}
	value, err := parseValue(text)
	if err != nil {
		return nil, err
	}
	r := &mesos.Resource{Name: &name, Type: value.Type, Scalar: value.Scalar, Ranges: value.Ranges, Set: value.Set}
	if value.GetType() == mesos.Value_TEXT {
		return nil, fmt.Errorf("%w: '%s' is neither a number nor ranges nor a set", ErrSyntax, value.GetText().GetValue())
	}
	if role != roles.Default {
		r.Reservations = []*mesos.Resource_ReservationInfo{
			{Role: &role, Type: mesos.Resource_ReservationInfo_STATIC.Enum()},
		}
	}
	return r, nil
}

func parseName(key, defaultRole string) (name, role string, err error) {
	name, rest, found := strings.Cut(key, "(")
	name = strings.TrimSpace(name)
	if !found {
		return name, defaultRole, nil
	}
	role, _, closed := strings.Cut(rest, ")")
	if !closed {
		return "", "", fmt.Errorf("%w: mismatched parentheses", ErrSyntax)
	}
	return name, strings.TrimSpace(role), nil
}

// parseValue reads ranges "[1-2,5-6]", a set "{a,b}", a number, or else text. Spaces don't count.
func parseValue(text string) (*mesos.Value, error) {
	text = strings.ReplaceAll(text, " ", "")
	switch {
	case text == "":
		return nil, fmt.Errorf("%w: the value is empty", ErrSyntax)
	case !bracketsMatch(text):
		return nil, fmt.Errorf("%w: '%s' has mismatched brackets", ErrSyntax, text)
	case text[0] == '[':
		return parseRanges(text)
	case text[0] == '{' && !strings.ContainsAny(text, "["):
		return parseSet(text)
	case strings.ContainsAny(text, "[]{}()"):
		return nil, fmt.Errorf("%w: '%s' has a bracket in the wrong place", ErrSyntax, text)
	}
	return parseScalarOrText(text)
}

// bracketsMatch says whether every bracket is closed, each kind for itself.
func bracketsMatch(text string) bool {
	for _, kind := range []string{"[]", "{}", "()"} {
		open := 0
		for i := range len(text) {
			switch text[i] {
			case kind[0]:
				open++
			case kind[1]:
				if open--; open < 0 {
					return false
				}
			}
		}
		if open != 0 {
			return false
		}
	}
	return true
}

// parseRanges reads ranges in brackets, of which there may be more inside, as Mesos has it.
func parseRanges(text string) (*mesos.Value, error) {
	var rs []Range
	for part := range listItems(text, "[]") {
		begin, end, found := strings.Cut(part, "-")
		b, errB := strconv.ParseUint(begin, 10, 64)
		e, errE := strconv.ParseUint(end, 10, 64)
		if !found || errB != nil || errE != nil {
			return nil, fmt.Errorf("%w: '%s' is not a range of non-negative integers, as 31000-32000", ErrSyntax, part)
		}
		if b > e {
			return nil, invalid("range begin > end in '%s'", part)
		}
		rs = append(rs, Range{b, e})
	}
	return &mesos.Value{Type: mesos.Value_RANGES.Enum(), Ranges: RangesOf(rs...).Proto()}, nil
}

func parseSet(text string) (*mesos.Value, error) {
	var items []string
	for part := range listItems(text, "{}") {
		items = append(items, part)
	}
	return &mesos.Value{Type: mesos.Value_SET.Enum(), Set: &mesos.Value_Set{Item: items}}, nil
}

// listItems yields what commas, line ends or brackets separate, without empty items.
func listItems(text, brackets string) func(func(string) bool) {
	return strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(",\n"+brackets, c) })
}

// smallest is the least positive number of full precision: Mesos refuses what is smaller.
const smallest = 0x1p-1022

func parseScalarOrText(text string) (*mesos.Value, error) {
	v, err := strconv.ParseFloat(text, 64)
	if abs := math.Abs(v); err == nil && abs > 0 && abs < smallest {
		return nil, fmt.Errorf("%w: %s is too small a number", ErrSyntax, text)
	}
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || v < 0 {
		return &mesos.Value{Type: mesos.Value_TEXT.Enum(), Text: &mesos.Value_Text{Value: &text}}, nil
	}
	return &mesos.Value{Type: mesos.Value_SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: &v}}, nil
}

// validateGiven checks what only programs may set, and that a name has one type.
func validateGiven(r Resources) error {
	types := map[string]mesos.Value_Type{}
	for it := range r.All() {
		switch t, seen := types[it.Name()]; {
		case it.IsPersistentVolume():
			return invalid("'%s': persistent volumes can't be given to an agent", it)
		case it.IsRevocable():
			return invalid("'%s': revocable resources can't be given to an agent", it)
		case it.IsDynamicallyReserved():
			return invalid("'%s': a reservation given to an agent must be STATIC", it)
		case seen && t != it.Type():
			return invalid("'%s': the same name has another type elsewhere", it)
		}
		types[it.Name()] = it.Type()
	}
	return nil
}

// ParseQuantities reads amounts, "cpus:1;mem:32;ports:1".
func ParseQuantities(text string) (Quantities, error) {
	var qs []Quantity
	for token := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(token) == "" {
			continue
		}
		name, amount, _ := strings.Cut(token, ":")
		v, err := parseValue(amount)
		if err != nil {
			return nil, fmt.Errorf("parsing quantity '%s': %w", token, err)
		}
		if name = strings.TrimSpace(name); name == "" || v.Scalar == nil || v.Scalar.GetValue() > MaxScalar.Float() {
			return nil, fmt.Errorf("parsing quantity '%s': %w: want name:number", token, ErrSyntax)
		}
		qs = append(qs, Quantity{name, ScalarOf(v.Scalar.GetValue())})
	}
	return QuantitiesOf(qs...), nil
}
