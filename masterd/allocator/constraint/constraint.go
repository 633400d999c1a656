// Package constraint evaluates offer constraints: what a framework says about the attributes of the
// agents that it wants offers of.
//
// It is pure and holds no state but the compiled constraints. The master compiles them when a
// framework subscribes, to refuse bad ones, and the allocator evaluates them.
package constraint

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"

	mesos "github.com/mesos-operator/mesos-operator/api/mesos/v1"
	"github.com/mesos-operator/mesos-operator/api/mesos/v1/scheduler"
)

// ErrInvalid is wrapped by every error of Compile.
var ErrInvalid = errors.New("invalid offer constraints")

// Limits bound the regular expressions of frameworks.
type Limits struct {
	// MaxMemory is that of a compiled expression in bytes, as estimated from its size. Default 4096
	// (--offer_constraints_re2_max_mem).
	MaxMemory int
	// MaxProgramSize is the largest number of instructions of a compiled expression. Default 100
	// (--offer_constraints_re2_max_program_size).
	MaxProgramSize int
}

// DefaultLimits are the defaults of the master's flags.
var DefaultLimits = Limits{MaxMemory: 4096, MaxProgramSize: 100}

// instructionSize is how much of the memory limit RE2 reckons per instruction: 16 bytes, of two
// thirds of the budget.
const instructionSize = 24

// Set is the compiled constraints of a framework, per role. It is immutable; nil excludes nothing.
type Set struct {
	roles map[string][]group
}

// group is a conjunction; the groups of a role are alternatives.
type group []condition

type condition struct {
	selector *scheduler.AttributeConstraint_Selector
	accepts  func(value) bool
}

// value is what a selector found on an agent.
type value struct {
	exists bool
	// text is set when the value is text; other types pass every comparison of texts.
	text   string
	isText bool
}

// Compile checks and prepares the constraints. Nil gives a nil Set.
func Compile(c *scheduler.OfferConstraints, limits Limits) (*Set, error) {
	if len(c.GetRoleConstraints()) == 0 {
		return nil, nil
	}
	s := &Set{roles: map[string][]group{}}
	for role, rc := range c.GetRoleConstraints() {
		if len(rc.GetGroups()) == 0 {
			return nil, fmt.Errorf("%w: role '%s' has no groups", ErrInvalid, role)
		}
		for _, g := range rc.GetGroups() {
			compiled, err := compileGroup(g, limits)
			if err != nil {
				return nil, fmt.Errorf("%w: role '%s': %w", ErrInvalid, role, err)
			}
			s.roles[role] = append(s.roles[role], compiled)
		}
	}
	return s, nil
}

// Excludes reports whether the role must not get offers of the agent.
func (s *Set) Excludes(role string, agent *mesos.AgentInfo) bool {
	if s == nil {
		return false
	}
	groups, constrained := s.roles[role]
	return constrained && !slices.ContainsFunc(groups, func(g group) bool { return g.accepts(agent) })
}

func (g group) accepts(agent *mesos.AgentInfo) bool {
	for _, c := range g {
		if !c.accepts(find(c.selector, agent)) {
			return false
		}
	}
	return true
}

func compileGroup(g *scheduler.OfferConstraints_RoleConstraints_Group, limits Limits) (group, error) {
	if len(g.GetAttributeConstraints()) == 0 {
		return nil, errors.New("a group has no constraints")
	}
	var out group
	for _, c := range g.GetAttributeConstraints() {
		if err := checkSelector(c.GetSelector()); err != nil {
			return nil, err
		}
		accepts, err := compilePredicate(c.GetPredicate(), limits)
		if err != nil {
			return nil, err
		}
		out = append(out, condition{selector: c.GetSelector(), accepts: accepts})
	}
	return out, nil
}

func checkSelector(s *scheduler.AttributeConstraint_Selector) error {
	switch x := s.GetSelector().(type) {
	case *scheduler.AttributeConstraint_Selector_AttributeName:
		return nil
	case *scheduler.AttributeConstraint_Selector_PseudoattributeType_:
		if x.PseudoattributeType == scheduler.AttributeConstraint_Selector_UNKNOWN {
			return errors.New("the pseudoattribute is unknown")
		}
		return nil
	}
	return errors.New("a selector needs attribute_name or pseudoattribute_type")
}

func compilePredicate(p *scheduler.AttributeConstraint_Predicate, limits Limits) (func(value) bool, error) {
	switch x := p.GetPredicate().(type) {
	case *scheduler.AttributeConstraint_Predicate_Exists_:
		return func(v value) bool { return v.exists }, nil
	case *scheduler.AttributeConstraint_Predicate_NotExists_:
		return func(v value) bool { return !v.exists }, nil
	case *scheduler.AttributeConstraint_Predicate_TextEquals_:
		want := x.TextEquals.GetValue()
		return positive(func(s string) bool { return s == want }), nil
	case *scheduler.AttributeConstraint_Predicate_TextNotEquals_:
		want := x.TextNotEquals.GetValue()
		return negative(func(s string) bool { return s == want }), nil
	case *scheduler.AttributeConstraint_Predicate_TextMatches_:
		re, err := compileRegexp(x.TextMatches.GetRegex(), limits)
		return positive(re.MatchString), err
	case *scheduler.AttributeConstraint_Predicate_TextNotMatches_:
		re, err := compileRegexp(x.TextNotMatches.GetRegex(), limits)
		return negative(re.MatchString), err
	}
	return nil, errors.New("the predicate is unknown")
}

// positive needs a value; one that is no text passes.
func positive(test func(string) bool) func(value) bool {
	return func(v value) bool { return v.exists && (!v.isText || test(v.text)) }
}

// negative passes without a value, and with one that is no text.
func negative(test func(string) bool) func(value) bool {
	return func(v value) bool { return !v.exists || !v.isText || !test(v.text) }
}

// compileRegexp prepares an expression that must match the whole text.
func compileRegexp(text string, limits Limits) (*regexp.Regexp, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("regular expression: %w", err)
	}
	if n := len(program.Inst); n > limits.MaxProgramSize || n*instructionSize > limits.MaxMemory {
		return nil, fmt.Errorf("regular expression '%s' is too complex: it has %d instructions", text, n)
	}
	return regexp.Compile(`\A(?:` + text + `)\z`)
}

func find(s *scheduler.AttributeConstraint_Selector, agent *mesos.AgentInfo) value {
	if x, ok := s.GetSelector().(*scheduler.AttributeConstraint_Selector_AttributeName); ok {
		return findAttribute(x.AttributeName, agent)
	}
	domain := agent.GetDomain().GetFaultDomain()
	switch s.GetPseudoattributeType() {
	case scheduler.AttributeConstraint_Selector_HOSTNAME:
		return value{exists: true, isText: true, text: agent.GetHostname()}
	case scheduler.AttributeConstraint_Selector_REGION:
		return value{exists: domain != nil, isText: true, text: domain.GetRegion().GetName()}
	case scheduler.AttributeConstraint_Selector_ZONE:
		return value{exists: domain != nil, isText: true, text: domain.GetZone().GetName()}
	}
	return value{}
}

// findAttribute takes the first of that name, as Mesos does.
func findAttribute(name string, agent *mesos.AgentInfo) value {
	for _, a := range agent.GetAttributes() {
		if a.GetName() == name {
			return value{exists: true, isText: a.GetType() == mesos.Value_TEXT, text: a.GetText().GetValue()}
		}
	}
	return value{}
}
