package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Credential // nil: an error
	}{
		"JSON":             {`{"credentials":[{"principal":"a","secret":"b"},{"principal":"c","secret":"d e"}]}`, []Credential{{"a", "b"}, {"c", "d e"}}},
		"no secret":        {`{"credentials":[{"principal":"a"}]}`, []Credential{{"a", ""}}},
		"lines":            {"a b\n\n  c\td  \n", []Credential{{"a", "b"}, {"c", "d"}}},
		"no newline":       {"a b", []Credential{{"a", "b"}}},
		"empty":            {"", nil},
		"empty list":       {`{"credentials":[]}`, nil},
		"no principal":     {`{"credentials":[{"secret":"b"}]}`, nil},
		"empty principal":  {`{"credentials":[{"principal":"","secret":"b"}]}`, nil},
		"three words":      {"a b c", nil},
		"malformed":        {`{"credentials":[`, nil},
		"the wrong type":   {`{"credentials":[{"principal":"hush","secret":{"x":1}}]}`, nil},
		"one of the other": {`{"principal":"a","secret":"b"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseCredentials([]byte(c.text))
			if (err == nil) != (c.want != nil) {
				t.Fatalf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows what was read: %v", err)
			}
			if got.Len() != len(c.want) {
				t.Errorf("%d credentials, want %d", got.Len(), len(c.want))
			}
			for _, one := range c.want {
				if !got.Check(one.Principal, one.Secret) || got.Check(one.Principal, one.Secret+"x") {
					t.Errorf("%s is not checked right", one.Principal)
				}
			}
			if got.Check("x", "") || got.Check("", "") {
				t.Error("an unknown principal is accepted")
			}
		})
	}
}

func TestParseCredential(t *testing.T) {
	for text, want := range map[string]Credential{
		`{"principal":"a","secret":"b c"}`: {"a", "b c"}, "a b\n": {"a", "b"}, "a b\nc d": {}, "": {}, `{"secret":"b"}`: {}, "a": {},
	} {
		got, err := ParseCredential([]byte(text))
		if got != want || (err == nil) != (want != Credential{}) {
			t.Errorf("%q: got %q, error %v", text, got.Principal, err)
		}
	}
}

func TestASecretIsNotPrinted(t *testing.T) {
	c := Credential{Principal: "a", Secret: "hush"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, c); strings.Contains(s, "hush") || !strings.Contains(s, "a") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

func TestReadSecret(t *testing.T) {
	file := func(mode os.FileMode, text string) string {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	closed, open := file(0o600, "a b"), file(0o644, "a b")
	for name, c := range map[string]struct {
		value, text string
		warning     bool
	}{
		"path":          {closed, "a b", false},
		"URL":           {"file://" + closed, "a b", false},
		"readable":      {open, "a b", true},
		"JSON":          {`{"principal":"a"}`, `{"principal":"a"}`, false},
		"missing":       {closed + "x", "", false},
		"empty":         {file(0o600, ""), "", false},
		"not a file":    {t.TempDir(), "", false},
		"empty flag":    {"", "", false},
		"only a scheme": {"file://", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			text, warning, err := ReadSecret(c.value)
			if string(text) != c.text || (err == nil) != (c.text != "") || c.text != "" && (warning != "") != c.warning {
				t.Errorf("%q, %q, %v", text, warning, err)
			}
		})
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add([]byte(`{"credentials":[{"principal":"a","secret":"b"}]}`))
	f.Add([]byte("a b\nc d\n"))
	f.Add([]byte(`{"principal":"a","secret":null}`))
	f.Add([]byte("\xff \x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseCredentials(text); err == nil && c.Len() == 0 {
			t.Error("no credential and no error")
		}
		if c, err := ParseCredential(text); err == nil && c.Principal == "" {
			t.Error("a credential without a principal")
		}
	})
}
