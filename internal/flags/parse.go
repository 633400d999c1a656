package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Prefix is that of the environment variables: MESOS_WORK_DIR is --work_dir.
const Prefix = "MESOS_"

// Parse reads the arguments of a command line, without the program's name, and
// the environment (in the form of os.Environ). It reports everything that is
// wrong at once. A flag that is unknown or given twice is an error; a variable
// that is no flag isn't, as tasks and tools have MESOS_ variables of their own.
func (s *Set) Parse(args, environ []string) error {
	var errs []error
	given, args := s.split(args)
	s.args = args
	for _, g := range given {
		errs = append(errs, s.load(g))
	}
	for _, variable := range environ {
		errs = append(errs, s.loadVariable(variable))
	}
	if s.help {
		return ErrHelp
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.check()
}

// argument is a flag as it stands on the command line.
type argument struct {
	name, value string
	hasValue    bool
}

// split separates flags from other arguments; "--" ends the flags.
func (s *Set) split(args []string) (given []argument, rest []string) {
	for i, arg := range args {
		text, isFlag := strings.CutPrefix(strings.TrimSpace(arg), "--")
		switch {
		case !isFlag:
			rest = append(rest, arg)
		case text == "":
			return given, append(rest, args[i+1:]...)
		default:
			name, value, hasValue := strings.Cut(text, "=")
			given = append(given, argument{strings.ToLower(name), value, hasValue})
		}
	}
	return given, rest
}

func (s *Set) load(a argument) error {
	f, negated := s.lookup(a.name), false
	if bare, ok := strings.CutPrefix(a.name, "no-"); ok && f == nil {
		f, negated = s.lookup(bare), true
		a.name = bare
	}
	switch {
	case f == nil:
		return s.unknown(a.name)
	case f.loaded != "":
		return f.errorf("given twice")
	case !f.boolean && negated:
		return f.errorf("takes a value, so it can't be --no-%s", a.name)
	case !f.boolean && !a.hasValue:
		return f.errorf("takes a value: write --%s=%s", a.name, f.value)
	case negated && a.value != "":
		return f.errorf("--no-%s takes no value", a.name)
	}
	f.loaded = a.name
	return f.assign(a.value, negated)
}

func (s *Set) loadVariable(variable string) error {
	name, value, _ := strings.Cut(variable, "=")
	bare, ok := strings.CutPrefix(name, Prefix)
	if !ok {
		return nil
	}
	bare = strings.ToLower(bare)
	f := s.lookup(bare)
	if f == nil || f.loaded != "" {
		return nil
	}
	f.loaded = bare
	if err := f.assign(value, false); err != nil {
		return fmt.Errorf("environment variable %s: %w", name, err)
	}
	return nil
}

// assign sets the value; for a switch no value means that it is on.
func (f *flag) assign(value string, negated bool) error {
	if f.boolean && value == "" {
		value = fmt.Sprint(!negated)
	}
	if path, ok := strings.CutPrefix(value, fileScheme); ok && !f.raw {
		contents, err := load(path)
		if err != nil {
			return f.errorf("%w", err)
		}
		value = contents
	}
	if err := f.set(value); err != nil {
		return f.errorf("%w", err)
	}
	return nil
}

// check looks for what is missing and runs the conditions.
func (s *Set) check() error {
	var errs []error
	for _, f := range s.sorted() {
		if f.required && f.loaded == "" {
			errs = append(errs, f.errorf("required: give --%s=%s or %s%s", f.name, f.value, Prefix, strings.ToUpper(f.name)))
			continue
		}
		for _, check := range f.check {
			if err := check(); err != nil {
				errs = append(errs, f.errorf("%w", err))
			}
		}
	}
	return errors.Join(errs...)
}

// unknown names the flags that may have been meant.
func (s *Set) unknown(name string) error {
	type guess struct {
		name     string
		distance int
	}
	var guesses []guess
	for _, f := range s.flags {
		if d := distance(name, f.name); d <= max(2, len(name)/4) && !f.hidden {
			guesses = append(guesses, guess{"--" + f.name, d})
		}
	}
	if len(guesses) == 0 {
		return fmt.Errorf("unknown flag --%s; --help lists all", name)
	}
	slices.SortFunc(guesses, func(a, b guess) int {
		return 1000*(a.distance-b.distance) + strings.Compare(a.name, b.name)
	})
	var names []string
	for _, g := range guesses[:min(3, len(guesses))] {
		names = append(names, g.name)
	}
	return fmt.Errorf("unknown flag --%s; did you mean %s?", name, strings.Join(names, " or "))
}

// distance is the number of characters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
