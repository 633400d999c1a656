package flags

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ErrHelp is returned by Parse when --help is given; nothing else was checked.
var ErrHelp = errors.New("help requested")

// Set is the flags of one program. Define them, then call Parse once.
type Set struct {
	program string
	help    bool
	flags   map[string]*flag // by name
	aliases map[string]*flag
	args    []string
}

// flag is one flag, whatever its type.
type flag struct {
	name, alias string
	value, text string // for the help
	defaultText string // "" if there is none to be shown
	boolean     bool
	raw         bool
	required    bool
	hidden      bool
	check       []func() error

	set    func(text string) error
	get    func() (text string, isSet bool)
	loaded string // the name it was given by, "" if it was not
}

// Option changes a flag.
type Option func(*flag)

// Required makes Parse fail when the flag isn't given.
func Required() Option { return func(f *flag) { f.required = true } }

// Alias gives the flag a second name: the one that older versions knew.
func Alias(name string) Option { return func(f *flag) { f.alias = name } }

// Hidden keeps the flag out of the help: for those that are accepted so that
// command lines written for Mesos work, and that have no effect.
func Hidden() Option { return func(f *flag) { f.hidden = true } }

// Check adds a condition on the value, which f finds in the target. It is
// called after all flags are read, also for defaults, so it may look at several.
func Check(f func() error) Option {
	return func(fl *flag) { fl.check = append(fl.check, f) }
}

// New returns a Set with the one flag --help.
func New(program string) *Set {
	s := &Set{program: program, flags: map[string]*flag{}, aliases: map[string]*flag{}}
	s.Bool(&s.help, "help", false, "Print this text and exit.")
	return s
}

// Var defines a flag with a default. target gets the default at once. It panics
// on a name that is taken, as every definition is part of the program.
func Var[T any](s *Set, target *T, name string, value T, t Type[T], help string, options ...Option) {
	*target = value
	f := &flag{name: name, value: t.Value, text: help, raw: t.Raw}
	f.defaultText = t.Format(value)
	f.set = func(text string) error { return assign(target, t, text) }
	f.get = func() (string, bool) { return t.Format(*target), true }
	s.add(f, options)
}

// Optional defines a flag without a default: target stays nil unless it is
// given, and then /flags doesn't show it.
func Optional[T any](s *Set, target **T, name string, t Type[T], help string, options ...Option) {
	*target = nil
	f := &flag{name: name, value: t.Value, text: help, raw: t.Raw, boolean: t.Value == boolType.Value}
	f.set = func(text string) error {
		*target = new(T)
		return assign(*target, t, text)
	}
	f.get = func() (string, bool) {
		if *target == nil {
			return "", false
		}
		return t.Format(**target), true
	}
	s.add(f, options)
}

func assign[T any](target *T, t Type[T], text string) error {
	v, err := t.Parse(text)
	if err != nil {
		return err
	}
	*target = v
	return nil
}

func (s *Set) add(f *flag, options []Option) {
	for _, o := range options {
		o(f)
	}
	for _, name := range []string{f.name, f.alias} {
		if name != "" && s.lookup(name) != nil {
			panic("flags: two flags --" + name)
		}
	}
	s.flags[f.name] = f
	if f.alias != "" {
		s.aliases[f.alias] = f
	}
}

func (s *Set) lookup(name string) *flag {
	if f := s.flags[name]; f != nil {
		return f
	}
	return s.aliases[name]
}

// Bool defines a switch: --name, --no-name, --name=true.
func (s *Set) Bool(target *bool, name string, value bool, help string, options ...Option) {
	Var(s, target, name, value, boolType, help, append(options, func(f *flag) { f.boolean = true })...)
}

// String defines a flag of any text.
func (s *Set) String(target *string, name, value, help string, options ...Option) {
	Var(s, target, name, value, StringType, help, options...)
}

// Path defines a flag that names a file; see PathType.
func (s *Set) Path(target *string, name, value, help string, options ...Option) {
	Var(s, target, name, value, PathType, help, options...)
}

// Int defines a flag of a whole number.
func (s *Set) Int(target *int, name string, value int, help string, options ...Option) {
	Var(s, target, name, value, IntType, help, options...)
}

// Float defines a flag of a number.
func (s *Set) Float(target *float64, name string, value float64, help string, options ...Option) {
	Var(s, target, name, value, FloatType, help, options...)
}

// Duration defines a flag of a time.
func (s *Set) Duration(target *time.Duration, name string, value time.Duration, help string, options ...Option) {
	Var(s, target, name, value, DurationType, help, options...)
}

// Bytes defines a flag of a size.
func (s *Set) Bytes(target *Bytes, name string, value Bytes, help string, options ...Option) {
	Var(s, target, name, value, BytesType, help, options...)
}

// OptionalBool defines a switch without a default.
func (s *Set) OptionalBool(target **bool, name, help string, options ...Option) {
	Optional(s, target, name, boolType, help, options...)
}

// OptionalString defines a flag of any text without a default.
func (s *Set) OptionalString(target **string, name, help string, options ...Option) {
	Optional(s, target, name, StringType, help, options...)
}

// Values returns every flag that has a value as /flags shows it, under the name
// by which it was given.
func (s *Set) Values() map[string]string {
	values := make(map[string]string, len(s.flags))
	for name, f := range s.flags {
		if text, isSet := f.get(); isSet {
			if f.loaded != "" {
				name = f.loaded
			}
			values[name] = text
		}
	}
	return values
}

// Given says whether a flag was given, by the command line or the environment.
func (s *Set) Given(name string) bool {
	f := s.lookup(name)
	return f != nil && f.loaded != ""
}

// Args returns the arguments that are no flags.
func (s *Set) Args() []string { return s.args }

// sorted returns the flags by name.
func (s *Set) sorted() []*flag {
	return slices.SortedFunc(maps.Values(s.flags), func(a, b *flag) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

func (f *flag) errorf(format string, args ...any) error {
	return fmt.Errorf("flag --%s: %w", f.name, fmt.Errorf(format, args...))
}
