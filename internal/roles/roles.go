// Package roles knows the names of Mesos roles: which are valid, and how "a/b" relates to "a".
//
// It holds no state. Anyone may use it.
package roles

import (
	"errors"
	"fmt"
	"iter"
	"strings"
)

// Default is the role of resources and frameworks that name none.
const Default = "*"

// ErrInvalid is wrapped by every error of Validate.
var ErrInvalid = errors.New("invalid role")

// notAllowed are whitespace and delete, as in Mesos's roles documentation.
const notAllowed = "\t\n\v\f\r \x7f"

// Validate reports why a name can't be a role; "*" can.
func Validate(role string) error {
	switch {
	case role == Default:
		return nil
	case role == "":
		return fmt.Errorf("%w: the name is empty", ErrInvalid)
	case strings.HasPrefix(role, "/"):
		return fmt.Errorf("%w '%s': it starts with a slash", ErrInvalid, role)
	case strings.HasSuffix(role, "/"):
		return fmt.Errorf("%w '%s': it ends with a slash", ErrInvalid, role)
	}
	for component := range strings.SplitSeq(role, "/") {
		if err := validateComponent(component); err != nil {
			return fmt.Errorf("%w '%s': %w", ErrInvalid, role, err)
		}
	}
	return nil
}

// Parse reads a list of roles, separated by commas. Empty entries don't count.
func Parse(list string) ([]string, error) {
	parsed := []string{}
	for role := range strings.SplitSeq(list, ",") {
		if role == "" {
			continue
		}
		if err := Validate(role); err != nil {
			return nil, err
		}
		parsed = append(parsed, role)
	}
	return parsed, nil
}

func validateComponent(c string) error {
	switch {
	case c == "":
		return errors.New("it has two slashes in a row")
	case c == "." || c == ".." || c == Default:
		return fmt.Errorf("'%s' can't be a component", c)
	case c[0] == '-':
		return fmt.Errorf("component '%s' starts with a dash", c)
	case strings.ContainsAny(c, notAllowed):
		return fmt.Errorf("component %q has whitespace or a delete character", c)
	}
	return nil
}

// IsStrictSubrole reports whether role lies below ancestor: "a/b" below "a".
func IsStrictSubrole(role, ancestor string) bool {
	return len(role) > len(ancestor) && role[len(ancestor)] == '/' && strings.HasPrefix(role, ancestor)
}

// InSubtree reports whether role is root or lies below it.
func InSubtree(role, root string) bool { return role == root || IsStrictSubrole(role, root) }

// Ancestors yields the roles above role, the nearest first: "a/b" and "a" for "a/b/c".
func Ancestors(role string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			i := strings.LastIndexByte(role, '/')
			if i < 0 {
				return
			}
			role = role[:i]
			if !yield(role) {
				return
			}
		}
	}
}
