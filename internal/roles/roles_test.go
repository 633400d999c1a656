package roles

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	for role, valid := range map[string]bool{
		"*": true, "foo": true, "123": true, "foo_123": true, "foo-bar": true, "foo.bar": true, "foo..bar": true,
		"a/b/c": true, "foo*": true, "a/b*": true,
		"": false, ".": false, "..": false, "-foo": false, "/": false, "/foo": false, "foo/": false, "foo//bar": false,
		"foo bar": false, "foo\tbar": false, "foo\x7f": false, "foo\n": false, "foo/.": false, "foo/../bar": false,
		"foo/-bar": false, "*/a": false, "a/*": false,
	} {
		t.Run(role, func(t *testing.T) {
			err := Validate(role)
			if valid && err != nil {
				t.Errorf("Validate(%q) = %v", role, err)
			}
			if !valid && !errors.Is(err, ErrInvalid) {
				t.Errorf("Validate(%q) = %v, want ErrInvalid", role, err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	want := []string{"abc", "edf", "hgi"}
	for _, list := range []string{"abc,edf,hgi", "abc,edf,hgi,", ",abc,edf,hgi", "abc,,edf,hgi"} {
		if got, err := Parse(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("Parse(%q) = %q, %v", list, got, err)
		}
	}
	if got, err := Parse(""); err != nil || got == nil || len(got) != 0 {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	for _, list := range []string{"foo,.,*", "foo, bar"} {
		if _, err := Parse(list); !errors.Is(err, ErrInvalid) {
			t.Errorf("Parse(%q): error %v", list, err)
		}
	}
}

func TestAncestry(t *testing.T) {
	if !IsStrictSubrole("a/b", "a") || IsStrictSubrole("ab", "a") || IsStrictSubrole("a", "a") || IsStrictSubrole("a", "a/b") {
		t.Error("IsStrictSubrole is wrong")
	}
	if !InSubtree("a", "a") || !InSubtree("a/b/c", "a") || InSubtree("b", "a") {
		t.Error("InSubtree is wrong")
	}
	if diff := cmp.Diff([]string{"a/b", "a"}, slices.Collect(Ancestors("a/b/c"))); diff != "" {
		t.Error(diff)
	}
	if got := slices.Collect(Ancestors("a")); got != nil {
		t.Errorf("Ancestors(a) = %v", got)
	}
}
